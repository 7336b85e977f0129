"""Speed of detection, decode to store, side by side with MediaPipe's FaceLandmarker.

Both take the same video through every frame, alternating, in this process: `facearray.detect` writes boxes, 478
landmarks, head pose, action units, emotions and blendshapes to a Zarr store; FaceLandmarker (video mode, blendshapes
and pose on) decodes with the same ffmpeg and keeps nothing. Networks are loaded before the clock starts on both
sides. The last line is one JSON object: frames a second by the clock and milliseconds of processor time a frame (the
decoder's included), medians over the rounds. Every round also has a pass with identities, and one by torch alone
where LiteRT is what is taken by default. `--hd` adds passes over the video enlarged to 1080 lines. `peak_mb` is of a
process of its own that detects with identities, since the networks of both sides and of both runtimes are in this one.

    python -m benchmarks.detect [--rounds 3] [--loops 1] [--video FILE] [--hd]
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import imageio_ffmpeg
import mediapipe as mp
import numpy as np

import facearray as fa
from benchmarks.memory import measure_alone
from facearray import assets
from facearray.detection.detector import Detector
from facearray.detection.detectors import load_detector
from facearray.detection.parallel import available_cpus

QUICK = "--rounds 1"
FIGURES = {"ratio": ">= 1", "with_identity_fps": ">= 50", "peak_mb": "<= 1500"}

#: Passes through facearray, and the options of their detectors.
DETECTORS = {
    "facearray": {},
    "with_identity": {"embedding": True, "max_faces": None},
    "torch": {"runtime": "torch"},
}


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


def processor_seconds() -> float:
    """Of this process and the decoders that have ended."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


@contextmanager
def measured() -> Iterator[Callable[[int], tuple[float, float]]]:
    """Measure the block; what is given turns a number of frames into frames a second and processor milliseconds."""
    spent: list[float] = []
    wall, own = time.perf_counter(), processor_seconds()
    yield lambda n: (n / spent[0], 1000 * spent[1] / n)
    spent += [time.perf_counter() - wall, processor_seconds() - own]


def mediapipe_pass(video: Path) -> tuple[float, float]:
    """Frames a second, and milliseconds of processor time a frame, of one pass through FaceLandmarker in video mode."""
    vision = mp.tasks.vision
    options = vision.FaceLandmarkerOptions(
        base_options=mp.tasks.BaseOptions(model_asset_path=str(assets.path("face_landmarker.task"))),
        running_mode=vision.RunningMode.VIDEO,
        output_face_blendshapes=True,
        output_facial_transformation_matrixes=True,
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker, measured() as spent:
        n = 0
        for frame, seconds in frames_of(video):
            landmarker.detect_for_video(mp.Image(mp.ImageFormat.SRGB, frame), round(1000 * seconds) + n)
            n += 1
    return spent(n)


def facearray_pass(video: Path, detector: Detector, folder: Path, *, embedding: bool = False) -> tuple[float, float]:
    """Frames a second, and milliseconds of processor time a frame, of one pass through facearray, store included."""
    with measured() as spent:
        options = {"embedding": embedding, "overwrite": True, "progress": False}
        ds = fa.detect(video, folder / "study.zarr", detector=detector, **options)
    return spent(int(ds.n_frames.sum()))


def main() -> None:
    """Run the rounds and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loops", type=int, default=1, help="play the video this many times in one pass")
    parser.add_argument("--video", type=Path, default=None, help="by default the 472-frame sample, 640x360, one face")
    parser.add_argument("--hd", action="store_true")
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        video = arguments.video or fa.datasets.sample_video("wolfgang")
        if arguments.loops > 1:
            looped = folder / f"looped{video.suffix}"
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-stream_loop", str(arguments.loops - 1)]
            subprocess.run([*command, "-i", str(video), "-c", "copy", str(looped)], check=True)
            video = looped
        made = {name: load_detector("mediapipe", **options) for name, options in DETECTORS.items()}
        if made["facearray"].version == made["torch"].version:
            del made["torch"]
        for detector in made.values():
            detector(np.zeros((16, 64, 64, 3), np.uint8))
        videos = {"": video}
        if arguments.hd:
            videos["_1080p"] = folder / "large.mp4"
            command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(video), "-vf", "scale=-2:1080"]
            subprocess.run([*command, "-c:v", "libx264", "-preset", "veryfast", str(videos["_1080p"])], check=True)
        passes: dict[str, list[tuple[float, float]]] = {}
        for number in range(arguments.rounds):
            for suffix, file in videos.items():
                for name, detector in made.items():
                    found = facearray_pass(file, detector, folder, embedding=name == "with_identity")
                    passes.setdefault(name + suffix, []).append(found)
                passes.setdefault("mediapipe" + suffix, []).append(mediapipe_pass(file))
            shown = ", ".join(f"{name} {found[-1][0]:.1f}" for name, found in passes.items())
            print(f"round {number + 1}, frames/s: {shown}", flush=True)
        runs = [measure_alone(file, folder / f"memory{suffix}.zarr", embedding=True) for suffix, file in videos.items()]
        peaks = [found["peak_mb"] for found in runs]
    rates, costs = ({k: statistics.median(p[i] for p in found) for k, found in passes.items()} for i in (0, 1))
    result = {f"{name}_fps": round(rate, 2) for name, rate in rates.items()}
    result |= {f"{name}_cpu_ms": round(cost, 2) for name, cost in costs.items()}
    result |= {
        "ratio": round(rates["facearray"] / rates["mediapipe"], 3),
        "detector": made["facearray"].version,
        "rounds": arguments.rounds,
        "peak_mb": round(max(peaks)),
        "cpus": available_cpus(),
        "device": made["facearray"].device,
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
