"""Parity with MediaPipe's own FaceLandmarker on the same model file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import imageio_ffmpeg
import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from facearray.detection.mediapipe import MediaPipeDetector
from facearray.models.face_detection import SHORT_RANGE, FaceDetector
from facearray.models.geometry import head_pose
from facearray.models.landmarks import SQUARE_SCALE, FaceMesh


class Reference(NamedTuple):
    """What MediaPipe says about a face."""

    landmarks: NDArray[np.float64]
    blendshapes: NDArray[np.float64]
    pose: NDArray[np.float64]


@pytest.fixture(scope="module")
def reference(mediapipe_landmarker: Callable[..., Any]) -> Iterator[Callable[[NDArray[np.uint8]], Reference | None]]:
    """MediaPipe on single frames: its image mode."""
    import mediapipe

    with mediapipe_landmarker(output_face_blendshapes=True, output_facial_transformation_matrixes=True) as landmarker:

        def detect(frame: NDArray[np.uint8]) -> Reference | None:
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(frame))
            result = landmarker.detect(image)
            if not result.face_landmarks:
                return None
            size = np.array([frame.shape[1], frame.shape[0], frame.shape[1]])
            return Reference(
                landmarks=np.array([(p.x, p.y, p.z) for p in result.face_landmarks[0]]) * size,
                blendshapes=np.array([shape.score for shape in result.face_blendshapes[0]]),
                pose=result.facial_transformation_matrixes[0],
            )

        yield detect


@pytest.fixture(scope="module")
def detector(asset: Callable[[str], Path]) -> Iterator[MediaPipeDetector]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield MediaPipeDetector(device="cpu")
    torch.set_num_threads(before)


def frames_of(video: Path, every: int) -> NDArray[np.uint8]:
    frames = imageio_ffmpeg.read_frames(str(video), output_params=["-fps_mode", "passthrough"])
    width, height = next(frames)["size"]
    kept = (frame for number, frame in enumerate(frames) if number % every == 0)
    return np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in kept])


def rotation(pose: NDArray[np.float64]) -> NDArray[np.float64]:
    return pose[:3, :3] / np.cbrt(np.linalg.det(pose[:3, :3]))


def angle_between(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Degrees of the rotation from one pose to the other."""
    cosine = (np.trace(rotation(a).T @ rotation(b)) - 1) / 2
    return float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))


def test_faces__landmarks_blendshapes_and_pose(asset, reference, detector) -> None:
    frames = frames_of(asset("WolfgangLanger_Pexels.mp4"), every=4)
    assert len(frames) == 118
    expected = [reference(frame) for frame in frames]
    faces = detector(frames)
    np.testing.assert_array_equal(faces.frame, np.arange(118))
    assert None not in expected

    difference = faces.landmarks - np.stack([face.landmarks for face in expected])
    apart = np.linalg.norm(difference[:, :, :2], axis=2)
    assert apart.mean() < 0.05
    assert np.percentile(apart, 99) < 0.2
    assert np.percentile(np.abs(difference[:, :, 2]), 99) < 0.2

    first = detector.features.index("_neutral")
    off = np.abs(faces.features[:, first : first + 52] - np.stack([face.blendshapes for face in expected]))
    assert np.percentile(off, 99) < 0.01
    assert off.max() < 0.05

    poses = head_pose(faces.landmarks, frames.shape[2], frames.shape[1])
    assert max(angle_between(pose, face.pose) for pose, face in zip(poses, expected, strict=True)) < 0.2
    np.testing.assert_allclose(poses[:, :3, 3], [face.pose[:3, 3] for face in expected], atol=0.1)


@pytest.mark.parametrize("edge", ["left", "right", "top", "bottom"])
def test_faces__cut_by_the_edge_of_the_frame(edge: str, asset, reference) -> None:
    frames = frames_of(asset("WolfgangLanger_Pexels.mp4"), every=59)
    part = {"left": np.s_[:, :, 380:], "right": np.s_[:, :, :500], "top": np.s_[:, 170:], "bottom": np.s_[:, :290]}
    frames = np.ascontiguousarray(frames[part[edge]])
    pictures = torch.from_numpy(frames)
    # MediaPipe has no other detector than this one, which is not sure of all of these.
    faces = FaceDetector.load(SHORT_RANGE)(pictures, np.arange(len(frames)))
    landmarks, _ = FaceMesh.load()(pictures, faces.squares(SQUARE_SCALE))
    apart = [
        np.linalg.norm(found[:, :2] - face.landmarks[:, :2], axis=1).mean()
        for found, frame in zip(landmarks, faces.frame, strict=True)
        if (face := reference(frames[frame])) is not None
    ]
    assert len(apart) >= 4
    assert np.mean(apart) < 0.3  # with zeros beyond the edge it is 1.3 to 3.6


@pytest.mark.parametrize("video", ["face_noface.mov", "noface_face.mov"])
def test_presence__agrees(video: str, asset, reference, detector) -> None:
    frames = frames_of(asset(video), every=1)
    assert len(frames) == 169
    expected = np.array([reference(frame) is not None for frame in frames])
    found = np.isin(np.arange(len(frames)), detector(frames).frame)
    assert 40 < expected.sum() < 130
    assert (found == expected).mean() >= 0.97


def test_presence__none_without_a_face(asset, detector) -> None:
    frames = frames_of(asset("no_face.mp4"), every=1)
    assert len(frames) == 95
    faces = detector(frames)
    assert len(faces.frame) == 0
    np.testing.assert_array_equal(faces.n_found, 0)
