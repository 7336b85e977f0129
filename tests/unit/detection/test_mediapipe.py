from __future__ import annotations

import time
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
from facearray.detection.mediapipe import MediaPipeDetector, _Networks
from facearray.errors import InputError
from facearray.models.crops import Squares
from facearray.models.face_detection import Detections
from facearray.models.face_finder import MIN_SURE_SCORE


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


def test_detector__same_values_in_any_batch_by_torch(mixed: NDArray[np.uint8], one_by_one: list[Faces]) -> None:
    detector = MediaPipeDetector(device="cpu", runtime="torch")
    frames = mixed[14:20]
    together, alone = detector(frames), [detector(frame[None]) for frame in frames]
    for field in ("n_found", "features", "landmarks"):
        np.testing.assert_array_equal(
            getattr(together, field), np.concatenate([getattr(faces, field) for faces in alone])
        )
    litert = np.concatenate([faces.landmarks for faces in one_by_one[14:20]])
    np.testing.assert_allclose(together.landmarks, litert, rtol=0, atol=0.05)


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


# --- several faces ----------------------------------------------------------------------------------------------------

#: Tips of the noses of the five people, largest face first, read off the picture.
NOSES = np.array([[732, 361], [572, 374], [371, 304], [269, 128], [479, 265]])


@pytest.fixture(scope="module")
def group(asset: Callable[[str], Path]) -> NDArray[np.uint8]:
    """One frame with five people."""
    return np.array(Image.open(asset("multi_face.jpg")).convert("RGB"))[None]


@pytest.fixture(scope="module")
def of_all(asset: Callable[[str], Path]) -> MediaPipeDetector:
    return MediaPipeDetector(device="cpu", embedding=True, max_faces=None)


@pytest.mark.parametrize(("max_faces", "n"), [(5, 5), (3, 3)])
def test_detector__several_faces(
    max_faces: int | None, n: int, of_all: MediaPipeDetector, group: NDArray[np.uint8]
) -> None:
    faces = MediaPipeDetector(device="cpu", embedding=True, max_faces=max_faces)(group)
    np.testing.assert_array_equal(faces.frame, np.zeros(n))
    np.testing.assert_array_equal(faces.n_found, [5])
    np.testing.assert_allclose(faces.landmarks[:, 4, :2], NOSES[:n], atol=6)
    assert faces.embedding.shape == (n, 128)
    area = faces.features[:, 2] * faces.features[:, 3]
    assert (np.diff(area) < 0).all()
    for field in ("features", "landmarks", "embedding"):
        np.testing.assert_array_equal(getattr(faces, field), getattr(of_all(group), field)[:n])


def test_detector__a_face_has_its_values_wherever_another_is(
    of_all: MediaPipeDetector, asset: Callable[[str], Path]
) -> None:
    alone = np.zeros((1, 700, 2400, 3), np.uint8)
    alone[0, 50:562, 50:562] = np.array(Image.open(asset("0-f15-hao-ph.jpg")).convert("RGB"))
    together = alone.copy()
    together[0, 100:612, 1800:2312] = np.array(Image.open(asset("15-f13-anc-ph.jpg")).convert("RGB"))
    one, two = of_all(alone), of_all(together)
    assert (one.n_found.item(), two.n_found.item()) == (1, 2)
    (same,) = np.flatnonzero(two.features[:, 0] < 600)
    # the face detector looks at the whole frame, so boxes move by fractions of a pixel; faces are 300 pixels wide
    assert np.linalg.norm(two.landmarks[same] - one.landmarks[0], axis=1).max() < 0.5
    of_shapes = slice(of_all.features.index("_neutral"), None)
    np.testing.assert_allclose(two.features[same, of_shapes], one.features[0, of_shapes], rtol=0, atol=0.02)
    assert np.linalg.norm(two.embedding[same] - one.embedding[0]) < 0.01


def test_detector__a_sure_face_has_its_values_whether_there_is_room_for_others(
    detector: MediaPipeDetector, of_all: MediaPipeDetector, mixed: NDArray[np.uint8], group: NDArray[np.uint8]
) -> None:
    for frames in (mixed, group, np.ascontiguousarray(group[:, 200:520, 250:830])):
        largest, every = detector(frames), of_all(frames)
        first = np.unique(every.frame, return_index=True)[1]
        np.testing.assert_array_equal(every.frame[first], largest.frame)
        np.testing.assert_array_equal(every.features[first], largest.features)
        np.testing.assert_array_equal(every.landmarks[first], largest.landmarks)


def test_detector__several_faces_have_the_same_values_in_any_batch(
    of_all: MediaPipeDetector, group: NDArray[np.uint8]
) -> None:
    frames = np.concatenate([np.roll(group, 60 * shift, axis=2) for shift in (-1, 0, 1)])
    one_by_one, together = [of_all(frame[None]) for frame in frames], of_all(frames)
    assert sum(len(faces.frame) for faces in one_by_one) == 15
    for field in ("n_found", "features", "landmarks", "embedding"):
        expected = np.concatenate([getattr(faces, field) for faces in one_by_one])
        np.testing.assert_array_equal(getattr(together, field), expected)
    np.testing.assert_array_equal(together.frame, np.repeat(np.arange(3), 5))


def test_detector__embeddings_tell_people_apart(of_all: MediaPipeDetector, asset: Callable[[str], Path]) -> None:
    pictures = [np.array(Image.open(asset(n)).convert("RGB"))[None] for n in ("single_face.jpg", "multi_face.jpg")]
    (first,), others = (of_all(picture).embedding for picture in pictures)
    read = imageio_ffmpeg.read_frames(str(asset("single_face.mp4")), output_params=["-vframes", "1"])
    width, height = next(read)["size"]
    (again,) = of_all(np.frombuffer(next(read), np.uint8).reshape(1, height, width, 3)).embedding
    np.testing.assert_allclose(np.linalg.norm(others, axis=1), 1, atol=1e-6)
    assert np.linalg.norm(first - again) < 0.35
    assert (np.linalg.norm(others - again, axis=1) > 0.45).all()


def test_detector__without_embedding(detector: MediaPipeDetector, mixed: NDArray[np.uint8]) -> None:
    assert (detector.n_components, detector(mixed[:1]).embedding) == (None, None)


def test_detector__no_face_to_embed(of_all: MediaPipeDetector) -> None:
    faces = of_all(np.zeros((2, 30, 40, 3), np.uint8))
    assert (faces.features.shape, faces.landmarks.shape, faces.embedding.shape) == ((0, 92), (0, 478, 3), (0, 128))
    np.testing.assert_array_equal(faces.n_found, [0, 0])


# --- odd input --------------------------------------------------------------------------------------------------------


def test_detector__without_landmarks(detector: MediaPipeDetector, mixed: NDArray[np.uint8]) -> None:
    bare = MediaPipeDetector(device="cpu", landmarks=False)
    faces = bare(mixed[:2])
    assert (bare.n_landmarks, faces.landmarks) == (None, None)
    np.testing.assert_array_equal(faces.features, detector(mixed[:2]).features)


def test_detector__loads_its_networks_once_and_not_to_say_what_it_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(_Networks, "load", lambda *_, **options: calls.append(options) or time.sleep(0.05) or calls)
    described = MediaPipeDetector(device="cpu", embedding=True)
    assert (described.n_components, described.n_landmarks, len(described.features), calls) == (128, 478, 92, [])
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: described.load(), range(8)))
    assert calls == [{"with_identity": True}]


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


def placed(*rows: tuple[int, float, float, float]) -> Detections:
    """Boxes of a frame, a score, a width and a left edge."""
    frame, score, width, left = (np.array(column) for column in zip(*rows, strict=True))
    box = np.column_stack([left, np.full(len(rows), 10.0), width, width])
    keypoints = np.repeat((box[:, :2] + box[:, 2:] / 2)[:, None], 6, axis=1)
    return Detections(frame.astype(int), score.astype(float), box.astype(float), keypoints)


@pytest.fixture
def all_found(monkeypatch: pytest.MonkeyPatch, of_all: MediaPipeDetector) -> Callable[..., list]:
    """Widths of all faces of each frame, given what the networks say about black frames."""

    def find(short: Detections, wide: Detections, *, fake: set[int] = frozenset()) -> list:
        def mesh(frames: torch.Tensor, squares: Squares) -> tuple[NDArray, NDArray]:
            widths = (squares.size / 1.5).round().astype(int)
            points = np.repeat(squares.centre[:, None], 478, axis=1)
            points[:, :2] += widths[:, None, None] / 2 * np.array([[-1], [1]])  # so that it has a size
            landmarks = np.concatenate([points, np.zeros((len(squares), 478, 1))], axis=2)
            return landmarks.astype(np.float32), np.where(np.isin(widths, list(fake)), 0.4, 0.6)

        finder = of_all.networks.finder
        for name, detected in (("short_range", short), ("wide_range", wide)):
            monkeypatch.setattr(finder, name, lambda frames, rows, d=detected: d[np.isin(d.frame, rows)])
        monkeypatch.setattr(finder, "mesh", mesh)
        faces = finder.all(torch.zeros((3, 20, 600, 3), dtype=torch.uint8))
        widths = [[int(w) for w in faces.faces.box[faces.faces.frame == frame, 2]] for frame in range(3)]
        assert faces.n_found.tolist() == [len(row) for row in widths]
        return widths

    return find


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

        monkeypatch.setattr(detector.networks.finder, "short_range", of(short))
        monkeypatch.setattr(detector.networks.finder, "wide_range", of(wide))
        monkeypatch.setattr(detector.networks.finder, "mesh", mesh)
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


def test_detector__all_faces_of_both_detectors_once(all_found: Callable[..., list]) -> None:
    sure, unsure = MIN_SURE_SCORE, MIN_SURE_SCORE - 0.01
    short = placed((0, sure, 40, 10), (0, unsure, 30, 300), (0, unsure, 20, 500), (1, unsure, 40, 10))
    wide = placed((0, 0.9, 44, 8), (0, 0.9, 31, 200), (0, 0.9, 29, 301), (2, 0.9, 16, 10))
    # 44 is the sure 40, and 29 is rather what the unsure 30 is; 31 and 20 are found by one detector only
    assert all_found(short, wide) == [[40, 31, 29, 20], [40], [16]]


def test_detector__none_of_all_faces_that_is_none(all_found: Callable[..., list]) -> None:
    short = placed((0, 0.9, 40, 10), (0, 0.9, 30, 300))
    wide = placed((0, 0.9, 20, 500), (1, 0.9, 25, 10), (1, 0.9, 24, 300))
    assert all_found(short, wide, fake={40, 25}) == [[30, 20], [24], []]


def test_detector__wide_range_has_to_agree_with_the_mesh(found: Callable[..., tuple[list, list]]) -> None:
    both = detections((0, 0.9, 40)), detections((1, 0.9, 22))
    assert found(*both, apart=0.07) == ([40, 22, None], [1, 1, 0])  # 0.07 in x and in y
    assert found(*both, apart=0.08) == ([40, None, None], [1, 0, 0])
