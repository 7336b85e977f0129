"""From the faces of a batch, as many as there are in each frame, to the fixed slots of the store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.detection.detector import Faces

__all__ = ["Slots", "largest_face"]


@dataclass(frozen=True, slots=True)
class Slots:
    """One batch in the store's shape.

    Attributes
    ----------
    n_faces_found
        (n_frame,) faces seen in each frame.
    track_id
        (n_frame, n_slot), -1 where the slot is empty.
    features
        (n_frame, n_slot, n_feature), NaN where the slot is empty.
    landmarks
        (n_frame, n_slot, n_landmark, 3) or None.
    embedding
        (n_frame, n_slot, n_component) or None.
    """

    n_faces_found: NDArray[np.int16]
    track_id: NDArray[np.int32]
    features: NDArray[np.float32]
    landmarks: NDArray[np.float32] | None
    embedding: NDArray[np.float32] | None


def largest_face(faces: Faces) -> Slots:
    """Put the first face of each frame, which is its largest, into a single slot.

    Nothing ties the faces of different frames together, so all of them carry ``track_id`` 0.
    """
    frame, first = np.unique(faces.frame, return_index=True)
    n_frame = len(faces.n_found)
    track_id = np.full((n_frame, 1), -1, dtype=np.int32)
    track_id[frame, 0] = 0

    def spread(values: NDArray[np.float32]) -> NDArray[np.float32]:
        out = np.full((n_frame, 1, *values.shape[1:]), np.nan, dtype=np.float32)
        out[frame, 0] = values[first]
        return out

    return Slots(
        n_faces_found=faces.n_found,
        track_id=track_id,
        features=spread(faces.features),
        landmarks=None if faces.landmarks is None else spread(faces.landmarks),
        embedding=None if faces.embedding is None else spread(faces.embedding),
    )
