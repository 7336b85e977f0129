"""Speed of detection, decode to store, side by side with MediaPipe's FaceLandmarker.

Both take the same video through every frame, alternating, in this process: `facearray.detect` writes boxes, 478
landmarks, head pose, action units, emotions and blendshapes to a Zarr store; FaceLandmarker (video mode, blendshapes
and pose on) decodes with the same ffmpeg and keeps nothing. Networks are loaded before the clock starts on both
sides. The last line is one JSON object; rates are medians over the rounds.

    python -m benchmarks.detect [--rounds 3] [--loops 1] [--video FILE]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import imageio_ffmpeg
import mediapipe as mp
import numpy as np

import facearray as fa
from facearray import assets
from facearray.detection.detector import Detector
from facearray.detection.detectors import load_detector
from facearray.detection.parallel import available_cpus


def frames_of(video: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Frames and times of a video, decoded as plainly as ffmpeg can."""
    meta = next(imageio_ffmpeg.read_frames(str(video)))
    width, height = meta["size"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video)]
    command += ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=10**7) as process:
        index = 0
        while len(raw := process.stdout.read(width * height * 3)) == width * height * 3:
            yield np.frombuffer(raw, np.uint8).reshape(height, width, 3), index / meta["fps"]
            index += 1


def mediapipe_seconds(video: Path) -> tuple[float, int]:
    """Wall seconds and frames of one pass through FaceLandmarker in video mode."""
    vision = mp.tasks.vision
    options = vision.FaceLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=str(assets.path("face_landmarker.task"))),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:
        started, n = time.perf_counter(), 0
        for frame, seconds in frames_of(video):
            landmarker.detect_for_video(mp.Image(mp.ImageFormat.SRGB, frame), round(1000 * seconds) + n)
            n += 1
        return time.perf_counter() - started, n


def facearray_seconds(video: Path, detector: Detector, folder: Path) -> tuple[float, int]:
    """Wall seconds and frames of one pass through facearray, store included."""
    started = time.perf_counter()
    ds = fa.detect(video, folder / "study.zarr", detector=detector, overwrite=True, progress=False)
    return time.perf_counter() - started, int(ds.n_frames.sum())


def main() -> None:
    """Run the rounds and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loops", type=int, default=1, help="play the video this many times in one pass")
    parser.add_argument("--video", type=Path, default=None, help="by default the 472-frame sample, 640x360, one face")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = arguments.video or fa.datasets.sample_video("wolfgang")
        if arguments.loops > 1:
            looped = folder / f"looped{video.suffix}"
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", str(arguments.loops - 1)]
            subprocess.run([*command, "-i", str(video), "-c", "copy", str(looped)], check=True)
            video = looped
        detector = load_detector("mediapipe", device="auto", landmarks=True, embedding=False)
        detector(np.zeros((16, 64, 64, 3), np.uint8))
        ours, theirs, n_frames = [], [], 0
        for number in range(arguments.rounds):
            seconds, n_frames = facearray_seconds(video, detector, folder)
            ours.append(n_frames / seconds)
            seconds, n_theirs = mediapipe_seconds(video)
            theirs.append(n_theirs / seconds)
            print(f"round {number + 1}: facearray {ours[-1]:.1f} frames/s, mediapipe {theirs[-1]:.1f} frames/s")
    result = {
        "facearray_fps": round(statistics.median(ours), 2),
        "mediapipe_fps": round(statistics.median(theirs), 2),
        "ratio": round(statistics.median(ours) / statistics.median(theirs), 3),
        "rounds": arguments.rounds,
        "frames": n_frames,
        "cpus": available_cpus(),
        "device": detector.device,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
