"""Detectors of py-feat: their networks and weights, our names, units and stores."""

from __future__ import annotations

import hashlib
import importlib
import re
import threading
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from facearray.detection.detector import Faces
from facearray.detection.devices import resolve_device
from facearray.errors import DetectorError, InputError
from facearray.io.readers.columns import Block
from facearray.io.readers.pyfeat import Translation, translate

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PyFeatDetector", "make_v1", "make_v2"]

#: Side of the black frame that shows which columns a detector returns.
_PROBE_SIZE = 128

#: Texts, which say nothing about a face that is not of its batch.
_TEXTS = ("input", "Identity", "approx_time")

#: Angles that version 2.1.5 counts the other way: it has up and to the subject's right positive.
_TURNED = ("Pitch", "Yaw", "gaze_pitch", "gaze_yaw")

#: The release whose columns and signs these are. Earlier ones of version 2 count Pitch the other way.
MIN_RELEASE = (2, 1, 5)

_BOX = ("FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight")


class PyFeatDetector:
    """Describes faces by a detector of py-feat, batch by batch, and translates every column that it returns.

    The columns are translated as those of py-feat's files are (:doc:`/formats`). What the vocabulary does not have
    comes into the group ``other``. Which face is which is decided by our slots, from all of the video; py-feat's own
    identities are those of a batch and are left out.

    Parameters
    ----------
    detector
        An object of a class of py-feat, such as ``feat.Detectorv2``: its ``detect`` takes a tensor of frames and
        returns a table with a row a face.
    name
        Name of the detector.
    release
        Version of py-feat.
    device
        Where it computes.
    landmarks
        Whether the points of the mesh are returned.
    embedding
        Whether identity embeddings are returned.

    Raises
    ------
    InputError
        If it computes no embeddings and they are asked for.
    DetectorError
        If it does not return the table that is expected.
    """

    def __init__(
        self, detector: Any, *, name: str, release: str, device: str, landmarks: bool = True, embedding: bool = False
    ) -> None:
        self.name = name
        self.version = f"{release}+facearray.1"
        self.device = device
        self._detector = detector
        self._lock = threading.Lock()
        self._nobody = probe = self._translated(np.zeros((1, _PROBE_SIZE, _PROBE_SIZE, 3), np.uint8))[1]
        self.features = probe.features
        self.other = probe.other
        self.n_landmarks = probe.points.shape[1] if landmarks and probe.points is not None else None
        self.n_components = probe.embedding.shape[1] if embedding and probe.embedding is not None else None
        if embedding and self.n_components is None:
            raise InputError(f"found embedding=True; detector {name!r} returns no columns Identity_1, Identity_2, …")
        self.assets: Mapping[str, str] = MappingProxyType(dict(_weights(detector)))

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Describe the faces of each (height, width, 3) RGB frame."""
        frame, found = self._translated(frames) if len(frames) else (np.empty(0), self._nobody)
        if found.features != self.features:
            raise DetectorError(
                f"found columns {', '.join(sorted(set(found.features) ^ set(self.features)))} of some frames only; "
                f"expected the same of all from {self.name!r}"
            )
        box = found.values[:, [found.features.index(name) for name in _BOX]]
        # A face that py-feat has no place for is none.
        is_face = found.is_face & np.isfinite(box).all(axis=1) if len(frames) else np.zeros(len(box), np.bool_)
        order = np.lexsort((-box[:, 2] * box[:, 3], frame if len(frames) else np.zeros(len(box))))
        order = order[is_face[order]]
        rows = frame[order].astype(np.intp)

        def of_faces(values: NDArray[np.float64] | None, size: int | None) -> NDArray[np.float32] | None:
            return None if values is None or size is None else values[order].astype(np.float32)

        return Faces(
            frame=rows,
            n_found=np.bincount(rows, minlength=len(frames)).astype(np.int16),
            features=found.values[order].astype(np.float32),
            landmarks=of_faces(found.points, self.n_landmarks),
            embedding=of_faces(found.embedding, self.n_components),
        )

    def _translated(self, frames: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Translation]:
        """Position of each row's frame in the batch, and the rows."""
        import torch

        tensor = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
        with self._lock:  # py-feat does not say that threads may share a detector
            table = self._detector.detect(tensor, data_type="tensor", batch_size=len(frames), progress_bar=False)
        missing = [name for name in ("frame", *_BOX) if name not in table.columns]
        if missing:
            raise DetectorError(
                f"found a table without the columns {', '.join(missing)}; expected what py-feat's detectors return"
            )
        return table["frame"].to_numpy(np.float64), translate(_block(table), turned=_TURNED)


def _block(table: pd.DataFrame) -> Block:
    """Return the measures of a table as the readers of files have them."""
    kept = [str(name) for name in table.columns if name not in _TEXTS]
    return Block(
        names=tuple(kept),
        values=np.array(table[kept], np.float64),
        texts={},
        line=np.arange(len(table), dtype=np.int64),
    )


def make_v2(*, device: str = "auto", landmarks: bool = True, embedding: bool = False) -> PyFeatDetector:
    """Make the detector ``"pyfeat"``: py-feat's ``Detectorv2``, one network for all measures.

    Raises
    ------
    InputError
        If py-feat is not installed or there is no such device.
    DetectorError
        If py-feat cannot make it, for example because its weights cannot be fetched.
    """
    return _make("pyfeat", "Detectorv2", device, landmarks=landmarks, embedding=embedding)


def make_v1(*, device: str = "auto", landmarks: bool = True, embedding: bool = False) -> PyFeatDetector:
    """Make the detector ``"pyfeat-v1"``: py-feat's ``Detectorv1``, a network for each kind of measure.

    Raises
    ------
    InputError, DetectorError
        As :func:`make_v2`.
    """
    return _make("pyfeat-v1", "Detectorv1", device, landmarks=landmarks, embedding=embedding)


def _make(name: str, kind: str, device: str, **options: bool) -> PyFeatDetector:
    device = resolve_device(device)
    try:
        feat, release = importlib.import_module("feat"), version("py-feat")
    except (ImportError, PackageNotFoundError) as error:
        raise InputError(
            f"found no py-feat that loads ({error}); expected the package py-feat: install facearray[pyfeat]"
        ) from error
    maker = getattr(feat, kind, None)
    if maker is None or tuple(map(int, re.findall(r"\d+", release)[:3])) < MIN_RELEASE:
        wanted = ".".join(map(str, MIN_RELEASE))
        raise InputError(f"found py-feat {release}; expected {wanted} or later, whose columns and signs are known")
    return PyFeatDetector(maker(device=device), name=name, release=release, device=device, **options)


def _weights(detector: Any) -> Iterator[tuple[str, str]]:
    """Name the networks that are attributes of a detector, or of one of these, with hashes of their parameters."""
    for name, value in sorted(_networks(detector).items()):
        digest = hashlib.sha256()
        for key, parameter in sorted(value.state_dict().items()):
            digest.update(key.encode())
            digest.update(np.ascontiguousarray(parameter.detach().cpu().float().numpy()).tobytes())
        yield name, digest.hexdigest()


def _networks(detector: Any) -> dict[str, Any]:
    from torch import nn

    found = {}
    for name, value in {**vars(detector), **getattr(detector, "_modules", {})}.items():
        inner = {"": value} if isinstance(value, nn.Module) else getattr(value, "__dict__", {})
        for key, network in inner.items():
            if isinstance(network, nn.Module) and network.state_dict():
                found[f"{name}.{key}".strip(".")] = network
    return found
