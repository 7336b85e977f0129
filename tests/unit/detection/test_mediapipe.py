from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from facearray.detection.detector import Faces
from facearray.detection.mediapipe import MIN_SURE_SCORE, MediaPipeDetector
from facearray.errors import InputError
from facearray.models.crops import Squares
from facearray.models.face_detection import Detections


@pytest.fixture(scope="module")
def detector(asset: Callable[[str], Path]) -> Iterator[MediaPipeDetector]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield MediaPipeDetector(device="cpu")
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def mixed(asset: Callable[[str], Path]) -> NDArray[np.uint8]:
    """Frames with a face, with none and with lettering that looks a little like one."""
    frames = imageio_ffmpeg.read_frames(str(asset("face_noface.mov")), output_params=["-fps_mode", "passthrough"])
    width, height = next(frames)["size"]
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in frames])[::5]


@pytest.fixture(scope="module")
def one_by_one(detector: MediaPipeDetector, mixed: NDArray[np.uint8]) -> list[Faces]:
    return [detector(frame[None]) for frame in mixed]


def test_detector__batch(detector: MediaPipeDetector, one_by_one: list[Faces]) -> None:
    found = [len(faces.frame) for faces in one_by_one]
    assert 10 < sum(found) < 24
    face = one_by_one[0]
    assert face.features.shape == (1, len(detector.features))
    assert face.features.dtype == face.landmarks.dtype == np.float32
    assert face.landmarks.shape == (1, 478, 3)
    assert (face.n_found.dtype, face.embedding) == (np.int16, None)


@pytest.mark.parametrize("size", [7, 16, 34])
def test_detector__same_values_in_any_batch(
    size: int, detector: MediaPipeDetector, mixed: NDArray[np.uint8], one_by_one: list[Faces]
) -> None:
    batches = [(start, detector(mixed[start : start + size])) for start in range(0, len(mixed), size)]
    for field in ("n_found", "features", "landmarks"):
        together = np.concatenate([getattr(faces, field) for _, faces in batches])
        np.testing.assert_array_equal(together, np.concatenate([getattr(faces, field) for faces in one_by_one]))
    frames = np.concatenate([start + faces.frame for start, faces in batches])
    np.testing.assert_array_equal(frames, np.repeat(np.arange(len(mixed)), [len(f.frame) for f in one_by_one]))


def test_detector__same_values_in_threads(detector: MediaPipeDetector, mixed: NDArray[np.uint8]) -> None:
    with ThreadPoolExecutor(3) as pool:
        first, *others = pool.map(detector, [mixed[:12]] * 3)
    for faces in others:
        np.testing.assert_array_equal(faces.features, first.features)
        np.testing.assert_array_equal(faces.landmarks, first.landmarks)


def test_detector__measures(detector: MediaPipeDetector, asset: Callable[[str], Path]) -> None:
    frame = np.array(Image.open(asset("0-f15-hao-ph.jpg")).convert("RGB"))
    faces = detector(frame[None])
    values = dict(zip(detector.features, faces.features[0].tolist(), strict=True))
    assert len(values) == 5 + 6 + 20 + 7 + 2 + 52
    assert values["happiness"] > 0.9
    assert values["AU12"] > 0.5
    assert values["mouthSmileLeft"] > 0.5
    assert values["FaceScore"] > 0.8
    assert abs(values["Yaw"]) < 15
    assert sum(values[n] for n in ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")) == (
        pytest.approx(1, abs=1e-5)
    )
    low = np.array([values["FaceRectX"], values["FaceRectY"]])
    high = low + np.array([values["FaceRectWidth"], values["FaceRectHeight"]])
    centre = faces.landmarks[0, :, :2].mean(axis=0)
    assert (low < centre).all()
    assert (centre < high).all()


def test_detector__largest_of_five(detector: MediaPipeDetector, asset: Callable[[str], Path]) -> None:
    frame = np.array(Image.open(asset("multi_face.jpg")).convert("RGB"))
    faces = detector(frame[None])
    np.testing.assert_array_equal(faces.frame, [0])
    np.testing.assert_array_equal(faces.n_found, [5])
    # the woman at the right: the tip of her nose, read off the picture
    np.testing.assert_allclose(faces.landmarks[0, 4, :2], [735, 362], atol=8)


def test_detector__without_landmarks(detector: MediaPipeDetector, mixed: NDArray[np.uint8]) -> None:
    bare = MediaPipeDetector(device="cpu", landmarks=False)
    faces = bare(mixed[:2])
    assert (bare.n_landmarks, faces.landmarks) == (None, None)
    np.testing.assert_array_equal(faces.features, detector(mixed[:2]).features)


def test_detector__leaves_the_frames_alone(detector: MediaPipeDetector, mixed: NDArray[np.uint8]) -> None:
    frames = mixed[:3].copy()
    frames.setflags(write=False)
    expected = detector(mixed[:3])
    np.testing.assert_array_equal(detector(frames).features, expected.features)
    np.testing.assert_array_equal(frames, mixed[:3])
    mirrored = mixed[:3, :, ::-1]
    assert not mirrored.flags["C_CONTIGUOUS"]
    assert len(detector(mirrored).frame) == 3


@pytest.mark.parametrize("shape", [(1, 1), (2, 1), (1, 2), (3, 400), (400, 3), (64, 64)])
def test_detector__odd_frames(shape: tuple[int, int], detector: MediaPipeDetector) -> None:
    for value in (0, 130, 255):
        faces = detector(np.full((2, *shape, 3), value, np.uint8))
        assert (faces.features.shape, faces.landmarks.shape) == ((0, 92), (0, 478, 3))
        np.testing.assert_array_equal(faces.n_found, [0, 0])


def test_detector__very_large_frame(detector: MediaPipeDetector, asset: Callable[[str], Path]) -> None:
    face = Image.open(asset("0-f15-hao-ph.jpg")).convert("RGB").resize((2000, 2000))
    frame = np.zeros((1, 4320, 7680, 3), np.uint8)
    frame[0, 1500:3500, 3000:5000] = np.array(face)
    faces = detector(frame)
    np.testing.assert_array_equal(faces.n_found, [1])
    assert (abs(faces.landmarks[0, :, :2].mean(axis=0) - [4000, 2500]) < 400).all()


def test_detector__no_frames(detector: MediaPipeDetector) -> None:
    faces = detector(np.empty((0, 40, 60, 3), np.uint8))
    assert (faces.frame.shape, faces.n_found.shape) == ((0,), (0,))
    assert (faces.features.shape, faces.landmarks.shape) == ((0, 92), (0, 478, 3))


@pytest.mark.parametrize(
    "frames", [np.zeros((2, 8, 8, 3)), np.zeros((8, 8, 3), np.uint8), np.zeros((1, 8, 8, 4), np.uint8)]
)
def test_detector__other_frames(frames: NDArray, detector: MediaPipeDetector) -> None:
    with pytest.raises(InputError, match=r"expected uint8 frames of shape \(n, height, width, 3\)"):
        detector(frames)


def test_detector__assets(detector: MediaPipeDetector) -> None:
    assert set(detector.assets) >= {"face_landmarker.task", "face_detection_back.tflite", "face_expression_model.bin"}
    assert all(len(digest) == 64 for digest in detector.assets.values())


def detections(*rows: tuple[int, float, float]) -> Detections:
    """Boxes of a frame, a score and a width, largest first; all of them are in one place."""
    n = len(rows)
    frame, score, width = (np.array(column) for column in zip(*rows, strict=True)) if rows else np.zeros((3, 0))
    box = np.column_stack([50 - width / 2, 50 - width / 2, width, width])
    return Detections(frame.astype(int), score.astype(float), box.astype(float), np.full((n, 6, 2), 50.0))


@pytest.fixture
def found(monkeypatch: pytest.MonkeyPatch, detector: MediaPipeDetector) -> Callable[..., tuple[list, list]]:
    """Width of the face of each frame, and number of faces, given what the networks say about black frames."""

    def find(short: Detections, wide: Detections, *, fake: set[int] = frozenset(), apart: float = 0.0):
        """``fake`` are the widths of boxes without a face, ``apart`` how far meshes are from the keypoints."""

        def mesh(frames: torch.Tensor, squares: Squares) -> tuple[NDArray, NDArray]:
            widths = (squares.size / 1.5).round().astype(int)
            points = np.repeat((squares.centre + apart * squares.size[:, None])[:, None], 478, axis=1)
            landmarks = np.concatenate([points, np.zeros((len(squares), 478, 1))], axis=2)
            return landmarks.astype(np.float32), np.where(np.isin(widths, list(fake)), 0.4, 0.6)

        def of(detected: Detections) -> Callable[[torch.Tensor, NDArray], Detections]:
            return lambda frames, rows: detected[np.isin(detected.frame, rows)]

        monkeypatch.setattr(detector, "_short_range", of(short))
        monkeypatch.setattr(detector, "_wide_range", of(wide))
        monkeypatch.setattr(detector, "_mesh", mesh)
        faces = detector(np.zeros((3, 100, 100, 3), np.uint8))
        widths = [None] * 3
        for frame, width in zip(faces.frame, faces.features[:, 2], strict=True):
            widths[frame] = int(width)
        return widths, faces.n_found.tolist()

    return find


def test_detector__next_where_the_largest_is_no_face(found: Callable[..., tuple[list, list]]) -> None:
    short = detections((0, 0.9, 40), (0, 0.9, 30), (0, 0.9, 20), (1, 0.9, 40), (2, 0.9, 30), (2, 0.9, 10))
    assert found(short, detections(), fake={40, 30}) == ([20, None, 10], [1, 0, 1])


def test_detector__wide_range_only_where_short_range_has_no_sure_face(found: Callable[..., tuple[list, list]]) -> None:
    sure, unsure = MIN_SURE_SCORE, MIN_SURE_SCORE - 0.01
    short = detections((0, sure, 40), (1, unsure, 40))
    wide = detections((0, 0.9, 21), (1, 0.9, 22), (1, 0.9, 20), (2, 0.9, 23))
    assert found(short, wide) == ([40, 22, 23], [1, 2, 1])


def test_detector__unsure_face_stands_where_wide_range_has_none(found: Callable[..., tuple[list, list]]) -> None:
    short = detections((0, 0.6, 40), (0, 0.6, 30), (1, 0.6, 41))
    assert found(short, detections((0, 0.9, 21)), fake={21, 41}) == ([40, None, None], [2, 0, 0])


def test_detector__wide_range_has_to_agree_with_the_mesh(found: Callable[..., tuple[list, list]]) -> None:
    both = detections((0, 0.9, 40)), detections((1, 0.9, 22))
    assert found(*both, apart=0.07) == ([40, 22, None], [1, 1, 0])  # 0.07 in x and in y
    assert found(*both, apart=0.08) == ([40, None, None], [1, 0, 0])
