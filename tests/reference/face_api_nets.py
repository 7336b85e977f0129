"""Outputs of face-api.js' networks under their own runtime, for face_expression_net.json and face_recognition_net.json.

Run as ``python tests/reference/face_api_nets.py PACKAGE`` where PACKAGE is the unpacked npm package
``@vladmandic/face-api@1.7.15`` (``npm pack``), with node on the PATH.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from facearray import assets

HERE = Path(__file__).parent

#: Side of each network's input.
SIZES = {"face_expression": 112, "face_recognition": 150}

#: Pictures that every other pixel is taken from, and where the first one is (row, column) if there is room for all.
PHOTOS = {
    "0-f1-su-ph.jpg": (215, 149),
    "0-f15-hao-ph.jpg": (226, 139),
    "15-f13-anc-ph.jpg": (239, 136),
    "45-m7-di-ph.jpg": (245, 71),
    "single_face.jpg": (194, 172),
}


def inputs(size: int) -> dict[str, np.ndarray]:
    """Make the (size, size, 3) uint8 inputs by name: parts of photos without interpolation, and patterns."""
    row, column, channel = np.meshgrid(np.arange(size), np.arange(size), np.arange(3), indexing="ij")
    faces = {name: _part(assets.path(name), size, *start) for name, start in PHOTOS.items()}
    patterns = {
        "black": np.zeros_like(row),
        "white": np.full_like(row, 255),
        "ramp": (2 * row + 60 * channel) % 256,
        "checks": 255 * ((row // 7 + column // 5 + channel) % 2),
        "hash": (row * 7919 + column * 104729 + channel * 1299709 + row * column * 31) % 256,
    }
    return faces | {name: values.astype(np.uint8) for name, values in patterns.items()}


def _part(path: Path, size: int, row: int, column: int) -> np.ndarray:
    picture = np.asarray(Image.open(path).convert("RGB"))
    row, column = min(row, picture.shape[0] - 2 * size), min(column, picture.shape[1] - 2 * size)
    return np.ascontiguousarray(picture[row : row + 2 * size : 2, column : column + 2 * size : 2])


def main(package: str) -> None:
    """Run the networks and write their outputs beside this file."""
    for kind, size in SIZES.items():
        faces = inputs(size)
        with tempfile.TemporaryDirectory() as folder:
            raw = Path(folder) / "inputs.bin"
            raw.write_bytes(b"".join(face.tobytes() for face in faces.values()))
            command = ["node", "--no-warnings", str(HERE / "face_api_nets.mjs"), package, kind, str(raw)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        rows = [{"name": name, **row} for name, row in zip(faces, json.loads(output), strict=True)]
        text = ",\n".join(json.dumps(row) for row in rows)
        (HERE / f"{kind}_net.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
