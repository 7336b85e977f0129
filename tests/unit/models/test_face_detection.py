from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from facearray.models.face_detection import (
    SHORT_RANGE,
    WIDE_RANGE,
    Detections,
    FaceDetector,
    anchor_centres,
    merge_overlapping,
)


def picture(path: Path) -> NDArray[np.uint8]:
    return np.asarray(Image.open(path).convert("RGB"))


def test_anchor_centres__strides_of_8_and_16() -> None:
    anchors = anchor_centres(SHORT_RANGE.layers)
    assert anchors.shape == (896, 2)
    # In pixels of the 128 that the layers divide: two anchors in every cell of 8, six in every cell of 16.
    np.testing.assert_allclose(anchors[[0, 1, 2, 32]] * 128, [[4, 4], [4, 4], [12, 4], [4, 12]])
    np.testing.assert_allclose(anchors[[512, 517, 518, -1]] * 128, [[8, 8], [8, 8], [24, 8], [120, 120]])


def merged(*detections: tuple[int, float, float, float, float, float]) -> list[list[float]]:
    values = np.array(detections, float)
    frame, score, pairs = merge_overlapping(
        values[:, 0].astype(int), values[:, 1], values[:, 2:].reshape(-1, 2, 2), min_overlap=0.3
    )
    return [[f, s, *p.ravel()] for f, s, p in zip(frame, score, pairs, strict=True)]


def test_merge_overlapping__mean_weighted_by_score() -> None:
    found = merged((0, 0.6, 0, 0, 10, 10), (0, 0.9, 2, 0, 10, 10), (0, 0.7, 50, 50, 4, 4))
    np.testing.assert_allclose(found, [[0, 0.9, 1.2, 0, 10, 10], [0, 0.7, 50, 50, 4, 4]])


def test_merge_overlapping__little_overlap() -> None:
    # 4 x 10 of 160 are common: a quarter
    assert len(merged((0, 0.6, 0, 0, 10, 10), (0, 0.9, 6, 0, 10, 10))) == 2
    # 5 x 10 of 150: a third
    assert len(merged((0, 0.6, 0, 0, 10, 10), (0, 0.9, 5, 0, 10, 10))) == 1


def test_merge_overlapping__goes_by_the_best_not_by_chains() -> None:
    found = merged((0, 0.9, 0, 0, 10, 10), (0, 0.8, 5, 0, 10, 10), (0, 0.7, 10, 0, 10, 10))
    assert [row[1] for row in found] == [0.9, 0.7]


def test_merge_overlapping__frames_apart() -> None:
    found = merged((1, 0.6, 0, 0, 10, 10), (0, 0.9, 0, 0, 10, 10))
    np.testing.assert_allclose(found, [[0, 0.9, 0, 0, 10, 10], [1, 0.6, 0, 0, 10, 10]])


def test_merge_overlapping__none() -> None:
    frame, score, pairs = merge_overlapping(np.empty(0, int), np.empty(0), np.empty((0, 8, 2)), 0.3)
    assert (len(frame), len(score), pairs.shape) == (0, 0, (0, 8, 2))


def fake_detector(anchors: dict[int, list[float]], logits: dict[int, float]) -> FaceDetector:
    """A detector whose network answers the same to every picture."""

    def graph(pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        offsets, scores = torch.zeros(len(pictures), 896, 16), torch.full((len(pictures), 896, 1), -50.0)
        for anchor, values in anchors.items():
            offsets[:, anchor] = torch.tensor(values)
            scores[:, anchor] = logits[anchor]
        return offsets, scores

    return FaceDetector(SHORT_RANGE, graph)


def test_face_detector__decodes_into_pixels() -> None:
    # The anchor is at (120, 120) of 128; the box is 32 by 64 around (60, 70), the first keypoint at (64, 80).
    offsets = [60 - 120, 70 - 120, 32, 64, 64 - 120, 80 - 120, *[0] * 10]
    detector = fake_detector({895: offsets}, {895: 0.0})
    found = detector(torch.zeros(5, 256, 128, 3, dtype=torch.uint8), np.array([1, 4]))
    # Twice as many pixels, and the frame is the middle half of the square's width.
    np.testing.assert_array_equal(found.frame, [1, 4])
    np.testing.assert_allclose(found.score, 0.5)
    np.testing.assert_allclose(found.box, [[2 * 44 - 64, 2 * 38, 64, 128]] * 2)
    np.testing.assert_allclose(found.keypoints[0, :2], [[2 * 64 - 64, 160], [2 * 120 - 64, 240]])


def test_face_detector__drops_low_scores_and_boxes_without_extent() -> None:
    square, flat = [0.0, 0, 32, 32, *[0] * 12], [0.0, 0, 32, 0, *[0] * 12]
    detector = fake_detector({0: square, 300: square, 600: flat}, {0: 3.0, 300: -0.01, 600: 5.0})
    found = detector(torch.zeros(1, 128, 128, 3, dtype=torch.uint8), np.array([0]))
    np.testing.assert_allclose(found.score, [1 / (1 + np.exp(-3.0))])


def test_face_detector__largest_first() -> None:
    small, large = [0.0, 0, 8, 8, *[0] * 12], [0.0, 0, 32, 32, *[0] * 12]
    detector = fake_detector({0: small, 895: large}, {0: 9.0, 895: 1.0})
    found = detector(torch.zeros(2, 128, 128, 3, dtype=torch.uint8), np.array([0, 1]))
    np.testing.assert_array_equal(found.frame, [0, 0, 1, 1])
    np.testing.assert_allclose(found.box[:, 2], [32, 8, 32, 8])


def test_detections__squares_level_the_eyes() -> None:
    keypoints = np.zeros((1, 6, 2))
    keypoints[0, :2] = [[10, 10], [20, 20]]
    squares = Detections(np.array([3]), np.ones(1), np.array([[0.0, 10, 20, 40]]), keypoints).squares(1.5)
    np.testing.assert_array_equal(squares.frame, [3])
    np.testing.assert_allclose(squares.centre, [[10, 30]])
    np.testing.assert_allclose(squares.size, [60])
    np.testing.assert_allclose(squares.rotation, [np.pi / 4])


@pytest.mark.parametrize("variant", [SHORT_RANGE, WIDE_RANGE])
def test_face_detector__one_face(variant, asset: Callable[[str], Path]) -> None:
    frame = picture(asset("single_face.jpg"))
    found = FaceDetector.load(variant)(torch.from_numpy(frame[None].copy()), np.array([0]))
    assert len(found) == 1
    right_eye, left_eye, nose, mouth, right_ear, left_ear = found.keypoints[0]
    assert right_ear[0] < right_eye[0] < nose[0] < left_eye[0] < left_ear[0]
    assert right_eye[1] < nose[1] < mouth[1]
    low, high = found.box[0, :2], found.box[0, :2] + found.box[0, 2:]
    assert (low < found.keypoints[0, :4]).all()
    assert (found.keypoints[0, :4] < high).all()


def test_face_detector__five_small_faces(asset: Callable[[str], Path]) -> None:
    frame = picture(asset("multi_face.jpg"))
    found = FaceDetector.load(WIDE_RANGE)(torch.from_numpy(frame[None].copy()), np.array([0]))
    assert len(found) == 5
    assert (np.diff(found.box[:, 2:].prod(axis=1)) < 0).all()


def test_face_detector__no_frames(asset: Callable[[str], Path]) -> None:
    found = FaceDetector.load(SHORT_RANGE)(torch.zeros(3, 8, 8, 3, dtype=torch.uint8), np.array([], int))
    assert (len(found), found.box.shape, found.keypoints.shape) == (0, (0, 4), (0, 6, 2))
