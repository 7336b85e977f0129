from __future__ import annotations

from pathlib import Path

import dask
import numpy as np
import pandas as pd
import pytest
import xarray as xr

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.models import au_baselines
from facearray.models.au_table import AUS, estimate, estimate_parts
from facearray.models.au_terms import Baseline
from facearray.models.mesh_measures import measure, resting_landmarks, whole_and_sides

# who is seen in too few of a test's frames is no matter here
few_frames = pytest.mark.filterwarnings("ignore:found no baseline of their own")

AU_NAMES = fa.schema.GROUPS["aus"].features
SHAPES = fa.schema.GROUPS["blendshapes"].features
SHARED = Path(__file__).parents[4] / "shared" / "data"


def rows(ds: xr.Dataset, video: int | None = None, face: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Blendshapes and landmarks of the faces that have both, one after the other."""
    part = ds.isel(face=face) if video is None else ds.isel(video=[video], face=face)
    shapes = part["features"].sel(feature=list(SHAPES)).values.reshape(-1, 52)
    points = part["landmarks"].values.reshape(-1, 478, 3)
    there = np.isfinite(shapes).all(axis=1) & np.isfinite(points).all(axis=(1, 2))
    return shapes[there], points[there]


def there(ds: xr.Dataset) -> np.ndarray:
    return (
        np.isfinite(ds["landmarks"]).all(["landmark", "axis"]).values
        & np.isfinite(ds["features"].sel(feature=list(SHAPES))).all("feature").values
    )


def quantile_baseline(shapes: np.ndarray, points: np.ndarray) -> Baseline:
    """The published definition, with pandas."""
    measures = whole_and_sides(measure(points))
    table = pd.DataFrame(measures.reshape(len(points), -1))
    effort = pd.DataFrame(shapes, columns=list(SHAPES)).drop(columns="_neutral")
    effort = effort.drop(columns=[name for name in effort if name.startswith("eyeLook")]).sum(axis=1)
    quiet = table[(effort <= effort.quantile(0.1)).to_numpy()].median()
    ends = [table.quantile(q).to_numpy() for q in (0.1, 0.9)]
    low, neutral, high = (np.reshape(v, measures.shape[1:]) for v in (ends[0], quiet.to_numpy(), ends[1]))
    return Baseline(low, neutral, high, pd.DataFrame(shapes).quantile(0.1).to_numpy())


# --- the canonical baseline -------------------------------------------------------------------------------------------


def test_action_units__are_those_of_every_face(make_faces):
    ds = make_faces(n_faces=2)
    found = fa.models.action_units(ds)
    is_there = there(ds)
    assert 10 < is_there.sum() < 26
    values = found["features"].values
    assert values.dtype == np.float32
    assert np.isnan(values[~is_there]).all()
    shapes = ds["features"].sel(feature=list(SHAPES)).values[is_there]
    np.testing.assert_allclose(values[is_there], estimate(shapes, ds["landmarks"].values[is_there]), atol=1e-6)
    xr.testing.assert_identical(ds.fex.action_units(), found)


def test_action_units__dataset_follows_the_schema(make_faces):
    ds = make_faces().assign_coords(condition=("video", ["x", "y", "x"]))
    found = ds.fex.action_units()
    assert dict(found.sizes) == {"video": 3, "frame": 11, "face": 1, "feature": 20}
    assert found["feature"].values.tolist() == list(AU_NAMES)
    fa.schema.validate(
        found, variables=["features", "frame_number", "video", "feature", "group", "unit", "description"]
    )
    for name in ("condition", "frame_number", "timestamp", "n_frames"):
        xr.testing.assert_identical(found[name].variable, ds[name].variable)
    assert found.attrs["detector"] == "made up"
    assert (found.attrs["au_baseline"], found.attrs["au_baseline_fallback"]) == ("canonical", [])
    assert set(found["au_baseline"].values.ravel()) == {"canonical"}
    for name, text in zip(found["feature"].values, found["description"].values, strict=True):
        unit = AUS[name]
        assert unit.definition in text
        assert f"trust: {unit.trust}" in text
        assert all(item in text for item in unit.inputs)
    assert found.fex.aus.name == "aus"
    assert found.fex.summarize("mean", by="condition")["mean"].sizes["condition"] == 2


def test_action_units__resting_face_shows_none_and_its_rig_pose_shows(make_faces):
    ds = make_faces([2], missing=0)
    ds["features"][:] = 0
    ds["landmarks"][:] = 40 * resting_landmarks()
    np.testing.assert_allclose(ds.fex.action_units()["features"][:, :2], 0, atol=1e-5)
    ds["features"].loc[{"feature": ["mouthSmileLeft", "mouthSmileRight"]}] = 1
    assert ds.fex.action_units()["features"].sel(feature="AU12")[0, 0, 0] >= 0.5


def _forbidden(*args, **kwargs):
    raise AssertionError("computed")


@pytest.mark.parametrize("baseline", ["canonical", "person"])
@pytest.mark.parametrize(
    "chunks",
    [
        {"video": 1, "frame": 3},
        {"video": -1, "frame": 5, "face": 1, "feature": 7},
        {"video": 2, "landmark": 100, "axis": 1, "frame": -1},
    ],
)
@few_frames
def test_action_units__chunks_change_nothing(make_faces, monkeypatch, baseline, chunks):
    monkeypatch.setattr(au_baselines, "MIN_FRAMES", 3)
    ds = make_faces((9, 4, 0), persons=["p", "q", "p"])
    expected = ds.fex.action_units(baseline, sides=True, asymmetry=True)
    found = ds.chunk(chunks).fex.action_units(baseline, sides=True, asymmetry=True)
    assert found["features"].chunks is not None
    np.testing.assert_allclose(found["features"].values, expected["features"].values, atol=1e-6)
    xr.testing.assert_identical(found.drop_vars("features").compute(), expected.drop_vars("features"))


def test_action_units__lazy_until_asked_for(make_faces):
    with dask.config.set(scheduler=_forbidden):
        found = make_faces().chunk({"video": 1}).fex.action_units()
        with pytest.raises(AssertionError, match="computed"):
            found.compute()


@pytest.mark.parametrize("call", [fa.models.action_units, lambda ds, *args: ds.fex.action_units(*args)])
def test_action_units__warn_at_the_line_of_the_user(make_faces, call):
    with pytest.warns(UserWarning, match="no baseline of their own") as caught:
        call(make_faces(persons=["p", "q", "p"]), "person")
    assert [warning.filename for warning in caught] == [__file__]


@few_frames
def test_action_units__from_a_store_and_back(make_faces, tmp_path, monkeypatch):
    monkeypatch.setattr(au_baselines, "MIN_FRAMES", 3)
    ds = make_faces(persons=["p", "q", "p"])
    fa.save(ds, tmp_path / "s.zarr")
    for baseline in ("canonical", "person"):
        stored = fa.open_store(tmp_path / "s.zarr").fex.action_units(baseline)
        assert stored["features"].chunks is not None
        expected = ds.fex.action_units(baseline)["features"]
        n = ds.sizes["frame"]
        np.testing.assert_allclose(stored["features"].values[:, :n], expected.values, atol=1e-6)
        assert np.isnan(stored["features"].values[:, n:]).all()
        fa.save(stored, tmp_path / f"{baseline}.zarr")
        again = fa.open_store(tmp_path / f"{baseline}.zarr")
        np.testing.assert_array_equal(again["features"].values[:, :n], stored["features"].values[:, :n])
        assert again["au_baseline"].values.tolist() == stored["au_baseline"].values.tolist()


def test_action_units__padding_order_of_axes_and_blocks_change_nothing(make_faces, monkeypatch):
    ds = make_faces(persons=["p", "p", "p"])
    monkeypatch.setattr(au_baselines, "MIN_FRAMES", 3)
    expected = ds.fex.action_units("person")["features"].values
    turned = ds.isel(axis=[2, 0, 1], feature=slice(None, None, -1))
    np.testing.assert_allclose(turned.fex.action_units("person")["features"].values, expected, atol=1e-6)
    longer = ds.pad(frame=(0, 7)).assign_coords(
        frame_number=ds["frame_number"].pad(frame=(0, 7), constant_values=-1).astype(np.int32)
    )
    np.testing.assert_allclose(longer.fex.action_units("person")["features"].values[:, :11], expected, atol=1e-6)
    monkeypatch.setattr("facearray.models.aus._FACES_AT_ONCE", 2)
    monkeypatch.setattr("facearray.models.inputs._BLOCK_BYTES", 1)
    np.testing.assert_allclose(ds.fex.action_units("person")["features"].values, expected, atol=1e-6)


@pytest.mark.parametrize("baseline", ["canonical", "person"])
@pytest.mark.parametrize("dim", ["video", "frame", "face"])
@few_frames
def test_action_units__nothing_gives_nothing(make_faces, tmp_path, dim, baseline):
    ds = make_faces(persons=["p", "q", "p"])
    fa.save(ds, tmp_path / "s.zarr")
    for source in (ds, ds.chunk({"video": 1}), fa.open_store(tmp_path / "s.zarr")):
        none = source.isel({dim: slice(0)})
        found = none.fex.action_units(baseline)["features"]
        assert found.compute().shape == (*none["features"].shape[:3], 20)


# --- the baseline of a person -----------------------------------------------------------------------------------------


def test_action_units__person_is_pooled_over_all_videos(make_faces):
    ds = make_faces((110, 90, 170, 30), persons=["anna", "anna", "ben", "anna"])
    found = ds.fex.action_units("person")
    assert set(found["au_baseline"].values.ravel()) == {"person"}
    assert found.attrs["au_baseline_fallback"] == []
    for videos in ([0, 1, 3], [2]):
        part = ds.isel(video=videos)
        shapes, points = rows(part)
        expected = estimate(shapes, points, quantile_baseline(shapes, points))
        np.testing.assert_allclose(found["features"].values[videos][there(part)], expected, atol=1e-5)
    canonical = ds.fex.action_units()["features"].values
    assert np.nanmax(np.abs(found["features"].values - canonical)) > 0.1
    back = ds.isel(video=[2, 3, 0, 1]).fex.action_units("person")["features"].sel(video=ds["video"])
    np.testing.assert_allclose(back.values, found["features"].values, atol=1e-6)


def test_action_units__people_with_few_frames_are_named(make_faces):
    lengths = (160, 100, 49, 20, 5)
    ds = make_faces(lengths, persons=["anna", "ben", "ben", None, ""], missing=0)
    with pytest.warns(UserWarning, match="compared with the canonical face instead of their own") as caught:
        found = ds.fex.action_units("person")
    assert len(caught) == 1
    assert all(fallback in str(caught[0].message) for fallback in found.attrs["au_baseline_fallback"])
    assert found["au_baseline"].values.ravel().tolist() == ["person", *["canonical"] * 4]
    assert found.attrs["au_baseline_fallback"] == [
        "ben: 149 frames with a face, fewer than 150",
        "d.mp4: a face without 'person'",
        "e.mp4: a face without 'person'",
    ]
    np.testing.assert_allclose(found["features"][1:], ds.fex.action_units()["features"][1:], atol=1e-6)


def test_action_units__people_in_slots(make_faces):
    ds = make_faces((200, 180), n_faces=2)
    who = ds.assign_coords(who=(("video", "face"), [["anna", "ben"], ["ben", "cleo"]]))
    found = who.fex.action_units("person", person="who")["features"].values
    for name, places in {"anna": [(0, 0)], "ben": [(0, 1), (1, 0)], "cleo": [(1, 1)]}.items():
        parts = [rows(ds, video, face) for video, face in places]
        shapes, points = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        expected = estimate(shapes, points, quantile_baseline(shapes, points))
        own = np.concatenate([found[v, :, f][there(ds)[v, :, f]] for v, f in places])
        np.testing.assert_allclose(own, expected, atol=1e-5, err_msg=name)


def test_action_units__a_slot_that_nobody_is_in_is_nobody_without_a_baseline(make_faces, recwarn):
    ds = make_faces((160, 170), n_faces=2, missing=0)
    ds["features"][1, :, 1], ds["track_id"][1, :, 1] = np.nan, -1
    who = ds.assign_coords(who=(("video", "face"), [["anna", "ben"], ["ben", ""]]))
    assert who.fex.action_units("person", person="who").attrs["au_baseline_fallback"] == []
    assert not recwarn
    with pytest.warns(UserWarning, match="b.mp4: a face without 'who'"):
        who.drop_vars("track_id").fex.action_units("person", person="who")


@few_frames
def test_action_units__as_many_people_at_a_time_as_fit(make_faces, monkeypatch):
    ds = make_faces((160, 170, 155, 40), persons=["c", "a", "b", "a"])
    expected = ds.fex.action_units("person")["features"].values
    for limit in (1, 4 * (75 + 52 + 2 * 25) * 330):
        monkeypatch.setattr(au_baselines, "_MAX_BYTES", limit)
        np.testing.assert_array_equal(ds.fex.action_units("person")["features"].values, expected)


def test_action_units__who_is_seen_has_to_be_known(make_faces):
    ds = make_faces((4, 3), persons=["anna", "ben"])
    with pytest.raises(InputError, match=r"found no coordinate 'speaker' \(there are person\).*fex\.join\("):
        ds.fex.action_units("person", person="speaker")
    with pytest.raises(InputError, match=r"found no coordinate 'persons' \(did you mean 'person'\?\)"):
        ds.fex.action_units("person", person="persons")
    with pytest.raises(InputError, match=r"found no coordinate 'person'; expected a coordinate"):
        make_faces((4, 3)).fex.action_units("person")
    phrases = make_faces((4, 3)).assign_coords(phraseN=("video", [1, 2]))
    with pytest.raises(InputError, match=r"found no coordinate 'person'.*ds\.fex\.identities\(\)\.person") as caught:
        phrases.fex.action_units("person")
    assert "did you mean" not in str(caught.value)
    with pytest.raises(InputError, match=r"found 'timestamp' on \(video, frame\); expected .*which person is seen"):
        ds.fex.action_units("person", person="timestamp")
    with pytest.raises(InputError, match=r"person='video'.*would take out what the videos differ in"):
        ds.fex.action_units("person", person="video")
    two = make_faces((4, 3), persons=["anna", "ben"], n_faces=2)
    with pytest.raises(InputError, match="'person' on video, and 2 faces a video; expected one person a video"):
        two.fex.action_units("person")
    with pytest.raises(InputError, match=r"unknown baseline 'persons' \(did you mean 'person'\?\)"):
        ds.fex.action_units("persons")


# --- a neutral face ---------------------------------------------------------------------------------------------------


def test_action_units__neutral_frames_for_all(make_faces):
    ds, neutral = make_faces((5, 6)), make_faces((3, 2), seed=5, missing=0)
    found = ds.fex.action_units(neutral)
    shapes, points = rows(neutral)
    middle = np.median(whole_and_sides(measure(points)), axis=0)
    expected = estimate(*rows(ds), Baseline(middle, middle, middle, np.median(shapes, axis=0)))
    np.testing.assert_allclose(found["features"].values[there(ds)], expected, atol=1e-5)
    assert found.attrs["au_baseline"] == "neutral"
    assert set(found["au_baseline"].values.ravel()) == {"neutral"}
    one = neutral.isel(video=[0], frame=[0])
    own = one.fex.action_units(one)["features"].values
    np.testing.assert_allclose(own, 0, atol=1e-6)


def test_action_units__neutral_frames_of_each_person(make_faces):
    ds = make_faces((5, 6, 4), persons=["anna", "ben", "anna"])
    neutral = make_faces((3, 2, 1), seed=5, persons=["ben", "anna", "cleo"], missing=0)
    found = ds.fex.action_units(neutral)["features"].values
    for videos, own in (([0, 2], 1), ([1], 0)):
        alone = neutral.isel(video=[own]).drop_vars("person")
        expected = ds.isel(video=videos).fex.action_units(alone)["features"].values
        np.testing.assert_allclose(found[videos], expected, atol=1e-6)
    with pytest.raises(InputError, match="'person' anna without neutral frames"):
        ds.fex.action_units(neutral.isel(video=[0, 2]))
    with pytest.raises(InputError, match="faces without one without neutral frames"):
        ds.assign_coords(person=("video", ["anna", "ben", None])).fex.action_units(neutral)
    with pytest.raises(InputError, match="no neutral frame with a face of anna"):
        ds.fex.action_units(neutral.where(neutral["video"] != "b.mp4"))


# --- sides ------------------------------------------------------------------------------------------------------------


def _mirrored(ds: xr.Dataset, mirror: np.ndarray) -> xr.Dataset:
    swapped = [
        name.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for name in ds["feature"].values
    ]
    swapped = [new if new in ds["feature"] else old for new, old in zip(swapped, ds["feature"].values, strict=True)]
    values = ds["features"].sel(feature=swapped).values
    points = ds["landmarks"].values[..., mirror, :] * np.array([-1, 1, 1], np.float32)
    return ds.assign(features=(ds["features"].dims, values), landmarks=(ds["landmarks"].dims, points))


@pytest.mark.parametrize("baseline", ["canonical", "person"])
def test_action_units__mirroring_swaps_the_sides(make_faces, mirror, baseline):
    ds = make_faces((100, 80), persons=["p", "p"])
    found = ds.fex.action_units(baseline, sides=True, asymmetry=True)["features"]
    flipped = _mirrored(ds, mirror).fex.action_units(baseline, sides=True, asymmetry=True)["features"]
    assert found["feature"].values.tolist() == [
        *AU_NAMES,
        *(f"{name}_{kind}" for kind in ("left", "right", "asymmetry") for name in AU_NAMES),
    ]

    def of(array: xr.DataArray, kind: str) -> np.ndarray:
        return array.sel(feature=[f"{name}{kind}" for name in AU_NAMES]).values

    np.testing.assert_allclose(of(flipped, ""), of(found, ""), atol=2e-3)
    np.testing.assert_allclose(of(flipped, "_left"), of(found, "_right"), atol=2e-3)
    np.testing.assert_allclose(of(flipped, "_asymmetry"), -of(found, "_asymmetry"), atol=2e-3)
    np.testing.assert_allclose(of(found, "_left") - of(found, "_right"), of(found, "_asymmetry"), atol=1e-6)
    assert np.nanmax(np.abs(of(found, "_asymmetry"))) > 0.2


def test_action_units__smile_of_one_side(make_faces):
    ds = make_faces([1], missing=0).isel(frame=[0])
    ds["features"][:], points = 0, resting_landmarks().copy()
    ds["features"].loc[{"feature": "mouthSmileLeft"}] = 1
    points[291] += (0.4, -0.8, 0)
    ds["landmarks"][:] = 40 * points
    found = ds.fex.action_units(sides=True, asymmetry=True)["features"].squeeze().to_series()
    assert found["AU12_left"] > 0.7
    assert found["AU12_right"] < 0.1
    assert found["AU12_right"] < found["AU12"] < found["AU12_left"]
    assert found["AU12_asymmetry"] == pytest.approx(found["AU12_left"] - found["AU12_right"])
    only = ds.fex.action_units(asymmetry=True)["feature"].values.tolist()
    assert only == [*AU_NAMES, *(f"{name}_asymmetry" for name in AU_NAMES)]


def test_estimate_parts__whole_face_lies_between_its_sides_where_nothing_ends(make_faces):
    shapes, points = rows(make_faces((60,), missing=0))
    whole, right, left = np.moveaxis(estimate_parts(shapes, points), 2, 0)
    au12 = AU_NAMES.index("AU12")
    inside = (points.shape[0] > 0) & (whole[:, au12] >= 0)
    assert np.corrcoef(whole[inside, au12], (right + left)[inside, au12] / 2)[0, 1] > 0.95


# --- what is asked of a Dataset ---------------------------------------------------------------------------------------


def test_action_units__problems_are_named_together(make_faces):
    ds = make_faces((3, 2))
    short = ds.isel(landmark=slice(68), feature=slice(1, 50), axis=[0, 1])
    with pytest.raises(SchemaError) as caught:
        short.fex.action_units()
    for text in ("found no blendshapes _neutral, browDownLeft, browDownRight", "68 landmarks", "the axes x, y"):
        assert text in str(caught.value)
    with pytest.raises(SchemaError, match="found no 'landmarks'"):
        ds.drop_vars("landmarks").fex.action_units()


def test_action_units__map_excludes_the_rest(make_faces):
    with pytest.raises(InputError, match="found map= with baseline, sides; expected map= alone"):
        make_faces((3, 2)).fex.action_units("canonical", sides=True, map="mine")
    with pytest.raises(InputError, match="found map= with person"):
        make_faces((3, 2)).fex.action_units(person="who", map="mine")


def test_action_units__canonical_face_is_nobodys(make_faces):
    with pytest.raises(InputError, match="found person='who' with the canonical face"):
        make_faces((3, 2)).fex.action_units(person="who")


# --- real detections --------------------------------------------------------------------------------------------------


@pytest.fixture
def news(monkeypatch) -> xr.Dataset:
    if not (SHARED / "good_bad_news").is_dir():
        pytest.skip("the detections of good and bad news are not on this machine")
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    ds = fa.datasets.good_bad_news()
    return ds.assign_coords(person=("video", ["speaker"] * ds.sizes["video"]))


def correlations(found: xr.Dataset, ds: xr.Dataset, *, within: bool) -> pd.Series:
    """r of each action unit with py-feat's own, over all frames or over deviations from each video's mean."""
    both = xr.Dataset({"x": found["features"].variable, "y": ds.fex.aus.variable}).isel(face=0)
    both = both.assign_coords(feature=list(AU_NAMES))
    both = both.where(ds["frame_number"].variable >= 0)
    if within:
        both = both - both.mean("frame")
    return xr.corr(both["x"], both["y"], dim=("video", "frame")).to_series()


def test_action_units__follow_those_of_another_network(news):
    assert int((news["frame_number"] >= 0).sum()) == 477
    person, canonical = news.fex.action_units("person"), news.fex.action_units()
    assert set(person["au_baseline"].values.ravel()) == {"person"}
    pooled, inside = (correlations(person, news, within=w) for w in (False, True))
    assert pooled.mean() >= 0.57
    assert inside.mean() >= 0.47
    assert pooled[["AU01", "AU02", "AU05", "AU06", "AU07", "AU12", "AU25", "AU43"]].mean() >= 0.8
    # what a person's baseline is for
    assert correlations(canonical, news, within=False).mean() < 0.46
    assert correlations(canonical, news, within=True).mean() < 0.36


def test_action_units__of_pyfeat_files_need_no_landmarks_to_be_scaled_again(news):
    # depths are in pixels already: laid on the canonical face, meshes are within half a cm of it
    from facearray.models.geometry import canonical_mesh
    from facearray.models.mesh_measures import RIGID_POINTS, lay_on_canonical

    mesh, _ = lay_on_canonical(rows(news)[1])
    apart = mesh[:, list(RIGID_POINTS)] - canonical_mesh().vertices[list(RIGID_POINTS)]
    assert np.sqrt((apart**2).sum(axis=-1).mean()) < 0.5
