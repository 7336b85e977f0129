"""Meshes."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def mirror(asset) -> np.ndarray:
    """Index (478,) of the point that is a point's mirror image."""
    from facearray.models.geometry import canonical_mesh

    vertices = canonical_mesh().vertices
    distance = np.linalg.norm(vertices[:, None] * (-1, 1, 1) - vertices[None], axis=-1)
    assert distance.min(axis=1).max() < 1e-4
    # centre of the right iris, its points at the image's right, top, left and bottom; then of the left iris
    return np.concatenate([distance.argmin(axis=1), [473, 476, 475, 474, 477], [468, 471, 470, 469, 472]])
