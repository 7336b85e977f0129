"""What a detector is: frames in, faces out, with labels that say what the numbers mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Detector", "Faces"]


@dataclass(frozen=True, slots=True)
class Faces:
    """Faces found in a batch of frames: one row a face, ordered by frame, then by size (largest first).

    Attributes
    ----------
    frame
        (n_face,) position of the face's frame in the batch, ascending.
    n_found
        (n_frame,) faces seen in each frame, those included that the detector was not asked to describe. Faces that are
        described are given to slots by :mod:`facearray.detection.slots`, as many as there is room for.
    features
        (n_face, n_feature) in the order of the detector's ``features``; NaN where a measure has no value.
    landmarks
        (n_face, n_landmark, 3) in pixels of the frame, or None.
    embedding
        (n_face, n_component) of unit L2 norm, or None.
    """

    frame: NDArray[np.intp]
    n_found: NDArray[np.int16]
    features: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None


@runtime_checkable
class Detector(Protocol):
    """Anything that finds faces in frames.

    The values of a frame may depend on that frame only: not on the batch that it is in, nor on earlier calls.
    Calls from several threads at once are allowed. Any number of faces a frame may be described, whatever the number of
    slots. Faces can be followed through a video only if ``features`` has ``FaceRectX``, ``FaceRectY``,
    ``FaceRectWidth`` and ``FaceRectHeight``, or there are landmarks; embeddings make it surer and are not needed.
    A detector with an attribute ``max_faces`` that is no None is refused where more faces than that are wanted. One
    with measures that :data:`facearray.schema.FEATURES` does not have says what they are in an attribute ``other``, a
    mapping of their names to (unit, description); they come into the group ``other``. A detector that has a method
    ``load()`` has it called once by each process that is going to find faces with it, before anything is written; one
    that is only asked what it would find, as by the client of a cluster, need not hold its networks.

    What is declared here is checked before anything is written, and what is returned on every call: see
    :mod:`facearray.detection.contract`.
    """

    #: Name under which the detector was asked for.
    name: str
    #: Version of the method: another version gives other numbers.
    version: str
    #: Device that inference runs on, as torch names it (``"cpu"``, ``"cuda:0"``).
    device: str
    #: Names of the measures, in the order of ``Faces.features``.
    features: tuple[str, ...]
    #: Mesh points a face, or None where there are none.
    n_landmarks: int | None
    #: Components of the identity embedding, or None.
    n_components: int | None
    #: SHA-256 of every model file in use, by name.
    assets: Mapping[str, str]

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        """Find the faces in (n_frame, height, width, 3) RGB frames."""
        ...
