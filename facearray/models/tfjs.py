"""Weights of TensorFlow.js models: a JSON manifest beside a binary file."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import AssetError

__all__ = ["read_weights"]

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
