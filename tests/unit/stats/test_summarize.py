"""Summaries: equal to pandas, whatever the arrays are made of."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facearray.errors import InputError, SchemaError
from facearray.io.store import open_store, save
from facearray.stats import summarize

LENGTHS = {"f": 12, "b": 31, "d": 3, "a": 44, "empty": 0, "c": 30, "e": 17}
FEATURES = ["Yaw", "AU12", "happiness"]


@pytest.fixture
def ds(recordings):
    ds = recordings(LENGTHS, n_faces=2)
    return ds.assign_coords(
        subject=("video", ["s2", "s1", "s1", "s3", "s3", "s2", "s3"]),
        condition=("video", ["x", "x", "y", "y", "y", "x", "x"]),
    )


def frames(ds: xr.Dataset) -> pd.DataFrame:
    """One row a real frame and face, one column a feature."""
    features = ds.features.drop_vars(["group", "unit", "description"])
    table = features.to_dataset("feature").to_dataframe().reset_index()
    assert len(table) == features.isel(feature=0).size
    return table[table.frame_number >= 0].astype(dict.fromkeys(FEATURES, "f8"))


def as_array(table: pd.DataFrame) -> np.ndarray:
    return table[FEATURES].to_numpy().reshape(-1, 2, 3)


@pytest.mark.parametrize("statistic", ["mean", "std", "sem", "min", "max", "median"])
@pytest.mark.parametrize("by", ["condition", "subject"])
def test_summarize__units_equal_pandas(ds, statistic, by):
    means = frames(ds).groupby(["video", by, "face"])[FEATURES].mean()
    wanted = as_array(means.groupby([by, "face"]).agg(statistic))
    found = summarize(ds, statistic, by=by, min_valid=0)
    assert found[statistic].dims == (by, "face", "feature")
    np.testing.assert_allclose(found[statistic], wanted, rtol=1e-12)
    assert found[by].values.tolist() == sorted(set(ds[by].values.tolist()))


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "median"])
def test_summarize__videos_equal_pandas(ds, statistic):
    found = summarize(ds, [statistic, "n"], by="video", min_valid=0)
    table = frames(ds).groupby(["video", "face"])[FEATURES]
    assert found.video.values.tolist() == list(LENGTHS)
    there = found.sel(video=sorted(set(LENGTHS) - {"empty"}))
    np.testing.assert_allclose(there[statistic], as_array(table.agg(statistic)), rtol=1e-12)
    np.testing.assert_array_equal(there.n, as_array(table.count()))
    assert np.isnan(found[statistic].sel(video="empty")).all()
    assert {"condition", "subject", "fps", "n_frames"} <= set(found.coords)


@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "median"])
@pytest.mark.parametrize("by", ["condition", None])
def test_summarize__pooled_frames_equal_pandas(ds, statistic, by):
    table = frames(ds).assign(everything=0).groupby([by or "everything", "face"])[FEATURES]
    found = summarize(ds, statistic, by=by, unit="frame", min_valid=0)
    np.testing.assert_allclose(found[statistic].values.reshape(-1, 2, 3), as_array(table.agg(statistic)), rtol=1e-12)


def test_summarize__all_units_in_one_row(ds):
    means = frames(ds).groupby(["video", "face"])[FEATURES].mean()
    found = summarize(ds, ("mean", "sem", "n"), min_valid=0)
    assert found["mean"].dims == ("face", "feature")
    np.testing.assert_allclose(found["mean"], means.groupby("face").mean(), rtol=1e-12)
    np.testing.assert_allclose(found["sem"], means.groupby("face").sem(), rtol=1e-12)
    np.testing.assert_array_equal(found["n"], means.groupby("face").count())


def test_summarize__subjects_within_conditions(ds):
    table = frames(ds)
    cells = table.groupby(["subject", "condition", "face"])[FEATURES].mean()
    found = summarize(ds, ("mean", "sem", "n"), by="condition", unit="subject", min_valid=0)
    np.testing.assert_allclose(found["mean"], as_array(cells.groupby(["condition", "face"]).mean()), rtol=1e-12)
    np.testing.assert_allclose(found["sem"], as_array(cells.groupby(["condition", "face"]).sem()), rtol=1e-12)
    assert found.attrs["n_units"] == 3
    assert found.n.sel(face=0, feature="Yaw").values.tolist() == [3, 2]


def test_summarize__prop_above(ds):
    table = frames(ds)
    above = table[FEATURES].gt(0.6).where(table[FEATURES].notna()).astype(float)
    shares = above.groupby([table.video, table.condition, table.face]).mean()
    found = summarize(ds, "prop_above", by="condition", threshold=0.6, min_valid=0)
    np.testing.assert_allclose(found.prop_above, as_array(shares.groupby(["condition", "face"]).mean()), rtol=1e-12)


def test_summarize__weights(ds):
    from statsmodels.stats.weightstats import DescrStatsW

    ds = ds.isel(face=[0])
    found = summarize(ds, ("mean", "std", "sem"), weights="n_frames", min_valid=0)
    means = frames(ds).groupby("video")[["AU12"]].mean()
    w = np.array([LENGTHS[v] for v in means.index], dtype=float)
    x = means.AU12.to_numpy()
    described = DescrStatsW(x, weights=w)
    variance = described.sumsquares / (w.sum() - (w**2).sum() / w.sum())
    here = found.sel(feature="AU12", face=0)
    np.testing.assert_allclose(here["mean"], described.mean, rtol=1e-12)
    np.testing.assert_allclose(here["std"], np.sqrt(variance), rtol=1e-12)
    np.testing.assert_allclose(here["sem"], np.sqrt(variance * (w**2).sum()) / w.sum(), rtol=1e-12)
    equal = ds.isel(video=[0, 1, 3]).isel(frame=slice(0, 12))
    xr.testing.assert_allclose(
        summarize(equal, ("mean", "sem"), weights="n_frames"), summarize(equal, ("mean", "sem")), rtol=1e-12
    )


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(len(LENGTHS))),
    chunks=st.none() | st.tuples(st.integers(1, 7), st.integers(5, 44)),
    n_padding=st.integers(0, 44 * 15),
    by=st.sampled_from([None, "video", "condition"]),
    unit=st.sampled_from(["video", "frame"]),
    dtype=st.sampled_from(["f4", "f8"]),
)
def test_summarize__same_whatever_order_chunks_padding_or_dtype(ds, padded, order, chunks, n_padding, by, unit, dtype):
    stats = ("mean", "std", "median", "n", "max")
    wanted = summarize(ds, stats, by=by, unit=unit)
    changed = padded(ds.isel(video=list(order)), n_padding)
    changed = changed.assign(features=changed.features.astype(dtype))
    if chunks:
        changed = changed.chunk(video=chunks[0], frame=chunks[1])
    found = summarize(changed, stats, by=by, unit=unit)
    if by == "video":
        wanted = wanted.isel(video=list(order))
        found.attrs["excluded"], wanted.attrs["excluded"] = (sorted(r.attrs["excluded"]) for r in (found, wanted))
    xr.testing.assert_allclose(found, wanted, rtol=1e-12)
    assert found.attrs == wanted.attrs


@pytest.mark.parametrize("frame", [slice(5, 25), slice(None, None, 3), slice(None, None, -1), [4, 2, 30]])
def test_summarize__of_a_selection_from_a_store(ds, tmp_path, frame):
    lazy = open_store(save(ds, tmp_path / "study.zarr"))
    options = {"stats": ("mean", "std", "median"), "by": "condition"}
    xr.testing.assert_allclose(
        summarize(lazy.isel(frame=frame), **options), summarize(ds.isel(frame=frame), **options), rtol=1e-12
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(scale=st.floats(0.01, 100), shift=st.floats(-10, 10))
def test_summarize__affine(ds, scale, shift):
    changed = ds.assign(features=ds.features.astype("f8") * -scale + shift)
    a, b = (summarize(d, ("mean", "std", "sem", "median", "min", "max"), by="condition") for d in (ds, changed))
    for name in ("mean", "median"):
        np.testing.assert_allclose(b[name], -scale * a[name] + shift, rtol=1e-9, atol=1e-9)
    for name in ("std", "sem"):
        np.testing.assert_allclose(b[name], scale * a[name], rtol=1e-6)
    np.testing.assert_allclose(b["min"], -scale * a["max"] + shift, rtol=1e-9, atol=1e-9)


def test_summarize__missing_values_neither_spread_nor_hide(ds):
    values = ds.features.values.copy()
    values[1, :, 0, 1] = np.nan  # b has no AU12 in the first face
    found = summarize(ds.assign(features=(ds.features.dims, values)), ("mean", "n"), by="condition")
    whole = summarize(ds, ("mean", "n"), by="condition")
    assert found.n.sel(condition="x", face=0).values.tolist() == [4, 3, 4]
    xr.testing.assert_equal(found["mean"].sel(feature="Yaw"), whole["mean"].sel(feature="Yaw"))
    assert not np.isnan(found["mean"]).any()
    assert found.n_units.identical(found.n_units.copy(data=found.n.values))


def test_summarize__lists_what_it_excludes(ds):
    ds = ds.assign_coords(condition=("video", np.array(["x", None, "y", "y", "y", "x", "x"], dtype=object)))
    found = summarize(ds, "n", by="condition")
    assert found.attrs["excluded"] == ["empty: no frames", "video b: no condition"]
    assert found.attrs["n_units"] == 5
    assert found.n.sel(condition="x", face=0, feature="Yaw") == 3
    assert summarize(ds, by="video").attrs["excluded"] == ["empty: no frames"]


def test_summarize__attributes(ds):
    found = summarize(ds, by="condition")
    assert found.attrs["unit"] == "video"
    assert found.attrs["detector"] == "made up"
    assert found.attrs["arguments"].startswith("stats=('mean',), by='condition', unit='video'")
    assert "other videos of the same people" in found.attrs["population"]
    assert "nothing is said about other videos" in summarize(ds, by="video").attrs["population"]
    assert found.group.values.tolist() == ["poses", "aus", "emotions"]
    assert found.fex.aus["mean"].sizes["feature"] == 1


def test_summarize__features(ds):
    found = summarize(ds, features="emotions,poses", by="condition")
    assert found.feature.values.tolist() == ["happiness", "Yaw"]
    whole = summarize(ds, by="condition")
    xr.testing.assert_allclose(found["mean"], whole["mean"].sel(feature=["happiness", "Yaw"]))


@pytest.mark.parametrize(
    "values",
    [
        np.array([2, 10, 2, 1, 1, 10, 2]),
        np.array([True, False, True, True, True, False, False]),
        np.array(list("babbbab"), dtype=np.dtypes.StringDType()),
        np.array(list("babbbab"), dtype=object),
        np.array([2.5, np.nan, 2.5, -1, -1, -1, -1]),
        pd.date_range("2020", periods=7).to_numpy(),
    ],
)
def test_summarize__by_coordinates_of_any_dtype(ds, values):
    found = summarize(ds.assign_coords(g=("video", values)), "n", by="g")
    groups = sorted(pd.unique(pd.Series(values.astype(object) if values.dtype.kind == "T" else values).dropna()))
    assert found.g.values.tolist() == np.array(groups, dtype=found.g.dtype).tolist()
    assert found.g.dtype == values.dtype


def test_summarize__one_video(ds):
    found = summarize(ds.isel(video=[1]), ("mean", "std", "sem", "n"), by="condition")
    assert (found.n == 1).all()
    assert np.isnan(found["std"]).all()
    assert np.isnan(found["sem"]).all()
    assert not np.isnan(found["mean"]).any()


def test_summarize__never_changes_its_input(ds):
    before = ds.copy(deep=True)
    for by in (None, "video", "condition"):
        summarize(ds, ("mean", "std", "median"), by=by)
    xr.testing.assert_identical(ds, before)


def test_summarize__n_eff(ds):
    rng = np.random.default_rng(0)
    noise = ds.assign(features=(ds.features.dims, rng.random(ds.features.shape, dtype="f4")))
    noise = noise.assign(features=noise.features.where(noise.frame_number >= 0))
    found = summarize(noise, ("mean", "sem"), by="video", n_eff=True).sel(video="a")
    x = noise.features.sel(video="a").values.astype(float)
    square = ((x - x.mean(axis=0)) ** 2).mean(axis=0)
    np.testing.assert_allclose(found["sem"], np.sqrt(square / (found.n_eff - 1)), rtol=1e-6)
    assert ((found.n_eff > 10) & (found.n_eff <= 44)).all()
    assert "worth less than 20" in found.attrs["warning"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "conditon"}, "unknown coordinate on video 'conditon' .did you mean 'condition'"),
        ({"unit": "subjct"}, "unknown coordinate on video 'subjct' .did you mean 'subject'"),
        ({"stats": ["men"]}, "unknown statistic 'men' .did you mean 'mean'"),
        ({"stats": []}, "found no statistic; expected some of mean"),
        ({"features": "AU13"}, "unknown feature or group 'AU13'"),
        ({"stats": "sem", "by": "video"}, "'sem' of frames, which are not independent.*n_eff=True estimates"),
        ({"stats": "sem", "unit": "frame"}, "'sem' of frames.*unit='video' gives the standard error over videos"),
        ({"stats": "sem", "by": "condition", "n_eff": True}, "n_eff=True; expected by='video' and 'sem'"),
        ({"by": "video", "n_eff": True}, "n_eff=True; expected by='video' and 'sem'"),
        ({"by": "video", "unit": "subject"}, "by='video' with unit='subject'"),
        ({"by": "video", "weights": "n_frames"}, "weights for frames"),
        ({"stats": "median", "weights": "n_frames"}, "weights with 'median'"),
        ({"weights": "duration"}, "weights='duration'; expected None or 'n_frames'"),
        ({"min_valid": -1}, "min_valid=-1; expected a share"),
        ({"threshold": 0.5}, "threshold=0.5; 'prop_above' needs one"),
        ({"stats": "prop_above"}, "threshold=None; 'prop_above' needs one"),
    ],
)
def test_summarize__bad_options(ds, options, message):
    with pytest.raises(InputError, match=message):
        summarize(ds, **options)


@pytest.mark.parametrize("option", ["by", "unit"])
def test_summarize__several_coordinates_at_once(ds, option):
    with pytest.raises(InputError, match=r"found \['condition', 'subject'\]; expected the name of one coordinate"):
        summarize(ds, **{option: ["condition", "subject"]})


def test_summarize__nothing_to_summarize(ds):
    for by in (None, "video", "condition"):
        with pytest.raises(InputError, match=r"found no .* with enough valid frames"):
            summarize(ds.assign(features=ds.features * np.nan), by=by)
        with pytest.raises(InputError, match=r"found no .* with enough valid frames"):
            summarize(ds.isel(video=[]), by=by)


def test_summarize__not_detections(ds):
    with pytest.raises(SchemaError, match="frame_number"):
        summarize(ds.drop_vars("frame_number"))
    with pytest.raises(SchemaError, match="features"):
        summarize(ds.isel(video=0))
