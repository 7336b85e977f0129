"""Meshes, and pictures with what other networks say of them."""

from __future__ import annotations

import json
import runpy
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation

from facearray import schema


@pytest.fixture
def mirror(asset) -> np.ndarray:
    """Index (478,) of the point that is a point's mirror image."""
    from facearray.models.geometry import canonical_mesh

    vertices = canonical_mesh().vertices
    distance = np.linalg.norm(vertices[:, None] * (-1, 1, 1) - vertices[None], axis=-1)
    assert distance.min(axis=1).max() < 1e-4
    # centre of the right iris, its points at the image's right, top, left and bottom; then of the left iris
    return np.concatenate([distance.argmin(axis=1), [473, 476, 475, 474, 477], [468, 471, 470, 469, 472]])


@pytest.fixture(scope="session")
def face_api_reference(asset) -> Callable[[str], tuple[list[dict[str, Any]], Any]]:
    """Return a function that gives what a network of face-api.js says of pictures, and these as a torch tensor."""
    import torch

    folder = Path(__file__).parents[2] / "reference"
    script = runpy.run_path(str(folder / "face_api_nets.py"))

    def reference(kind: str) -> tuple[list[dict[str, Any]], torch.Tensor]:
        rows = json.loads((folder / f"{kind}_net.json").read_text())
        inputs = script["inputs"](script["SIZES"][kind])
        assert list(inputs) == [row["name"] for row in rows]
        return rows, torch.from_numpy(np.stack(list(inputs.values()))).permute(0, 3, 1, 2).float()

    return reference


@pytest.fixture
def landmarks(asset) -> np.ndarray:
    """The canonical face, 20 pixels a cm, in the middle of a picture of 640 x 360; no irises."""
    from facearray.models.geometry import canonical_mesh

    face = np.full((1, 478, 3), np.nan)
    face[0, :468] = canonical_mesh().vertices * (20, -20, -20) + (320, 180, 0)
    return face


BLENDSHAPES = schema.GROUPS["blendshapes"].features


@pytest.fixture
def make_faces(asset) -> Callable[..., xr.Dataset]:
    """Return a function that makes detections with random meshes around a face at rest, and random blendshapes."""
    from facearray.models.mesh_measures import resting_landmarks

    def make(
        lengths: Sequence[int] = (9, 4, 0),
        *,
        seed: int = 0,
        n_faces: int = 1,
        persons: Sequence[str | None] | None = None,
        missing: float = 0.1,
    ) -> xr.Dataset:
        """One video of each length, with two frames of padding; some faces and some values are missing."""
        rng = np.random.default_rng(seed)
        shape = (len(lengths), max(lengths) + 2, n_faces)
        real = np.arange(shape[1]) < np.array(lengths)[:, None]
        there = real[..., None] & (rng.random(shape) >= missing)
        points = resting_landmarks() + rng.normal(scale=0.25, size=(*shape, 478, 3))
        points = points @ Rotation.from_euler("xyz", [8, -12, 5], degrees=True).as_matrix() * 30 + (320, 180, 0)
        names = ["Yaw", *reversed(BLENDSHAPES), "AU12"]
        values = rng.beta(0.5, 1.2, (*shape, len(names)))
        points[~there], values[~there] = np.nan, np.nan
        values[there & (rng.random(shape) < missing / 2), 3] = np.nan
        number = np.where(real, np.arange(shape[1]) * 2, -1).astype(np.int32)
        coords = {
            "video": [f"{chr(97 + i)}.mp4" for i in range(shape[0])],
            "feature": names,
            "axis": ["x", "y", "z"],
            "frame_number": (("video", "frame"), number),
            "timestamp": (("video", "frame"), np.where(real, number / 25, np.nan)),
            "n_frames": ("video", np.array(lengths, np.int32)),
        }
        per_frame = {"n_faces_found": there.sum(axis=2), "track_id": np.where(there, np.arange(n_faces), -1)}
        for name, variable in schema.COORDS.items():
            if name in per_frame:
                filled = np.where(real if name == "n_faces_found" else there, per_frame[name], variable.fill_value)
                coords[name] = (variable.dims, filled.astype(variable.numpy_dtype))
            elif name not in coords:
                n = {"video": shape[0], "feature": len(names)}[variable.dims[0]]
                coords[name] = (variable.dims, np.full(n, variable.fill_value, variable.numpy_dtype))
        if persons is not None:
            coords["person"] = ("video", np.array(persons, dtype=object))
        dims = ("video", "frame", "face")
        return xr.Dataset(
            {
                "features": ((*dims, "feature"), values.astype(np.float32)),
                "landmarks": ((*dims, "landmark", "axis"), points.astype(np.float32)),
            },
            coords,
            {"detector": "made up"},
        )

    return make
