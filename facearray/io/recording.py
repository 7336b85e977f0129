"""One recording in memory: what every reader of other tools' files gives, in the schema's names and units."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facearray.schema import FEATURES

__all__ = ["Recording"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one video's detections are, whoever made them; or the next part of them, if a file is too long for memory.

    Attributes
    ----------
    label
        Label of the video: the source's own name for the recording where there is one, else the file's.
    source
        Where it was read from.
    features
        Names of the measures; those that the schema does not know belong to its group ``other``.
    values
        (n_frame, n_face, n_feature) float32 in the schema's units; NaN where there is no face or no value.
    frame_number
        (n_frame,) int32 position in the source's decoded stream, ascending.
    timestamp
        (n_frame,) float64 seconds; NaN where the source has none and the frame rate is unknown.
    n_faces_found
        (n_frame,) int16
    track_id
        (n_frame, n_face) int32; -1 where there is no face.
    landmarks
        (n_frame, n_face, n_landmark, 3) float32 pixels, or None.
    embedding
        (n_frame, n_face, n_component) float32 of unit L2 norm, or None.
    fps
        Frame rate that ``frame_number`` counts; NaN where it is unknown.
    width, height
        Size of the source's frames in pixels; 0 where it is unknown.
    version
        Version of the tool that made the file, as far as the file tells.
    units
        Unit of features of the group ``other``, where it is known.
    descriptions
        What features of the group ``other`` are, where it is known.
    notes
        A sentence for every conversion that was made and everything that was set aside; the same in all files of a
        kind, without the names of files.
    problems
        A sentence for every fault of the file that did not keep it from being read: with file, line and column.
    """

    label: str
    source: str
    features: tuple[str, ...]
    values: NDArray[np.float32]
    frame_number: NDArray[np.int32]
    timestamp: NDArray[np.float64]
    n_faces_found: NDArray[np.int16]
    track_id: NDArray[np.int32]
    landmarks: NDArray[np.float32] | None = None
    embedding: NDArray[np.float32] | None = None
    fps: float = float("nan")
    width: int = 0
    height: int = 0
    version: str = ""
    units: tuple[tuple[str, str], ...] = ()
    descriptions: tuple[tuple[str, str], ...] = ()
    notes: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()

    @property
    def other(self) -> tuple[str, ...]:
        """Features that the schema does not know."""
        return tuple(name for name in self.features if name not in FEATURES)
