"""Weights of TensorFlow.js models: a JSON manifest beside a binary file, and how they come into torch."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facearray.errors import AssetError

__all__ = ["Places", "read_weights", "torch_state"]

#: TensorFlow's name of a weight, and its name in torch and the order of TensorFlow's axes there.
Places = Mapping[str, tuple[str, tuple[int, ...]]]

_STORED = {"float32": "<f4", "float16": "<f2", "uint16": "<u2", "uint8": "|u1"}
_AFFINE = ("uint16", "uint8")


def read_weights(manifest: Path, binary: Path) -> dict[str, NDArray[np.float32]]:
    """Read the weights that a TensorFlow.js manifest describes.

    Weights stored as ``uint8`` or ``uint16`` are brought back with their scale and minimum, as TensorFlow.js does;
    those stored as ``float16`` are widened.

    Parameters
    ----------
    manifest
        The JSON file: a list of groups, each with the ``weights`` that follow one another in the binary file.
    binary
        The file that holds all of them.

    Returns
    -------
    dict
        Arrays by name, in the manifest's order and in TensorFlow's layout (height, width, in, out for a convolution).

    Raises
    ------
    AssetError
        If the manifest is malformed, describes anything but float32 weights in one file, or does not cover the binary
        file exactly; with one line for every problem.
    """
    problems: list[str] = []
    entries = list(_entries(_parse(manifest), problems))
    names = [entry.name for entry in entries]
    problems += [f"found weight {name!r} twice" for name in sorted({n for n in names if names.count(n) > 1})]
    data = binary.read_bytes()
    expected = sum(entry.n_bytes for entry in entries)
    if not problems and len(data) != expected:
        problems.append(f"found {len(data)} bytes in {binary.name}; expected {expected}")
    if problems:
        raise _error(manifest, problems)
    weights, offset = {}, 0
    for entry in entries:
        weights[entry.name] = entry.decode(data, offset)
        offset += entry.n_bytes
    return weights


def torch_state(
    weights: Mapping[str, NDArray[np.float32]],
    expected: Mapping[str, Tensor],
    place: Callable[[str], tuple[str, tuple[int, ...]]],
    *,
    kind: str,
    model: str,
) -> dict[str, Tensor]:
    """Put weights under torch's names and in its layout.

    Parameters
    ----------
    weights
        Arrays by TensorFlow's names, as :func:`read_weights` gives them.
    expected
        What the network has, by torch's names.
    place
        Gives the name in torch of a weight, and the order in which torch has TensorFlow's axes.
    kind, model
        What the network and its files are called, for the error.

    Raises
    ------
    AssetError
        If a weight has no place, or a place no weight of its shape; with one line for every problem.
    """
    state = {}
    for name, weight in weights.items():
        torch_name, axes = place(name)
        if len(axes) == weight.ndim:
            weight = weight.transpose(axes)
        state[torch_name] = torch.from_numpy(np.ascontiguousarray(weight))
    shapes = {name: tuple(tensor.shape) for name, tensor in expected.items()}
    found = {name: tuple(tensor.shape) for name, tensor in state.items()}
    problems = [
        f"{name}: found {found.get(name, 'nothing')}; expected {shapes.get(name, 'nothing')}"
        for name in sorted(shapes.keys() | found.keys())
        if shapes.get(name) != found.get(name)
    ]
    if problems:
        raise AssetError(
            f"these are not the weights of the {kind} network:\n"
            + "".join(f"  - {problem}\n" for problem in problems)
            + f"use those of face-api.js' {model}"
        )
    return state


@dataclass(frozen=True, slots=True)
class _Entry:
    """One weight: its place is given by what comes before it."""

    name: str
    shape: tuple[int, ...]
    stored: str
    scale: float
    minimum: float

    @property
    def n_bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(_STORED[self.stored]).itemsize

    def decode(self, data: bytes, offset: int) -> NDArray[np.float32]:
        raw = np.frombuffer(data, _STORED[self.stored], math.prod(self.shape), offset).reshape(self.shape)
        if self.stored in _AFFINE:
            # in double precision like JavaScript, which rounds once at the end
            raw = raw.astype(np.float64) * self.scale + self.minimum
        return raw.astype(np.float32)


def _parse(manifest: Path) -> Any:
    try:
        return json.loads(manifest.read_bytes())
    except ValueError as error:
        raise _error(manifest, [f"found no JSON: {error}"]) from error


def _entries(groups: Any, problems: list[str]) -> Iterator[_Entry]:
    if not (isinstance(groups, list) and groups and all(isinstance(g, dict) for g in groups)):
        problems.append("found no list of groups; expected [{'weights': […], 'paths': […]}]")
        return
    paths = {str(path) for group in groups for path in _list(group, "paths", problems)}
    if len(paths) > 1:
        problems.append(f"found {len(paths)} binary files ({', '.join(sorted(paths))}); expected one")
    for group in groups:
        for index, weight in enumerate(_list(group, "weights", problems)):
            try:
                yield _entry(weight)
            except (KeyError, TypeError, ValueError) as error:
                reason = f"no {error}" if isinstance(error, KeyError) else str(error)
                problems.append(f"weight {index}: found {reason}; expected name, shape, dtype and quantization")


def _list(group: dict[str, Any], key: str, problems: list[str]) -> list[Any]:
    found = group.get(key)
    if isinstance(found, list):
        return found
    problems.append(f"found {key!r} that is no list in a group")
    return []


def _entry(weight: Any) -> _Entry:
    name, shape = weight["name"], weight["shape"]
    if not isinstance(name, str):
        raise TypeError(f"name {name!r}")
    if not (isinstance(shape, list) and all(type(size) is int and size >= 0 for size in shape)):
        raise TypeError(f"shape {shape!r} of {name!r}")
    if weight["dtype"] != "float32":
        raise ValueError(f"dtype {weight['dtype']!r} of {name!r}")
    quantization = weight.get("quantization", {"dtype": "float32"})
    stored = quantization["dtype"]
    if stored not in _STORED:
        raise ValueError(f"stored dtype {stored!r} of {name!r}")
    scale, minimum = (quantization["scale"], quantization["min"]) if stored in _AFFINE else (1.0, 0.0)
    if not (_is_finite(scale) and _is_finite(minimum)):
        raise ValueError(f"scale {scale!r} and minimum {minimum!r} of {name!r}")
    return _Entry(name, tuple(shape), stored, float(scale), float(minimum))


def _is_finite(value: Any) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)


def _error(manifest: Path, problems: list[str]) -> AssetError:
    return AssetError(
        f"cannot read weights by {manifest.name}:\n"
        + "".join(f"  - {problem}\n" for problem in problems)
        + "the file is damaged or of another kind; fetch it again"
    )
