"""Parts of rendered videos on arrays: which lines, which regions, which places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facearray.plot.overlay.canvas import Canvas
from facearray.plot.overlay.clock import Clock
from facearray.plot.overlay.face import gaze_on_screen, head_axes
from facearray.plot.overlay.hiding import DRIFT, GROW, Hiding, Sightings, blur, blur_all
from facearray.plot.overlay.mesh import joints, mesh_contours
from facearray.plot.overlay.panel import Bars, place_panels


def sightings(seen: list[list[int]], *, step: int = 1, fps: float = 10.0, lost=None) -> Sightings:
    """Faces of 10 pixels, at 100 in each direction for the first slot, at 200 for the second."""
    there = np.array(seen, bool)
    n, n_faces = there.shape
    edges = np.empty((n, n_faces, 4))
    for face in range(n_faces):
        edges[:, face] = np.array([100, 100, 110, 110]) * (face + 1) - [0, 0, 10 * face, 10 * face]
    edges[~there] = np.nan
    number = step * np.arange(n)
    return Sightings(number, number / fps, edges, np.zeros(n, bool) if lost is None else np.array(lost, bool))


def test_hiding__a_face_that_was_found_is_grown():
    hidden = Hiding(sightings([[1], [1]]), hold=1)(0)
    margin = 10 * GROW
    np.testing.assert_allclose(hidden.regions, [[100 - margin, 100 - margin, 110 + margin, 110 + margin]])
    assert (hidden.whole, hidden.unsure) == (False, False)


def test_hiding__a_gap_is_covered_more_the_longer_ago_it_is():
    hiding = Hiding(sightings([[1], [0], [0], [0], [1]]), hold=1)
    widths = [np.diff(hiding(i).regions[0, [0, 2]])[0] for i in range(5)]
    np.testing.assert_allclose(widths, 10 * (1 + 2 * (GROW + DRIFT * np.array([0, 0.1, 0.2, 0.1, 0]))))


def test_hiding__between_two_places_both_are_covered():
    found = sightings([[1], [0], [1]])
    found.edges[2, 0] += 50
    region = Hiding(found, hold=0.2)(1).regions[0]
    assert region[0] < 100
    assert region[2] > 160


def test_hiding__a_face_that_comes_back_after_the_hold_hides_the_frame():
    found = sightings([[1, 1], *[[1, 0]] * 9, [1, 1]])
    whole = [Hiding(found, hold=0.25)(i).whole for i in range(11)]
    assert whole == [False] * 3 + [True] * 5 + [False] * 3
    kept = Hiding(found, hold=0.25, keep_unsure=True)(5)
    assert (kept.whole, kept.unsure, len(kept.regions)) == (False, True, 1)


def test_hiding__a_face_that_does_not_come_back_is_gone_while_others_are_there():
    found = sightings([[1, 1], *[[1, 0]] * 9])
    hiding = Hiding(found, hold=0.25)
    assert [len(hiding(i).regions) for i in range(10)] == [2, 2, 2] + [1] * 7
    assert not any(hiding(i).whole for i in range(10))
    assert hiding.most_faces == 2


def test_hiding__no_face_for_long_hides_the_frame():
    found = sightings([[0]] * 5 + [[1]] + [[0]] * 5)
    assert [Hiding(found, hold=0.2)(i).whole for i in range(11)] == [True] * 3 + [False] * 5 + [True] * 3


def test_hiding__frames_between_those_that_were_looked_at():
    found = sightings([[1], [1], [0]], step=5, lost=[0, 0, 1])
    hiding = Hiding(found, hold=1)
    assert [hiding(i).whole for i in range(12)] == [False] * 6 + [True] * 6
    assert hiding(2).regions[0, 0] == pytest.approx(100 - 10 * (GROW + DRIFT * 0.2))


def test_hiding__no_frame_was_looked_at():
    assert Hiding(sightings([[1]]), hold=1)(500).whole
    empty = Sightings(np.empty(0, int), np.empty(0), np.empty((0, 1, 4)), np.empty(0, bool))
    assert Hiding(empty, hold=1)(3).whole


@settings(max_examples=60)
@given(
    st.lists(st.lists(st.booleans(), min_size=2, max_size=2), min_size=1, max_size=20),
    st.integers(1, 4),
    st.floats(0, 1.5),
)
def test_hiding__no_frame_near_a_sighting_leaks_it(seen, step, hold):
    found = sightings(seen, step=step)
    hiding = Hiding(found, hold=hold)
    for number in range(step * len(seen) + 2):
        hidden = hiding(number)
        if hidden.whole:
            continue
        assert len(hidden.regions)
        for i, face in np.argwhere(found.seen()):
            # the last one before, or the next one after, in reach of the hold, has to be covered
            between = found.seen()[min(i, number // step + 1) : max(i, -(-number // step) - 1) + 1, face]
            is_next_to_it = between.sum() <= 1
            if is_next_to_it and abs(number - found.number[i]) / 10 <= hold:
                x0, y0, x1, y1 = found.edges[i, face]
                left, top, right, bottom = hidden.regions.T
                assert ((left <= x0) & (top <= y0) & (right >= x1) & (bottom >= y1)).any()


@settings(max_examples=40)
@given(st.lists(st.integers(0, 50), min_size=1, max_size=30))
def test_clock__times_increase_and_are_those_of_the_source_as_long_as_they_do(ticks):
    clock = Clock(0.01)
    times = [clock(tick / 10) for tick in ticks]
    assert (np.diff(times) > 0).all()
    n = next((i for i in range(1, len(ticks)) if ticks[i] <= ticks[i - 1]), len(ticks))
    np.testing.assert_array_equal(times[:n], np.array(ticks[:n]) / 10)


def test_blur__patches_have_the_mean_of_what_was_there():
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
    before = pixels.copy()
    blur(pixels, np.array([20.0, 10.0, 60.0, 50.0]), 20.0)
    part = np.s_[10:50, 20:60]
    assert np.abs(np.diff(pixels[part].astype(int), axis=1)).max() < 8
    assert pixels[part].mean() == pytest.approx(before[part].mean(), abs=2)
    pixels[part] = before[part]
    np.testing.assert_array_equal(pixels, before)


@pytest.mark.parametrize("region", [(-50, -50, -1, -1), (90, 0, 200, 10), (10, 10, 10, 30), (-1e9, 5, 1e9, 6)])
def test_blur__regions_beyond_the_frame(region):
    pixels = np.random.default_rng(0).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    before = pixels.copy()
    blur(pixels, np.array(region, float), 5.0)
    rows = np.flatnonzero((pixels != before).any(axis=(1, 2)))
    assert rows.tolist() == ([5] if region[2] == 1e9 else [])


def test_blur_all__leaves_no_detail():
    pixels = np.random.default_rng(0).integers(0, 256, (60, 81, 3), dtype=np.uint8)
    blur_all(pixels)
    assert np.abs(np.diff(pixels.astype(int), axis=1)).max() < 30


def test_joints__contours_are_edges_of_the_mesh(asset):
    asset("face_landmarker.task")
    mesh = joints(478)
    edges = {tuple(edge) for edge in mesh.net.tolist()}
    assert len(edges) == len(mesh.net) == 1365
    for loop in mesh_contours():
        for pair in zip(loop, loop[1:] + loop[:1], strict=True):
            assert tuple(sorted(pair)) in edges
    # once around the face, through the top of the forehead and the chin
    outline = mesh.contours[:36]
    assert np.unique(outline, return_counts=True)[1].tolist() == [2] * 36
    assert {10, 152} <= set(outline.ravel().tolist())


def test_joints__other_numbers_of_points_have_none():
    assert joints(5) is None
    assert len(joints(68).contours) == 16 + 4 + 4 + 3 + 4 + 6 + 6 + 12 + 8


@pytest.mark.parametrize(
    ("angles", "axis", "where"),
    [
        # positive: nose down; counter-clockwise in the image; nose to the image's right
        ((30, 0, 0), 2, (0, 0.5)),
        ((0, 30, 0), 0, (np.cos(np.pi / 6), -0.5)),
        ((0, 0, 30), 2, (0.5, 0)),
    ],
)
def test_head_axes__signs(angles, axis, where):
    np.testing.assert_allclose(head_axes(np.radians(angles))[axis, :2], where, atol=1e-12)


def test_head_axes__are_those_of_the_pose():
    from facearray.models.geometry import pose_features

    angles = np.radians([20.0, -35.0, 50.0])
    pose = np.eye(4)
    pose[:3, :3] = (head_axes(angles) * (1, -1, 1)).T
    np.testing.assert_allclose(pose_features(pose[None])[0, :3], np.degrees(angles), atol=1e-9)


def test_gaze_on_screen__is_what_the_features_mean():
    x, y, z = np.array([0.3, -0.2, 0.9]) / np.linalg.norm([0.3, -0.2, 0.9])  # to the right, down, towards the camera
    angles = np.array([np.arctan2(0.2, 0.9), np.arctan2(0.3, 0.9)])  # y is up in the definition
    np.testing.assert_allclose(gaze_on_screen(angles), [x, -y], atol=1e-12)
    assert z > 0


def test_lines__are_where_they_should_be_and_no_wider():
    canvas = Canvas(np.zeros((20, 30, 3), np.uint8))
    canvas.lines(np.array([[[5.0, 10.5], [25.0, 10.5]], [[np.nan, 0], [1, 1]]]), (200, 100, 50), width=1)
    lit = canvas.pixels[..., 0] > 20
    assert set(np.flatnonzero(lit.any(axis=1))) <= {9, 10, 11}
    assert lit[10, 6:24].all()
    assert not lit[:, :4].any()
    assert not lit[:, 27:].any()


def test_panels__of_several_faces_stand_beside_one_another():
    groups = [["AU01", "AU12"], ["happiness"]]
    faces = [(f"face {i}", (255, 0, 0)) for i in range(3)]
    panels = place_panels((1280, 720), groups, faces, [900.0, 100.0, np.nan])
    edges = [(panel.left, panel.left + panel.bars.width) for panel in panels]
    width = panels[0].bars.width
    assert edges == [(width, 2 * width), (0, width), (1280 - width, 1280)]
    # four rows, a half between the groups
    assert panels[0].bars.height == pytest.approx(4.5 * panels[0].bars.row, abs=2 * panels[0].bars.row)


def test_panels__only_of_the_faces_that_there_is_room_for():
    faces = [(f"face {i}", (255, 0, 0)) for i in range(9)]
    panels = place_panels((640, 480), [["AU01"]], faces, [np.nan] * 9)
    assert 1 < len(panels) < 9
    assert place_panels((640, 20), [[f"AU{i}" for i in range(20)]], faces, [0.0] * 9) == []


@pytest.mark.parametrize(("value", "share"), [(0, 0), (0.25, 0.25), (1, 1), (3, 1), (-2, 0), (np.nan, 0), (np.inf, 1)])
def test_bars__length(value, share):
    bars = Bars.fit(720, [["AU12"]], titled=False)
    assert bars.length(value) == round(share * (bars.end - bars.begin))
