"""Drawn faces: what is drawn is what was given, in every form that it can be given in."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import holoviews as hv
import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

import facearray as fa
from facearray.errors import InputError, VideoError
from facearray.models.mesh_measures import lay_on_canonical
from facearray.plot import _moving
from facearray.plot._face_surface import BOUNDS, render, view_rotation
from facearray.plot.face import colour_limits, face_values, make_drawing, movement_factor
from facearray.plot.rig.deform import points
from facearray.plot.rig.muscles import MUSCLES
from facearray.plot.rig.table import MOVEMENTS
from facearray.schema import GROUPS

NAMES = list(MOVEMENTS)
SHAPES = GROUPS["blendshapes"].features

pytestmark = pytest.mark.usefixtures("asset")


@pytest.fixture(autouse=True)
def small(monkeypatch):
    """Pictures of few pixels: what they show is the same."""
    # the package has the function under the name of the module
    monkeypatch.setattr(sys.modules["facearray.plot.face"], "HEIGHT", 40)


def _shown(picture: hv.Overlay, group: str = "Muscles") -> pd.DataFrame:
    """Value by action unit, muscle and side, of what is filled or outlined."""
    parts = [element for element in picture.traverse(lambda x: x, [hv.Polygons, hv.Contours]) if element.group == group]
    columns = ("unit", "muscle", "side", "value")
    rows = [{name: part.dimension_values(name, expanded=False) for name in columns} for part in parts]
    return pd.concat([pd.DataFrame(row) for row in rows]) if rows else pd.DataFrame(columns=columns)


def _by_side(picture: hv.Overlay) -> dict[tuple[str, str], float]:
    shown = _shown(picture)
    return dict(zip(zip(shown["unit"], shown["side"], strict=True), shown["value"], strict=True))


# --- what is drawn equals the numbers ---------------------------------------------------------------------------------


def test_face__muscles_have_the_values_that_were_given():
    given = dict(zip(NAMES, np.linspace(0.05, 1.0, 20).round(3), strict=True))
    shown = _by_side(fa.plot.face(given))
    # AU43 and AU28 hide AU05 and AU24, which have the same muscles and less
    hidden = {"AU05", "AU24"}
    assert shown == {(unit, side): given[unit] for unit in NAMES if unit not in hidden for side in ("right", "left")}


def test_face__of_one_side_only_that_side_has_a_muscle():
    assert _by_side(fa.plot.face({"AU12_left": 0.5})) == {("AU12", "left"): 0.5}
    values = face_values({"AU12_left": 0.5}).units
    drawn = make_drawing(face_values({"AU12_left": 0.5}), "2d", 1.0)
    np.testing.assert_array_equal(drawn.movement, np.nan_to_num(values))
    np.testing.assert_array_equal(drawn.points, points(np.nan_to_num(values)))


def test_face__sides_say_more_than_the_whole():
    """`action_units(sides=True)` has both."""
    both = {"AU12": 0.4, "AU12_left": 0.6, "AU12_right": 0.2}
    assert _by_side(fa.plot.face(both)) == {("AU12", "right"): 0.2, ("AU12", "left"): 0.6}


@pytest.mark.parametrize("form", ["mapping", "series", "array", "numbers", "dataset", "dask", "frame"])
def test_face__every_form_gives_the_same(form):
    numbers = np.random.default_rng(0).uniform(size=20)
    series = pd.Series(numbers, NAMES)
    array = xr.DataArray(numbers, {"feature": NAMES}, "feature")
    frame = xr.Dataset(
        {
            "features": (
                ("video", "frame", "face", "feature"),
                np.concatenate([numbers, [100.0, 0.7]])[None, None, None],
            )
        },
        {"feature": [*NAMES, "FaceRectX", "happiness"]},
    )
    given = {
        "mapping": dict(series),
        "series": series,
        "array": array.expand_dims(face=1),
        "numbers": numbers,
        "dataset": array.to_dataset(name="mean"),
        "dask": array.chunk({"feature": 7}),
        "frame": frame,
    }
    found = face_values(given[form])
    np.testing.assert_array_equal(found.units, np.stack([numbers, numbers], axis=1))
    assert not found.signed


def test_face__missing_values_do_not_move_and_have_no_muscle():
    picture = fa.plot.face({"AU12": 0.5, "AU04": np.nan})
    assert {unit for unit, _ in _by_side(picture)} == {"AU12"}


def test_face__blendshapes_move_the_action_unit_that_they_stand_for():
    shapes = dict.fromkeys(SHAPES, 0.0) | {"mouthSmileLeft": 0.8, "browInnerUp": 0.3, "eyeLookDownLeft": 1.0}
    shapes |= {"eyeLookDownRight": 1.0, "eyeLookOutLeft": 0.5, "eyeLookInRight": 0.5}
    for given in (shapes, [shapes[name] for name in SHAPES]):
        found = face_values(given)
        named = dict(zip(NAMES, found.units.tolist(), strict=True))
        assert named["AU12"] == [0.0, 0.8]
        assert named["AU01"] == [0.3, 0.3]
        # down, and to the subject's left, which is the image's right
        np.testing.assert_allclose(found.gaze, [30.0, 15.0])
        # nothing stands for AU11
        assert np.isnan(named["AU11"]).all()


def test_face__blendshapes_without_an_action_unit_are_named():
    with pytest.warns(UserWarning, match=r"cheekPuff 0\.80.*stand for no action unit"):
        face_values({"cheekPuff": 0.8, "mouthSmileLeft": 0.2})


def test_face__landmarks_are_drawn_as_they_are():
    moved = points(np.zeros((20, 2)))
    turn = view_rotation(20, -10)
    pixels = (moved @ turn.T) * (12, -12, -12) + (300, 200, 0)
    drawing = make_drawing(face_values(pixels), "2d", None)
    seen = drawing.points @ drawing.rotation.T
    # up to size and place, it is the face that was given
    expected = pixels * (1, -1, -1)
    ratio = np.linalg.norm(seen[33] - seen[263]) / np.linalg.norm(expected[33] - expected[263])
    np.testing.assert_allclose(seen - seen[0], (expected - expected[0]) * ratio, atol=1e-9)
    labelled = xr.DataArray(pixels[None], dims=("face", "landmark", "axis"))
    np.testing.assert_allclose(face_values(labelled).landmarks, lay_on_canonical(pixels[None])[0][0])
    turned = labelled.assign_coords(axis=["x", "y", "z"]).isel(axis=[2, 0, 1])
    np.testing.assert_array_equal(face_values(turned).landmarks, face_values(labelled).landmarks)


def test_face__gaze_moves_the_irises_only():
    straight, aside = (make_drawing(face_values({}, gaze=gaze), "2d", 1.0).points for gaze in ((0, 0), (0, 20)))
    np.testing.assert_allclose(aside[:468], straight[:468], atol=1e-3)
    assert aside[468, 0] > straight[468, 0] + 0.3
    by_name = {"AU12": 0.0, "gaze_pitch": 5.0, "gaze_yaw": -8.0}
    assert face_values(by_name).gaze.tolist() == [5.0, -8.0]


def test_face__arrows_go_from_one_face_to_the_other():
    picture = fa.plot.face({"AU12": 1}, vectorfield="neutral")
    (arrows,) = (element for element in picture if element.group == "Arrows")
    start, end = (make_drawing(face_values(given), "2d", 1.0).points for given in ({}, {"AU12": 1}))
    which = arrows.dimension_values("point").astype(int)
    assert {61, 291} <= set(which)
    for name, expected in (("x", start[which, 0]), ("y_end", end[which, 1])):
        np.testing.assert_allclose(arrows.dimension_values(name), expected)
    np.testing.assert_allclose(arrows.dimension_values("cm"), np.linalg.norm((end - start)[which, :2], axis=1))


def test_face__the_picture_has_skin_and_eyes_where_the_points_are():
    pixels = render(points(np.zeros((20, 2))), np.eye(3), perspective=False, height=212)
    left, bottom, right, top = BOUNDS

    def colour(x: float, y: float) -> np.ndarray:
        row = int((top - y) / (top - bottom) * pixels.shape[0])
        return pixels[row, int((x - left) / (right - left) * pixels.shape[1])].astype(int)

    assert colour(-8.5, 9.0)[3] == 0
    assert colour(0.0, 6.0)[3] == 255
    pupil, cheek = colour(-3.19, 2.6), colour(-3.0, 0.0)
    assert pupil[:3].max() < 70
    assert cheek[:3].min() > 120
    lips = colour(0.0, -4.8)
    assert lips[0] - lips[1] > cheek[0] - cheek[1] + 20


# --- muscles, colours and headings ------------------------------------------------------------------------------------


def test_face__muscles_are_chosen_by_name():
    given = {"AU12": 1.0, "AU04": 0.5}
    assert _by_side(fa.plot.face(given, muscles=None)) == {}
    assert {unit for unit, _ in _by_side(fa.plot.face(given, muscles={"AU12": "heatmap"}))} == {"AU12"}
    only = fa.plot.face(given, muscles={"procerus": "outline", "AU12": "#009E73"})
    assert set(_shown(only)["muscle"]) == {"procerus", "zygomaticus major"}
    assert [type(element).__name__ for element in only if element.group == "Muscles"].count("Contours") == 1


def test_face__one_colour_bar_says_what_the_colours_mean():
    picture = fa.plot.face(
        {"AU12": 1.0, "AU04": 0.5, "AU26": 1.0}, muscles={"all": "heatmap", "AU04": "outline", "AU26": "red"}
    )
    kinds = [element for element in picture if element.group == "Muscles"]
    assert len(kinds) == 3
    for backend in ("bokeh", "matplotlib"):
        options = [hv.Store.lookup_options(backend, element, "plot").kwargs for element in kinds]
        assert [bool(each.get("colorbar")) for each in options].count(True) == 1
        assert {each["clabel"] for each in options} == {"intensity"}


def test_face__colours_of_intensities_end_at_1_and_of_differences_at_the_largest():
    assert colour_limits(face_values({"AU12": 0.2})) == (0.0, 1.0)
    assert colour_limits(face_values({"AU12": 0.2, "AU04": -0.3})) == (-0.3, 0.3)


def test_face__negative_values_are_coloured_and_do_not_move():
    values = face_values({"AU12": 0.2, "AU04": -0.4})
    drawing = make_drawing(values, "2d", movement_factor(values, None))
    moved = dict(zip(NAMES, drawing.movement.tolist(), strict=True))
    assert moved["AU12"] == [1.0, 1.0]
    assert moved["AU04"] == [0.0, 0.0]
    picture = fa.plot.face({"AU12": 0.2, "AU04": -0.4})
    assert _by_side(picture)["AU04", "left"] == -0.4
    title = hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]
    assert "below 0, coloured only: AU04" in title
    assert "movement times 5" in title


@pytest.mark.parametrize(
    ("largest", "words"),
    [(0.000302, "3,310"), (1e-7, "10,000,000"), (0.3, "3.33"), (400, "0.0025"), (8e4, "0.0000125")],
)
def test_face__the_heading_has_numbers_that_can_be_read(largest, words):
    picture = fa.plot.face({"AU12": largest, "AU04": -largest})
    assert hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"].endswith(f"movement times {words}")


def test_face__feature_range_is_the_linear_map_and_warns_of_signs():
    with pytest.warns(UserWarning, match="negative values into minima"):
        picture = fa.plot.face({"AU12": 3.0, "AU04": -1.0, "AU06": 1.0}, feature_range=(0, 1))
    shown = _by_side(picture)
    assert (shown["AU12", "left"], shown["AU04", "left"], shown["AU06", "left"]) == (1.0, 0.0, 0.5)


def test_muscles__are_there_for_every_action_unit():
    assert {unit for muscle in MUSCLES.values() for unit in muscle.units} == set(NAMES)


# --- results ----------------------------------------------------------------------------------------------------------


def test_face__of_a_regression_is_its_beta():
    beta = xr.DataArray(
        [[[0.5] * 20], [np.linspace(-1, 1, 20)]],
        {"term": ["Intercept", "age"], "feature": NAMES},
        ("term", "face", "feature"),
    )
    result = xr.Dataset({"beta": beta, "se": abs(beta)})
    found = face_values(result)
    np.testing.assert_array_equal(found.units[:, 0], np.linspace(-1, 1, 20))
    assert found.signed
    assert face_values(result, term="Intercept").units[0, 0] == 0.5
    assert face_values(result, variable="se", term="age").units[0, 0] == 1.0
    with pytest.raises(InputError, match="unknown term 'agee' \\(did you mean 'age'"):
        face_values(result, term="agee")


def _decoding(**sets: list[str]) -> SimpleNamespace:
    features = list(dict.fromkeys(name for names in sets.values() for name in names))
    values = np.array(
        [[0.1 * (i + 1) if f in names else np.nan for i, f in enumerate(features)] for names in sets.values()]
    )
    coords = {"feature_set": list(sets), "feature": features}
    pattern = xr.DataArray(values, coords, ("feature_set", "feature"), name="pattern")
    return SimpleNamespace(pattern=pattern, coef=(-pattern).rename("coef"), feature_sets=sets)


def test_face__of_a_decoding_is_its_pattern_and_weights_say_that_they_are_none():
    result = _decoding(AUs=["AU06", "AU12"], Pose=["Yaw"])
    assert _by_side(fa.plot.face(result))["AU12", "right"] == pytest.approx(0.2)
    weights = fa.plot.face(result, what="weights")
    assert _by_side(weights)["AU12", "right"] == pytest.approx(-0.2)
    assert "not a face" in hv.Store.lookup_options("bokeh", weights, "plot").kwargs["title"]
    with pytest.raises(InputError, match="found 2 feature sets with action units"):
        fa.plot.face(_decoding(a=["AU06"], b=["AU06", "Yaw"]))
    with pytest.raises(InputError, match="unknown kind of a decoding's values 'weight'"):
        fa.plot.face(result, what="weight")


# --- bad input --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "options", "message"),
    [
        ({"AU1": 1.0}, {}, r"unknown action unit or blendshape 'AU1' \(did you mean 'AU01'\?\)"),
        ({"AU12": 3.0}, {}, r"found AU12=3; expected intensities from 0 to 1: divide"),
        ({"AU12": np.nan, "AU04": np.nan}, {}, "found no value in AU12, AU04"),
        ({"AU12": np.inf}, {}, "found no value|infinite"),
        ({"AU12": "much"}, {}, "found AU12='much'; expected numbers"),
        ({"AU12": 0.5, "mouthSmileLeft": 0.5}, {}, "found action units and blendshapes; expected either"),
        (np.zeros(19), {}, r"found values of shape \(19,\); expected 20 action units, 52 blendshapes"),
        (np.zeros((468, 3)), {}, r"found landmarks of shape \(468, 3\); expected \(478, 3\)"),
        (np.full((478, 3), np.nan), {}, "found landmarks with 478 missing points"),
        (np.zeros((478, 3)), {}, "all in one place"),
        ("happy", {}, "unknown face 'happy'"),
        ({"AU12": 1}, {"view": "4d"}, "unknown view '4d'; known: 2d, 3d"),
        ({"AU12": 1}, {"view": (120, 0)}, "azimuth and elevation within 80 degrees"),
        ({"AU12": 1}, {"muscles": {"zygomatic major": "heatmap"}}, r"did you mean 'zygomaticus major'"),
        ({"AU12": 1}, {"muscles": "red-ish"}, "found 'red-ish' for muscles; expected 'heatmap' or 'outline'"),
        ({"AU12": 1}, {"exaggerate": 0}, "found exaggerate=0; expected a number above 0"),
        ({"AU12": 1}, {"clim": (1, 0)}, r"found clim=\(1, 0\); expected two numbers, the smaller one first"),
        ({"AU12": 1}, {"clim": (0, np.nan)}, "expected two numbers, the smaller one first"),
        ({"AU12": 1}, {"gaze": (0, 200)}, "expected pitch and yaw in degrees"),
        ({"AU12": 1}, {"term": "age"}, "found term='age' and no result with terms"),
        ({"AU12": 1}, {"variable": "beta"}, "found variable='beta' and no Dataset"),
        ({"AU12": 1}, {"what": "weights"}, "found what='weights' and no result of a decoding"),
        ({"AU12": 1}, {"feature_range": (1, 0)}, "expected two numbers from 0 to 1, the smaller one first"),
        (xr.DataArray(np.zeros((4, 1)), {"feature": ["AU12"]}, ("frame", "feature")), {}, r"found dims frame \(4\)"),
        (xr.DataArray(np.zeros(1), {"feature": ["Yaw"]}, "feature"), {}, "expected action units or blendshapes"),
    ],
)
def test_face__refuses_what_cannot_be_drawn(given, options, message):
    with pytest.raises(InputError, match=message):
        fa.plot.face(given, **options)


# --- both backends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["png", "html", "svg"])
def test_face__is_drawn_by_both_backends(tmp_path, suffix):
    picture = fa.plot.face(
        {"AU12": 0.4, "AU04": -0.3}, vectorfield="neutral", muscles={"all": "heatmap", "AU04": "outline"}
    )
    assert fa.plot.save(picture, tmp_path / f"face.{suffix}").stat().st_size > 1000


# --- several faces ----------------------------------------------------------------------------------------------------


def test_compare_faces__have_one_scale():
    summary = xr.DataArray(
        [[0.1, -0.4], [0.3, 0.2]], {"condition": ["good", "bad"], "feature": ["AU12", "AU04"]}, ("condition", "feature")
    )
    layout = fa.plot.compare_faces(summary)
    assert len(layout) == 2
    limits = set()
    for picture in layout:
        (muscles,) = (element for element in picture if element.group == "Muscles")
        limits.add(hv.Store.lookup_options("bokeh", muscles, "plot").kwargs["clim"])
    assert limits == {(-0.4, 0.4)}
    titles = [hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"] for picture in layout]
    assert [title.splitlines()[0] for title in titles] == ["good", "bad"]
    assert all("movement times 3.33" in title for title in titles)


def test_compare_faces__names_the_face_that_is_wrong():
    with pytest.raises(InputError, match=r"face 'b': unknown action unit or blendshape 'AU99'"):
        fa.plot.compare_faces({"a": {"AU12": 1}, "b": {"AU99": 1}})
    with pytest.raises(InputError, match="found 0 faces"):
        fa.plot.compare_faces([])


# --- faces that move --------------------------------------------------------------------------------------------------


def test_animate_face__values_are_linear_in_time():
    faces = fa.plot.animate_face({"AU12": 0.2}, {"AU12": 1.0, "AU06": 0.4}, fps=2, duration=1, padding=0.5)
    found = [_by_side(picture) for picture in faces]
    smile, cheek = ([values[unit, "left"] for values in found] for unit in ("AU12", "AU06"))
    np.testing.assert_allclose(smile, [0.2, 0.2, 0.6, 1.0, 1.0, 1.0, 0.6, 0.2][: len(smile)])
    np.testing.assert_allclose(cheek, [0.0, 0.0, 0.2, 0.4, 0.4, 0.4, 0.2, 0.0][: len(cheek)])
    assert list(faces.keys()) == [i / 2 for i in range(len(faces))]


def test_animate_face__of_one_action_unit():
    faces = fa.plot.animate_face(AU="AU43", fps=2, duration=0.5, padding=0, include_reverse=False)
    assert [_by_side(picture)["AU43", "right"] for picture in faces] == [0.0, 1.0]


def test_animate_face__a_gif_lasts_as_long_as_the_animation(tmp_path):
    faces = fa.plot.animate_face(
        "neutral", {"AU26": 1}, fps=3, duration=1 / 3, padding=2 / 3, save=tmp_path / "x.gif", muscles=None
    )
    durations = []
    with Image.open(tmp_path / "x.gif") as picture:
        for i in range(picture.n_frames):
            picture.seek(i)
            durations.append(picture.info["duration"])
    # frames that are alike may be one that lasts longer
    assert sum(durations) == pytest.approx(1000 * len(faces) / 3, abs=10)


def test_save_moving__frames_have_room_for_headings_and_scales():
    values = dict.fromkeys(("AU01", "AU02", "AU04", "AU05", "AU09", "AU15", "AU17", "AU24", "AU26", "AU43"), -0.5)
    faces = fa.plot.animate_face("neutral", values, fps=2, duration=0.5, padding=0, include_reverse=False)
    first, last = _moving._frames(list(faces))
    assert first.shape == last.shape
    for side in (last[0], last[:3].reshape(-1, 3), last[:, 0], last[:, -1]):
        assert len(np.unique(side, axis=0)) == 1


def test_save_moving__files_have_all_frames(tmp_path, monkeypatch):
    frames = [np.full((40, 32, 3), value, np.uint8) for value in (0, 120, 250)]
    monkeypatch.setattr(_moving, "_frames", lambda _: frames)
    order = [0, 0, 1, 2, 1]
    _moving.save_moving([None] * 3, order, 12.5, tmp_path / "x.mp4")
    n, seconds = imageio_ffmpeg.count_frames_and_secs(str(tmp_path / "x.mp4"))
    assert n == 5
    assert seconds == pytest.approx(0.4, abs=0.02)
    decoded = imageio_ffmpeg.read_frames(str(tmp_path / "x.mp4"))
    assert next(decoded)["size"] == (32, 40)
    brightness = [np.frombuffer(frame, np.uint8).mean() for frame in decoded]
    np.testing.assert_allclose(brightness, [0, 0, 120, 250, 120], atol=6)
    _moving.save_moving([None] * 3, order, 12.5, tmp_path / "x.html")
    page = (tmp_path / "x.html").read_text()
    assert page.count("data:image/png;base64,") == 3
    assert "order = [0, 0, 1, 2, 1], fps = 12.5" in page
    assert 'max="4"' in page
    assert not list(tmp_path.glob(".*"))


def test_animate_face__says_that_ffmpeg_has_no_encoder(tmp_path, monkeypatch):
    monkeypatch.setattr(_moving, "_ENCODER", "libx999")
    monkeypatch.setattr(_moving.check_encoder, "__defaults__", ("libx999",))
    with pytest.raises(VideoError, match=r"found no encoder libx999 in this ffmpeg.*write \.gif or \.html"):
        fa.plot.animate_face(AU="AU12", fps=2, duration=0.5, padding=0, save=tmp_path / "x.mp4")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("neutral",), {}, "found no end; expected a face to change into"),
        (("neutral", {"AU12": 1}), {"save": "x.avi"}, r"found the suffix '.avi'; expected one of .gif, .mp4, .html"),
        (("neutral", {"AU12": 1}), {"fps": 0, "duration": -1}, "found fps=0, duration=-1"),
        (("neutral", {"AU12": 1}), {"fps": 1000, "duration": 60}, "expected at most 600"),
        (("neutral", {"AU12": 1}), {"AU": "AU12"}, "found AU='AU12' and dict as end; expected a number"),
    ],
)
def test_animate_face__refuses_what_cannot_be_drawn(arguments, options, message):
    with pytest.raises(InputError, match=message):
        fa.plot.animate_face(*arguments, **options)
