"""Where each millisecond of a frame goes, from decoding to the store.

One video through `facearray.detect`, with a clock of its thread's processor time around each stage, so that what else
runs on the machine counts little; decoding is what the decoder's process used. The last line is one JSON object, in
milliseconds a frame.

    python -m benchmarks.stages [--video FILE] [--rounds 3] [--embedding] [--max-faces 1]
"""

from __future__ import annotations

import argparse
import functools
import json
import resource
import statistics
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np

import facearray as fa
from facearray.detection import inference, mediapipe
from facearray.detection.detectors import load_detector
from facearray.detection.row import RowWriter
from facearray.models import au_table, blendshapes, crops, face_detection, gaze, geometry, landmarks

QUICK = "--rounds 1"
FIGURES = {"all": "", "landmarks": ""}

#: Stage, and what it is spent in. What is called within another stage does not count there.
STAGES: tuple[tuple[str, Any, str], ...] = (
    ("transfer", inference, "next"),
    ("letterbox", face_detection, "letterbox"),
    ("face detectors", face_detection.FaceDetector, "__call__"),
    ("crops", crops, "crop"),
    ("crops", landmarks, "crop"),
    ("landmarks", landmarks.FaceMesh, "__call__"),
    ("blendshapes", blendshapes.BlendshapeNet, "__call__"),
    ("action units", au_table, "estimate"),
    ("pose and gaze", geometry, "head_pose"),
    ("pose and gaze", gaze, "eye_directions"),
    ("expressions", mediapipe.MediaPipeDetector, "_expressions"),
    ("identity", mediapipe.MediaPipeDetector, "_embedding"),
    ("other inference", mediapipe.MediaPipeDetector, "__call__"),
    ("write", RowWriter, "write"),
    ("write", RowWriter, "__exit__"),
)


class Clock:
    """Adds up processor seconds of stages, in every thread for itself."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = defaultdict(float)
        self._inner = threading.local()
        self._lock = threading.Lock()

    def around(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            outer = getattr(self._inner, "seconds", 0.0)
            self._inner.seconds = 0.0
            started = time.thread_time()
            try:
                return function(*args, **kwargs)
            finally:
                spent = time.thread_time() - started
                with self._lock:
                    self.seconds[stage] += spent - self._inner.seconds
                self._inner.seconds = outer + spent

        return timed


@contextmanager
def clocked(clock: Clock) -> Iterator[None]:
    with ExitStack() as patches:
        for stage, owner, name in STAGES:
            if hasattr(owner, name):
                patches.enter_context(patch.object(owner, name, clock.around(stage, getattr(owner, name))))
        yield


def profile(video: Path, detector: Any, folder: Path, options: dict[str, Any]) -> dict[str, float]:
    """Milliseconds a frame by stage, of one pass."""
    clock = Clock()
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    wall, own = time.perf_counter(), time.process_time()
    with clocked(clock):
        ds = fa.detect(video, folder / "s.zarr", detector=detector, overwrite=True, progress=False, **options)
    wall, own = time.perf_counter() - wall, time.process_time() - own
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    decode = now.ru_utime + now.ru_stime - children.ru_utime - children.ru_stime
    n = int(ds.n_frames.sum())
    spent = {"decode": decode, **clock.seconds, "transfer, plan and the rest": own - sum(clock.seconds.values())}
    return {name: 1000 * seconds / n for name, seconds in {**spent, "all": own + decode, "by the clock": wall}.items()}


def main() -> None:
    """Run the rounds and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--video", type=Path, default=None, help="by default the 472-frame sample, 640x360, one face")
    parser.add_argument("--embedding", action="store_true")
    parser.add_argument("--max-faces", type=int, default=1)
    arguments = parser.parse_args()
    video = arguments.video or fa.datasets.sample_video("wolfgang")
    options = {"embedding": arguments.embedding, "max_faces": arguments.max_faces}
    many = arguments.embedding or arguments.max_faces > 1
    detector = load_detector("mediapipe", embedding=arguments.embedding, max_faces=None if many else 1)
    detector(np.zeros((16, 64, 64, 3), np.uint8))
    with tempfile.TemporaryDirectory() as folder:
        rounds = [profile(video, detector, Path(folder), options) for _ in range(arguments.rounds)]
    stages = {name: statistics.median(one.get(name, 0.0) for one in rounds) for one in rounds for name in one}
    for name, milliseconds in stages.items():
        print(f"{name:28} {milliseconds:6.2f}")
    print(json.dumps({name: round(milliseconds, 3) for name, milliseconds in stages.items()}))


if __name__ == "__main__":
    main()
