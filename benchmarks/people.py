"""Cost of several faces and of embeddings: the detector alone, in one thread, on frames with 1, 2 and 5 faces.

Frames are a group picture in which some people are covered. All variants take turns, so that what else runs on the
machine meets all of them. The last line is one JSON object: milliseconds of processor time a frame, medians over the
rounds.

    python -m benchmarks.people [--rounds 5] [--frames 16]
"""

from __future__ import annotations

import argparse
import json
import statistics
import time

import numpy as np
import torch
from PIL import Image

from facearray import assets
from facearray.detection.mediapipe import MediaPipeDetector

QUICK = "--rounds 1 --frames 2"
FIGURES = {
    "ms_per_frame.1_faces.max_faces_1": "",
    "ms_per_frame.5_faces.max_faces_5": "",
    "ms_per_frame.5_faces.max_faces_5_embedding": "",
}

#: Left, top, right and bottom edge of what hides all but the first people, the largest face first.
COVERS = [(510, 300, 660, 660), (290, 230, 430, 660), (190, 50, 300, 660), (420, 200, 510, 660)]


def frames_with(n_faces: int, n_frames: int) -> np.ndarray:
    """Make frames (n_frame, height, width, 3) in which the first people are seen."""
    picture = np.array(Image.open(assets.path("multi_face.jpg")).convert("RGB"))
    for left, top, right, bottom in COVERS[n_faces - 1 :]:
        picture[top:bottom, left:right] = 128
    return np.stack([np.roll(picture, shift % 4, axis=1) for shift in range(n_frames)])


def main() -> None:
    """Run the rounds and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=16)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    detectors = {
        "max_faces_1": MediaPipeDetector(device="cpu", max_faces=1),
        "max_faces_5": MediaPipeDetector(device="cpu", max_faces=5),
        "max_faces_5_embedding": MediaPipeDetector(device="cpu", max_faces=5, embedding=True),
    }
    frames = {n: frames_with(n, arguments.frames) for n in (1, 2, 5)}
    spent: dict[tuple[int, str], list[float]] = {(n, name): [] for n in frames for name in detectors}
    found = {n: int(detectors["max_faces_5"](some[:1]).n_found[0]) for n, some in frames.items()}
    for _ in range(arguments.rounds):
        for n, name in spent:
            started = time.process_time()
            detectors[name](frames[n])
            spent[n, name].append(1000 * (time.process_time() - started) / arguments.frames)
    result = {
        f"{found[n]}_faces": {name: round(statistics.median(spent[n, name]), 1) for name in detectors} for n in frames
    }
    print(json.dumps({"ms_per_frame": result, "rounds": arguments.rounds}))


if __name__ == "__main__":
    main()
