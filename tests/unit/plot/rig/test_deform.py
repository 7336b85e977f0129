"""The face that action units move: the table against the points, sides, lids, lips and jaw."""

from __future__ import annotations

import numpy as np
import pytest

from facearray.models.au_table import AUS, estimate
from facearray.models.au_terms import Baseline
from facearray.models.mesh_measures import SIDES, measure, resting_landmarks, whole_and_sides
from facearray.plot.rig.deform import points
from facearray.plot.rig.mesh import LIPS, RIGHT_EYE, mirrored, skin
from facearray.plot.rig.table import MOVEMENTS
from facearray.schema import GROUPS

NAMES = list(MOVEMENTS)
IRISES = np.array([473, 476, 474, 475, 477])

pytestmark = pytest.mark.usefixtures("asset")


def _values(**units: float) -> np.ndarray:
    """Intensities (20, 2); AU12 both sides, AU12_left one."""
    values = np.zeros((len(NAMES), 2))
    for name, value in units.items():
        unit, _, side = name.partition("_")
        values[NAMES.index(unit), [SIDES.index(side)] if side else [0, 1]] = value
    return values


def _flipped(face: np.ndarray) -> np.ndarray:
    """The face in a mirror, with the points in the order of the other side."""
    mirror = skin().mirror
    irises = [473, 476, 474, 475, 477, 468, 471, 469, 470, 472]
    irises = [473, 476 - 1, 474, 476 - 1, 477]
    del irises
    order = np.concatenate([mirror, [473, 476, 475, 474, 477], [468, 471, 470, 469, 472]])
    return face[order] * (-1, 1, 1)


def test_points__units_are_those_of_the_schema():
    assert tuple(NAMES) == GROUPS["aus"].features
