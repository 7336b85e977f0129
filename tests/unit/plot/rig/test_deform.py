"""The face that action units move: the table against the points, sides, lids, lips, jaw, and the way back."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import facearray as fa
from facearray.models.au_table import AUS
from facearray.models.mesh_measures import SIDES
from facearray.plot.rig.deform import EYEBALL, eye_centres, points
from facearray.plot.rig.mesh import LIPS, RIGHT_EYE, mirrored, skin
from facearray.plot.rig.table import JAW, MOVEMENTS
from facearray.schema import GROUPS

NAMES = list(MOVEMENTS)
GOOD = [name for name in NAMES if AUS[name].trust == "good"]
LID_EDGES = {*RIGHT_EYE.opening, *RIGHT_EYE.upper_fold, *RIGHT_EYE.lower_fold}

pytestmark = pytest.mark.usefixtures("asset")


def _values(**units: float) -> np.ndarray:
    """Intensities (20, 2); AU12 both sides, AU12_left one."""
    values = np.zeros((len(NAMES), 2))
    for name, value in units.items():
        unit, _, side = name.partition("_")
        values[NAMES.index(unit), [SIDES.index(side)] if side else [0, 1]] = value
    return values


def _in_mirror(face: np.ndarray) -> np.ndarray:
    """A face in a mirror, with its points in the order of landmarks."""
    # of an iris: centre, the image's right, top, left, bottom
    order = np.concatenate([skin().mirror, [473, 476, 475, 474, 477, 468, 471, 470, 469, 472]])
    return face[order] * (-1.0, 1.0, 1.0)


@pytest.fixture(scope="module")
def rest() -> np.ndarray:
    return points(_values())


@pytest.fixture(scope="module")
def alone() -> np.ndarray:
    """(20, 478, 3): every action unit alone at 1."""
    return points(np.stack([_values(**{name: 1.0}) for name in NAMES]))


def test_points__are_in_the_order_of_the_schema():
    assert tuple(NAMES) == GROUPS["aus"].features


@pytest.mark.parametrize("name", NAMES)
def test_points__go_where_the_table_says(name, rest, alone):
    movement, moved = MOVEMENTS[name], alone[NAMES.index(name)] - rest
    named = [vertex for pull in movement.pulls for vertex in pull.vertices]
    assert len(named) == len(set(named)), "a vertex is pulled twice"
    assert not set(named) & set(movement.held)
    # lids turn, lips that touch stop each other, and what hangs on the jaw goes with it
    free = [
        (vertex, (-pull.out, pull.up, pull.forward))
        for pull in movement.pulls
        for vertex in pull.vertices
        if movement.jaw == 0 and vertex not in LID_EDGES and vertex not in LIPS.opening
    ]
    for vertex, expected in free:
        on_midline = skin().mirror[vertex] == vertex
        np.testing.assert_allclose(moved[vertex], (0.0, *expected[1:]) if on_midline else expected, atol=1e-9)
        np.testing.assert_allclose(moved[skin().mirror[vertex]], moved[vertex] * (-1, 1, 1), atol=1e-9)
    assert free or movement.jaw or movement.upper_lid


@pytest.mark.parametrize("name", NAMES)
def test_points__sides_mirror_each_other_and_make_up_the_whole(name, rest, alone):
    right, left = points(np.stack([_values(**{f"{name}_{side}": 1.0}) for side in SIDES]))
    np.testing.assert_allclose(_in_mirror(right), left, atol=1e-12)
    np.testing.assert_allclose(_in_mirror(alone[NAMES.index(name)]), alone[NAMES.index(name)], atol=1e-9)
    movement = MOVEMENTS[name]
    if movement.jaw == 0:
        # only soft movements and lids, which each have their own side
        soft = [vertex for vertex in range(468) if vertex not in LIPS.opening]
        both = right + left - rest
        np.testing.assert_allclose(both[soft], alone[NAMES.index(name)][soft], atol=1e-9)
        far = skin().vertices[:, 0] > 1.0
        np.testing.assert_array_equal(right[:468][far], rest[:468][far])


def test_points__half_the_intensity_is_half_the_way(rest, alone):
    half = points(_values(AU12=0.5))
    soft = [vertex for vertex in range(468) if vertex not in LIPS.opening]
    np.testing.assert_allclose((half - rest)[soft], (alone[NAMES.index("AU12")] - rest)[soft] / 2, atol=1e-9)


def test_points__at_rest_the_lips_touch_and_the_eyes_are_open(rest):
    upper, lower = (rest[list(row)] for row in (LIPS.inner_upper, LIPS.inner_lower))
    assert np.abs(upper[:, 1] - lower[:, 1]).max() < 0.03
    assert 0.7 < rest[159, 1] - rest[145, 1] < 1.0


def test_points__closed_lids_meet(alone):
    shut = alone[NAMES.index("AU43")]
    for rows in ((RIGHT_EYE.upper, RIGHT_EYE.lower), (mirrored(RIGHT_EYE.upper), mirrored(RIGHT_EYE.lower))):
        upper, lower = (shut[list(row)] for row in rows)
        np.testing.assert_allclose(upper[:, 1:], lower[:, 1:], atol=1e-9)


def test_points__lids_never_go_through_each_other_nor_do_lips():
    faces = points(np.random.default_rng(0).uniform(size=(50, len(NAMES), 2)))
    gap = faces[:, list(LIPS.inner_upper), 1] - faces[:, list(LIPS.inner_lower), 1]
    assert gap.min() > -1e-9
    assert (faces[:, list(RIGHT_EYE.upper), 1] - faces[:, list(RIGHT_EYE.lower), 1]).min() > -1e-9


def test_points__the_jaw_is_rigid_and_the_skull_stays(rest, alone):
    dropped = alone[NAMES.index("AU26")]
    bone = list(JAW[1.0])
    before, after = (np.linalg.norm(face[bone, None] - face[None, bone], axis=-1) for face in (rest, dropped))
    np.testing.assert_allclose(after, before, atol=1e-9)
    np.testing.assert_allclose(dropped[list(JAW[0.0])], rest[list(JAW[0.0])], atol=1e-12)
    assert rest[152, 1] - dropped[152, 1] > 1.2
    assert rest[17, 1] - dropped[17, 1] > 1.5


@pytest.mark.parametrize(("pitch", "yaw"), [(0, 0), (20, 0), (0, -25), (-15, 10)])
def test_points__eyes_look_where_the_gaze_says(pitch, yaw):
    face = points(_values(), (pitch, yaw))
    for side, centre in enumerate(eye_centres()):
        way = face[468 + 5 * side] - centre
        np.testing.assert_allclose(np.linalg.norm(way), EYEBALL)
        assert np.degrees(np.arctan2(way[0], way[2])) == pytest.approx(yaw, abs=1e-9)
        assert np.degrees(np.arcsin(-way[1] / EYEBALL)) == pytest.approx(pitch, abs=1e-9)
    # of the right eye the image's right edge is nearer to the nose
    assert face[469, 0] > face[471, 0]
    assert face[470, 1] > face[472, 1]


def test_points__upper_lids_follow_the_gaze():
    up, down = points(_values(), (-20, 0)), points(_values(), (20, 0))
    assert up[159, 1] > down[159, 1] + 0.3


@pytest.fixture(scope="module")
def found(rest, alone) -> np.ndarray:
    """(20, 20): what is estimated from every action unit alone, with the face at rest as baseline."""
    from facearray.models.blendshapes import BlendshapeNet

    landmarks = (np.concatenate([rest[None], alone]) * (30.0, -30.0, -30.0) + (400.0, 400.0, 0.0)).astype("f4")
    dims, text = ("video", "frame", "face"), np.dtypes.StringDType()
    shapes = BlendshapeNet.load()(landmarks)
    ds = xr.Dataset(
        {
            "features": ((*dims, "feature"), shapes[None, :, None]),
            "landmarks": ((*dims, "landmark", "axis"), landmarks[None, :, None]),
        },
        {
            "video": np.array(["drawn"], text),
            "feature": np.array(GROUPS["blendshapes"].features, text),
            "frame_number": (dims[:2], np.arange(len(landmarks), dtype="i4")[None]),
        },
    )
    units = fa.models.action_units(ds, ds.isel(frame=[0]))
    return units["features"].isel(video=0, face=0, frame=slice(1, None)).to_numpy()


@pytest.mark.parametrize("name", GOOD)
def test_estimate__finds_what_was_drawn(name, found):
    row = found[NAMES.index(name)]
    assert NAMES[int(row.argmax())] == name
    assert row.max() >= 0.5


def test_estimate__finds_most_others_too(found):
    """Those that the table calls fair or poor, by the blendshape network and the table together."""
    order = np.argsort(-found, axis=1)
    first = sum(NAMES[row[0]] == name for name, row in zip(NAMES, order, strict=True))
    among_three = sum(name in {NAMES[i] for i in row[:3]} for name, row in zip(NAMES, order, strict=True))
    assert first >= 15
    assert among_three >= 19


def test_skin__distances_are_the_shortest_ways_along_edges():
    """Against scipy's, on the graph of the edges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import shortest_path

    mesh = skin()
    start, end = mesh.edges.T
    length = np.linalg.norm(mesh.vertices[start] - mesh.vertices[end], axis=1)
    expected = shortest_path(coo_array((length, (start, end)), shape=(468, 468)).tocsr(), method="D")
    np.testing.assert_allclose(mesh.distance, expected, atol=1e-9)
