"""Where faces are in a frame: MediaPipe's single-shot detectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from facearray import assets
from facearray.models.bundle import read_member
from facearray.models.crops import Squares, letterbox
from facearray.models.runtime import TORCH, Graph, Runtime

__all__ = [
    "SHORT_RANGE",
    "WIDE_RANGE",
    "Detections",
    "FaceDetector",
    "Variant",
    "anchor_centres",
    "box_overlap",
    "merge_overlapping",
]

N_KEYPOINTS = 6

#: Detections of a lower score are dropped.
MIN_SCORE = 0.5

#: Intersection over union beyond which two boxes are of one face.
MIN_OVERLAP = 0.3

#: Frames that go through a network together; more do not fit the processor's cache.
_FRAMES_AT_ONCE = 16

#: Logits beyond this are clipped before they become scores.
_LOGIT_LIMIT = 100.0


@dataclass(frozen=True, slots=True)
class Detections:
    """Faces in the frames of a batch, in the order of the frames, the largest of a frame first.

    Attributes
    ----------
    frame
        (n,) position of the frame in the batch.
    score
        (n,) confidence, 0 to 1.
    box
        (n, 4) left and upper edge, width and height in pixels.
    keypoints
        (n, 6, 2) x and y in pixels of the right and left eye, nose tip, mouth, right and left ear tragion (right and
        left are the person's).
    """

    frame: NDArray[np.intp]
    score: NDArray[np.float64]
    box: NDArray[np.float64]
    keypoints: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.frame)

    def __getitem__(self, rows: slice | NDArray[np.intp] | NDArray[np.bool_]) -> Self:
        """Take some of the detections."""
        return type(self)(self.frame[rows], self.score[rows], self.box[rows], self.keypoints[rows])

    @classmethod
    def concatenate(cls, parts: Sequence[Self]) -> Self:
        """Put detections behind one another; it is up to the caller that the frames stay in order."""
        return cls(
            np.concatenate([part.frame for part in parts]),
            np.concatenate([part.score for part in parts]),
            np.concatenate([part.box for part in parts]),
            np.concatenate([part.keypoints for part in parts]),
        )

    def squares(self, scale: float) -> Squares:
        """Squares around the boxes, turned so that the eyes are level in them.

        Parameters
        ----------
        scale
            Side of a square as a multiple of the longer side of its box.
        """
        across = self.keypoints[:, 1] - self.keypoints[:, 0]
        rotation = np.arctan2(across[:, 1], across[:, 0])
        centre = self.box[:, :2] + self.box[:, 2:] / 2
        return Squares(self.frame, centre, self.box[:, 2:].max(axis=1) * scale, rotation)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the detectors.

    Attributes
    ----------
    asset
        File that the network is in.
    member
        Name of the network within a bundle; None if the file is the network.
    size
        Side of its input.
    layers
        Cells along a side and anchors in a cell, for each layer of anchors.
    """

    asset: str
    member: str | None
    size: int
    layers: tuple[tuple[int, int], ...]

    def read(self) -> bytes:
        """Content of the network's file, which is fetched if it is not on this machine."""
        path = assets.path(self.asset)
        return path.read_bytes() if self.member is None else read_member(path, self.member)


#: For faces that fill at least a tenth of the frame's longer side.
SHORT_RANGE = Variant("face_landmarker.task", "face_detector.tflite", 128, ((16, 2), (8, 6)))

#: For faces down to a twentieth of it, and for tilted ones, at several times the cost.
WIDE_RANGE = Variant("face_detection_back.tflite", None, 256, ((16, 2), (8, 6)))


def anchor_centres(layers: tuple[tuple[int, int], ...]) -> NDArray[np.float64]:
    """Centres of the anchors in units of the input's side, row by row and layer by layer.

    Parameters
    ----------
    layers
        Cells along a side and anchors in a cell, for each layer.

    Returns
    -------
    ndarray
        (n_anchor, 2) x and y.

    Examples
    --------
    >>> anchor_centres(((2, 1),))
    array([[0.25, 0.25],
           [0.75, 0.25],
           [0.25, 0.75],
           [0.75, 0.75]])
    """
    parts = []
    for cells, per_cell in layers:
        centres = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        parts.append(grid.repeat(per_cell, axis=0))
    return np.concatenate(parts)


class FaceDetector:
    """Finds faces in frames; what it finds in a frame depends on that frame only.

    Parameters
    ----------
    variant
        Which of the detectors.
    graph
        Its network.

    References
    ----------
    Bazarevsky et al. (2019). BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs. arXiv:1907.05047
    """

    def __init__(self, variant: Variant, graph: Graph) -> None:
        self._variant = variant
        self._graph = graph
        self._anchors = anchor_centres(variant.layers)

    @classmethod
    def load(cls, variant: Variant, runtime: Runtime = TORCH) -> Self:
        """Make a detector with its weights.

        Raises
        ------
        AssetError
            If the file cannot be had or is malformed.
        """
        return cls(variant, runtime.graph(variant.read(), variant.member or variant.asset))

    def __call__(self, frames: Tensor, rows: NDArray[np.intp]) -> Detections:
        """Find the faces in some frames of a batch.

        Parameters
        ----------
        frames
            (n_frame, height, width, 3) uint8.
        rows
            Which frames to look at, ascending.
        """
        parts = [[np.empty((0, len(self._anchors), n), np.float32) for n in (2 * (2 + N_KEYPOINTS), 1)]]
        with torch.inference_mode():
            for start in range(0, len(rows), _FRAMES_AT_ONCE):
                pictures = letterbox(frames, rows[start : start + _FRAMES_AT_ONCE], self._variant.size)
                parts.append([output.cpu().numpy() for output in self._graph(pictures.div_(127.5).sub_(1))])
        offsets, logits = (np.concatenate(outputs) for outputs in zip(*parts, strict=True))
        return self._detections(rows, offsets, logits[..., 0], height=frames.shape[1], width=frames.shape[2])

    def _detections(
        self,
        rows: NDArray[np.intp],
        offsets: NDArray[np.float32],
        logits: NDArray[np.float32],
        height: int,
        width: int,
    ) -> Detections:
        scores = 1 / (1 + np.exp(-logits.astype(np.float64).clip(-_LOGIT_LIMIT, _LOGIT_LIMIT)))
        frame, anchor = np.nonzero(scores >= MIN_SCORE)
        score = scores[frame, anchor]
        # Pairs of x and y: the box's centre, its width and height, the keypoints.
        pairs = offsets[frame, anchor].astype(np.float64).reshape(-1, 2 + N_KEYPOINTS, 2) / self._variant.size
        pairs += self._anchors[anchor, None]
        pairs[:, 1] -= self._anchors[anchor]
        pairs[:, 0] -= pairs[:, 1] / 2
        kept = (pairs[:, 1] > 0).all(axis=1)
        frame, score, pairs = merge_overlapping(frame[kept], score[kept], pairs[kept], MIN_OVERLAP)

        side = max(width, height)
        margins = (np.array([width, height]) - side) / 2
        pairs *= side
        pairs[:, np.arange(2 + N_KEYPOINTS) != 1] += margins
        order = np.lexsort((-pairs[:, 1].prod(axis=1), frame))
        box = pairs[order, :2].reshape(-1, 4)
        return Detections(rows[frame[order]], score[order], box, pairs[order, 2:])


def merge_overlapping(
    frame: NDArray[np.intp], score: NDArray[np.float64], pairs: NDArray[np.float64], min_overlap: float
) -> tuple[NDArray[np.intp], NDArray[np.float64], NDArray[np.float64]]:
    """Merge the detections of one face: weighted non-maximum suppression within each frame.

    The best detection takes all others that overlap it, its place becomes their mean weighted by score, and so on with
    what is left.

    Parameters
    ----------
    frame, score
        (n,) frame and score of each detection.
    pairs
        (n, k, 2) places; the first two are the upper left corner and the size of the box.
    min_overlap
        Intersection over union beyond which two boxes are of one face.

    Returns
    -------
    frame, score, pairs
        Of the faces, the score being that of the best detection.
    """
    best_first = np.lexsort((-score, frame))
    faces = []
    for of_frame in np.split(best_first, np.flatnonzero(np.diff(frame[best_first])) + 1):
        remaining = of_frame
        while len(remaining):
            near = box_overlap(pairs[remaining[0], :2], pairs[remaining, :2]) > min_overlap
            near[0] = True
            weights = score[remaining[near]]
            faces.append((remaining[0], np.tensordot(weights / weights.sum(), pairs[remaining[near]], axes=1)))
            remaining = remaining[~near]
    best = np.array([row for row, _ in faces], np.intp)
    merged = np.stack([place for _, place in faces]) if faces else pairs[:0]
    return frame[best], score[best], merged


def box_overlap(box: NDArray[np.float64], boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Intersection over union of a box with others.

    Parameters
    ----------
    box
        (2, 2) upper left corner, and width and height.
    boxes
        (n, 2, 2) the others.

    Returns
    -------
    ndarray
        (n,) from 0 to 1.

    Examples
    --------
    >>> box_overlap(np.array([[0.0, 0.0], [4.0, 2.0]]), np.array([[[2.0, 0.0], [4.0, 2.0]]]))
    array([0.33333333])
    """
    low = np.maximum(box[0], boxes[:, 0])
    high = np.minimum(box[0] + box[1], boxes[:, 0] + boxes[:, 1])
    common = (high - low).clip(min=0).prod(axis=1)
    overlap: NDArray[np.float64] = common / (box[1].prod() + boxes[:, 1].prod(axis=1) - common)
    return overlap
