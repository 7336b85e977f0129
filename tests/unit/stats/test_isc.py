"""Correlations of time courses between videos: labels, alignment, missing values, laziness."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import facearray as fa
from facearray.errors import FaceArrayError, InputError, SchemaError
from facearray.stats import isc
from facearray.stats.intersubject import matrix

SHARED = Path(__file__).parents[4] / "shared" / "data"
BRAINIAK = json.loads((Path(__file__).parents[2] / "reference" / "brainiak_isc.json").read_text(encoding="utf-8"))
DIMS = ("video", "frame", "face", "feature")
METHODS = ["pearson", "spearman", "kendall"]


def courses(values, times=None, labels=None, features=None, **coords) -> xr.Dataset:
    """Detections of one face with given values (video, frame[, feature]); None and NaN times are padding."""
    values = np.asarray(values, dtype=float)
    values = values[..., None] if values.ndim == 2 else values
    n, n_frames, n_features = values.shape
    times = np.tile(np.arange(n_frames) / 25, (n, 1)) if times is None else np.asarray(times, dtype=float)
    number = np.where(np.isnan(times), -1, np.arange(n_frames))
    values = np.where(np.isnan(times)[..., None], np.nan, values)
    return xr.Dataset(
        {"features": (DIMS, values[:, :, None])},
        coords={
            "video": np.array(labels or [f"{i}.mp4" for i in range(n)], dtype=np.dtypes.StringDType()),
            "feature": features or [f"f{i}" for i in range(n_features)],
            "frame_number": (DIMS[:2], number.astype("i4")),
            "timestamp": (DIMS[:2], times),
        }
        | {name: ("video", np.asarray(array)) for name, array in coords.items()},
    )


def smooth(rng, *shape) -> np.ndarray:
    return rng.normal(size=shape).cumsum(axis=1)


def of_pandas(ds: xr.Dataset, method: str = "pearson", min_periods: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Correlations and counts of pandas, on the time index."""
    frames = {}
    for i, label in enumerate(ds.video.values):
        real = ds.frame_number.values[i] >= 0
        index = np.round(ds.timestamp.values[i, real], 6)
        frames[str(label)] = pd.Series(ds.features.values[i, real, 0, 0], index=index)
    table = pd.DataFrame(frames)
    there = table.notna().astype(int)
    return table.corr(method=method, min_periods=min_periods).to_numpy(), (there.T @ there).to_numpy()


# real data


@pytest.mark.skipif(not (SHARED / "good_bad_news").is_dir(), reason="the detections are not on this machine")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("align", ["time", "frame"])
def test_isc__good_and_bad_news_as_pandas_on_the_frame_index(monkeypatch, method, align):
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    ds = fa.datasets.good_bad_news()
    columns = {}
    for path in sorted((SHARED / "good_bad_news").glob("0*.csv")):
        one = pd.read_csv(path, usecols=["frame", "Happy"])
        columns[f"{path.stem}.mp4"] = one.set_index("frame")["Happy"]
    table = pd.DataFrame(columns)
    there = table.notna().astype(int)
    found = ds.fex.isc("happiness", method=method, align=align)
    assert found.r.dims == ("video", "video_other")
    np.testing.assert_allclose(found.r, table.corr(method=method, min_periods=3), atol=1e-6)
    np.testing.assert_array_equal(found.n, there.T @ there)
    assert found.n.values[np.triu_indices(20, 1)].min() == 14
    assert found.condition_other.values.tolist() == ds.condition.values.tolist()
    assert found.few_samples.values.tolist() == (found.n < 30).values.tolist()
    few = int((np.triu(found.n.values < 30, 1)).sum())
    assert f"{few} of 190 pairs share fewer than 30 times" in found.attrs["notes"]


# brainiak


@pytest.mark.parametrize("join", ["pairwise", "leave_one_out"])
def test_isc__as_brainiak(join):
    data = np.array(BRAINIAK["data"]).transpose(2, 0, 1)
    found = isc(courses(data), ["f0", "f1"], join=join).r
    wanted = np.array(BRAINIAK[join])
    values = found.values[np.triu_indices(len(data), 1)] if join == "pairwise" else found.values
    np.testing.assert_allclose(values, wanted, atol=1e-7)


# alignment


def test_isc__aligns_on_seconds_and_not_on_positions():
    rng = np.random.default_rng(0)
    whole = smooth(rng, 2, 50)
    times = np.tile(np.arange(50) / 25, (2, 1))
    # the second video misses the frames 10 to 19, and stores the others one after the other
    kept = np.r_[0:10, 20:50]
    values, stored = np.full((2, 50), np.nan), np.full((2, 50), np.nan)
    values[0], stored[0] = whole[0], times[0]
    values[1, :40], stored[1, :40] = whole[1, kept], times[1, kept]
    found = isc(courses(values, stored), "f0")
    assert found.n.values.tolist() == [[50, 40], [40, 40]]
    assert found.r.values[0, 1] == pytest.approx(np.corrcoef(whole[:, kept])[0, 1], abs=1e-12)


def test_isc__a_video_that_begins_later_is_compared_with_the_same_seconds():
    rng = np.random.default_rng(1)
    x = smooth(rng, 2, 60)
    times = np.stack([np.arange(60) / 30, np.arange(60) / 30 + 0.5 + 0.004])
    found = isc(courses(x, times), "f0")
    assert found.n.values[0, 1] == 45
    assert found.r.values[0, 1] == pytest.approx(np.corrcoef(x[0, 15:], x[1, :45])[0, 1], abs=1e-12)


def test_isc__times_that_were_rounded_to_milliseconds_lose_no_frame():
    rng = np.random.default_rng(2)
    x = smooth(rng, 3, 400)
    exact = np.arange(400) / 29.97
    found = isc(courses(x, np.stack([exact, np.round(exact, 3), np.floor(exact * 1000) / 1000])), "f0")
    assert (found.n == 400).all()
    np.testing.assert_allclose(found.r, np.corrcoef(x), atol=1e-12)


def test_isc__different_rates_are_refused_with_a_way_out():
    rng = np.random.default_rng(3)
    times = np.full((2, 100), np.nan)
    times[0, :100], times[1, :50] = np.arange(100) / 50, np.arange(50) / 25
    ds = courses(smooth(rng, 2, 100), times)
    with pytest.raises(InputError, match=r"different frame rates, from 25 \('1.mp4'\) to 50 .* with rate=25 or less"):
        isc(ds, "f0")
    found = isc(ds, "f0", rate=25)
    assert found.n.values.tolist() == [[50, 50], [50, 50]]
    values = ds.features.values[:, :, 0, 0]
    halved = values[0].reshape(50, 2).mean(axis=1)
    assert found.r.values[0, 1] == pytest.approx(np.corrcoef(halved, values[1, :50])[0, 1], abs=1e-12)


def test_isc__averages_over_steps_leave_missing_values_out():
    values = np.array([[1.0, 3.0, np.nan, 4.0, np.nan, np.nan, 0.0, 2.0], [0.0, 1, 2, 2, 5, 5, 9, 7]])
    found = isc(courses(values, np.tile(np.arange(8) / 10, (2, 1))), "f0", rate=5)
    assert found.n.values.tolist() == [[3, 3], [3, 4]]
    assert found.r.values[0, 1] == pytest.approx(np.corrcoef([2, 4, 1], [0.5, 2, 8])[0, 1])


def test_isc__a_rate_above_the_slowest_video_is_refused():
    with pytest.raises(InputError, match="found rate=50; expected at most 25"):
        isc(courses(np.eye(3)), "f0", rate=50)


def test_isc__frame_numbers_that_are_apart_by_the_step_of_detection():
    rng = np.random.default_rng(4)
    x = smooth(rng, 2, 30)
    ds = courses(x)
    ds = ds.assign_coords(frame_number=ds.frame_number * 5, timestamp=ds.timestamp * np.nan)
    with pytest.raises(SchemaError, match=r"without a time in 0.mp4, 1.mp4.*align='frame'"):
        isc(ds, "f0")
    found = isc(ds, "f0", align="frame")
    assert (found.n == 30).all()
    assert found.attrs["grid_step"] == 5
    # a video that was detected from the third frame on shares no frame with one from the first on
    number = ds.frame_number.values.copy()
    number[1] += 2
    assert isc(ds.assign_coords(frame_number=(DIMS[:2], number)), "f0", align="frame").n.values[0, 1] == 0


# missing values


@pytest.mark.parametrize("method", METHODS)
def test_isc__gaps_and_unequal_lengths_as_pandas(method):
    rng = np.random.default_rng(5)
    values = np.round(smooth(rng, 7, 80), 1)
    values[rng.random(values.shape) < 0.3] = np.nan
    times = np.tile(np.arange(80) / 25, (7, 1))
    for i, n in enumerate([80, 60, 41, 80, 7, 33, 2]):
        times[i, n:] = np.nan
    ds = courses(values, times)
    found = isc(ds, "f0", method=method, min_overlap=5)
    r, n = of_pandas(ds, method, 5)
    np.testing.assert_array_equal(found.n, n)
    there = ~np.isnan(r)
    np.testing.assert_allclose(found.r.values[there], r[there], atol=1e-10)
    assert np.isnan(found.r.values[~there]).all()


@pytest.mark.parametrize("method", METHODS)
def test_isc__a_constant_series_has_no_correlation_and_no_p(method):
    rng = np.random.default_rng(6)
    values = smooth(rng, 4, 60)
    values[1] = 0.1
    # constant only where the other one is there
    values[2, :30], values[3, 30:] = 5.0, np.nan
    found = isc(courses(values.astype("f4")), "f0", method=method, null="circular_shift", n_draws=99)
    missing = [(0, 1), (1, 2), (1, 3), (2, 3)]
    for i, j in missing:
        assert np.isnan(found.r.values[i, j])
        assert np.isnan(found.p.values[i, j])
        assert found.n.values[i, j] > 20
    assert not np.isnan(found.r.values[0, 2])
    assert not np.isnan(found.p.values[0, 2])
    assert f"{len(missing)} of 6 pairs have no correlation" in " ".join(found.attrs["notes"])


def test_isc__one_common_time_is_no_correlation():
    values = np.full((2, 9), np.nan)
    values[0, :5], values[1, 4:] = np.arange(5), np.arange(5)
    found = isc(courses(values), "f0", min_overlap=2)
    assert found.n.values[0, 1] == 1
    assert np.isnan(found.r.values[0, 1])
    assert found.r.values[0, 0] == 1


def test_isc__large_means_lose_no_digits():
    rng = np.random.default_rng(7)
    small = rng.normal(size=(3, 500))
    values = (np.float32(2000) + small.astype("f4") / 64).astype("f4")
    values[0, ::7] = np.nan
    # the shared part of the last two is nearly constant beside the whole
    values[1, :250] = values[1, :250] * 0 - np.float32(1e6)
    values[2, 300:] = np.nan
    ds = courses(values).astype("f4")
    r, _ = of_pandas(ds.astype("f8"))
    np.testing.assert_allclose(isc(ds, "f0").r, r, atol=1e-9)


def test_isc__a_pairwise_matrix_need_not_be_positive_definite():
    nan = np.nan
    values = np.array(
        [[1, 2, 3, 1, 2, 3, nan, nan, nan], [1, 2, 3, nan, nan, nan, 1, 2, 3], [nan, nan, nan, 3, 2, 1, 1, 2, 3]]
    )
    found = isc(courses(values), "f0").r
    assert np.linalg.eigvalsh(found.values).min() < -0.5
    assert found.values[0, 1] == pytest.approx(1)
    assert found.values[0, 2] == pytest.approx(-1)


def test_isc__videos_without_frames_stay_and_are_listed():
    times = np.tile(np.arange(10) / 25, (3, 1))
    times[1] = np.nan
    found = isc(courses(smooth(np.random.default_rng(0), 3, 10), times), "f0")
    assert found.attrs["excluded"] == ["1.mp4: no frames"]
    assert found.n.values[1].tolist() == [0, 0, 0]
    assert np.isnan(found.r.values[1]).all()
    assert found.attrs["n"] == 2


# leave one out


@pytest.mark.parametrize("method", METHODS)
def test_isc__leave_one_out_by_hand(method):
    rng = np.random.default_rng(8)
    values = smooth(rng, 5, 70)
    values[rng.random(values.shape) < 0.3] = np.nan
    found = isc(courses(values), "f0", join="leave_one_out", method=method)
    table = pd.DataFrame(values.T)
    z = (table - table.mean()) / table.std(ddof=0)
    for i in range(5):
        others = z.drop(columns=i)
        average = others.mean(axis=1).where(others.notna().sum(axis=1) >= 2)
        assert found.r.values[i] == pytest.approx(table[i].corr(average, method=method), abs=1e-10)
        assert found.n.values[i] == (table[i].notna() & average.notna()).sum()


# lags and windows


def test_isc__finds_the_lag_and_its_sign():
    rng = np.random.default_rng(9)
    base = smooth(rng, 1, 130)[0]
    ds = courses(np.stack([base[10:110], base[4:104], base[10:110] * -1]))
    found = isc(ds, "f0", max_lag=0.4)
    assert found.r.values[0, 1] == pytest.approx(1)
    # what the first video does, the second one does 6 frames later
    assert found.lag.values[0, 1] == pytest.approx(6 / 25)
    assert found.lag.values[1, 0] == pytest.approx(-6 / 25)
    assert found.n.values[0, 1] == 94
    assert found.r.values[0, 2] == -1
    assert isc(ds, "f0", max_lag=0.4, alternative="greater").r.values[0, 2] > -1


@pytest.mark.parametrize("method", METHODS)
def test_isc__windows_are_parts(method):
    rng = np.random.default_rng(10)
    values = smooth(rng, 4, 100)
    values[0, 20:45] = np.nan
    ds = courses(values)
    found = isc(ds, "f0", window=1, step=0.4, method=method)
    assert found.r.dims == ("time", "video", "video_other")
    np.testing.assert_allclose(found.time, [0.48 + 0.4 * i for i in range(8)])
    for i in range(8):
        part = ds.isel(frame=slice(10 * i, 10 * i + 25))
        np.testing.assert_allclose(found.r[i], isc(part, "f0", method=method).r, atol=1e-12)
        np.testing.assert_array_equal(found.n[i], isc(part, "f0").n)


def test_isc__windows_of_leave_one_out_keep_their_dims():
    found = isc(courses(smooth(np.random.default_rng(0), 4, 50)), ["f0"], window=1, join="leave_one_out")
    assert found.r.dims == ("time", "video", "feature")
    assert found.r.shape == (3, 4, 1)


# features, faces, labels


def test_isc__features_are_the_single_ones():
    rng = np.random.default_rng(11)
    values = rng.normal(size=(5, 40, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    ds = courses(values, condition=list("aabba"))
    whole = isc(ds, ["f2", "f0"])
    assert whole.r.dims == ("video", "video_other", "feature")
    assert whole.feature.values.tolist() == ["f2", "f0"]
    for name in ("f0", "f2"):
        single = isc(ds, name)
        assert single.feature.item() == name
        np.testing.assert_array_equal(whole.r.sel(feature=name), single.r)
        np.testing.assert_array_equal(whole.n.sel(feature=name), single.n)


def test_isc__asks_for_one_face():
    ds = courses(smooth(np.random.default_rng(12), 3, 20))
    two = xr.concat([ds.features, ds.features * 2 + 1], "face").transpose(*DIMS).to_dataset(name="features")
    two = two.assign_coords(ds.coords)
    with pytest.raises(InputError, match="found 2 faces; expected one"):
        isc(two, "f0")
    xr.testing.assert_allclose(isc(two.isel(face=[1]), "f0"), isc(ds, "f0"))
    xr.testing.assert_allclose(isc(two.isel(face=1), "f0"), isc(ds, "f0"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"feature": "f7"}, "unknown feature or group 'f7'"),
        ({"method": "pearsons"}, "unknown method 'pearsons' .did you mean 'pearson'"),
        ({"join": "loo"}, "unknown join"),
        ({"align": "index"}, "unknown alignment"),
        ({"null": "shuffle"}, "unknown null"),
        ({"min_overlap": 1}, "found min_overlap=1"),
        ({"step": 1.0}, "step without window"),
        ({"window": 99.0}, "found window=99; expected at most 0.8 s"),
        ({"window": 0.01}, "found window=0.01; expected at least 0.08 s"),
        ({"max_lag": 0.001}, "found max_lag=0.001"),
        ({"max_lag": -1.0}, "found max_lag=-1"),
        ({"correction": "holm"}, "correction without null"),
        ({"rate": 5, "align": "frame"}, "found rate=5 with align='frame'"),
        ({"rate": 0}, "found rate=0"),
        ({"null": "effective_df", "method": "kendall"}, "null='effective_df' with another method"),
        ({"null": "effective_df", "correction": "max_r"}, "draws nothing"),
        ({"null": "phase", "n_draws": 0}, "found n_draws=0"),
        ({"null": "circular_shift", "alternative": "less"}, "unknown alternative"),
        (
            {"n_draws": 1000, "seed": 0},
            "found n_draws=1000 and seed=0 without null, so that nothing is drawn; give null",
        ),
        ({"seed": 3, "null": "effective_df"}, "found seed=3 with null='effective_df', which draws nothing"),
        (
            {"alternative": "greater"},
            "found alternative='greater' without null and max_lag, .*; give one of them, or leave",
        ),
    ],
)
def test_isc__says_what_is_wrong(arguments, message):
    ds = courses(smooth(np.random.default_rng(0), 3, 20))
    with pytest.raises(FaceArrayError, match=message):
        isc(ds, **({"feature": "f0"} | arguments))


# the same answer however it is stored


def in_any_form(ds: xr.Dataset, n_padding: int, chunks: dict[str, int] | None, order: np.ndarray) -> xr.Dataset:
    wider = ds.isel(video=order).pad(frame=(0, n_padding))
    wider = wider.assign_coords(frame_number=wider.frame_number.fillna(-1).astype("i4"))
    return wider if chunks is None else wider.chunk(chunks)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    n_padding=st.integers(0, 5),
    chunks=st.none() | st.fixed_dictionaries({"video": st.integers(1, 7), "frame": st.integers(3, 40)}),
    method=st.sampled_from(METHODS),
    join=st.sampled_from(["pairwise", "leave_one_out"]),
)
def test_isc__same_for_any_order_chunks_and_padding(seed, n_padding, chunks, method, join):
    rng = np.random.default_rng(seed)
    values = np.round(smooth(rng, 6, 30), 1).astype("f4")
    values[rng.random(values.shape) < 0.2] = np.nan
    times = np.tile(np.arange(30) / 25, (6, 1))
    for i in range(6):
        times[i, rng.integers(2, 31) :] = np.nan
    ds = courses(values, times)
    order = rng.permutation(6)
    options = {"method": method, "join": join}
    wanted = isc(ds, "f0", **options)
    found = isc(in_any_form(ds, n_padding, chunks, order), "f0", **options).sel(video=wanted.video)
    if join == "pairwise":
        found = found.sel(video_other=wanted.video_other)
        r = wanted.r.values
        np.testing.assert_array_equal(r, r.T)
        assert (np.diag(r)[~np.isnan(np.diag(r))] == 1).all()
    np.testing.assert_allclose(found.r, wanted.r, atol=1e-12)
    np.testing.assert_array_equal(found.n, wanted.n)
    assert ((np.abs(wanted.r) <= 1) | np.isnan(wanted.r)).all()


@pytest.mark.parametrize("options", [{}, {"method": "spearman"}, {"max_lag": 0.2}, {"window": 0.6}])
def test_isc__tiles_are_the_whole(monkeypatch, options):
    rng = np.random.default_rng(13)
    values = rng.normal(size=(9, 40, 2))
    values[rng.random(values.shape) < 0.2] = np.nan
    times = np.tile(np.arange(40) / 25, (9, 1))
    for i in range(9):
        times[i, 20 + (7 * i) % 20 :] = np.nan
    ds = courses(values, times)
    whole = isc(ds, ["f0", "f1"], **options)
    for name, size in (("TILE", 4), ("ROWS", 2), ("COLUMNS", 3)):
        monkeypatch.setattr(matrix, name, size)
    xr.testing.assert_allclose(isc(ds, ["f0", "f1"], **options), whole, rtol=1e-12)
    lazy = isc(ds.chunk(video=2, frame=7), ["f0", "f1"], **options)
    assert lazy.r.chunks is not None
    assert lazy.few_samples.chunks is not None
    xr.testing.assert_allclose(lazy.compute().drop_attrs(), whole.drop_attrs(), rtol=1e-12)


def test_isc__what_does_not_fit_is_lazy_and_reads_only_times(monkeypatch, tmp_path):
    ds = courses(smooth(np.random.default_rng(14), 5, 30))
    whole = isc(ds, "f0")
    monkeypatch.setattr(matrix, "LAZY_BYTES", 100)
    monkeypatch.setattr(matrix, "TILE", 2)
    read = []
    original = matrix.load
    monkeypatch.setattr(matrix, "load", lambda *args: read.append(args[0].sizes["video"]) or original(*args))
    lazy = isc(ds, "f0")
    assert read == []
    np.testing.assert_allclose(lazy.r.isel(video=0, video_other=4).compute(), whole.r[0, 4], atol=1e-12)
    assert sorted(read) == [1, 2]
    lazy.r.to_zarr(tmp_path / "isc.zarr", consolidated=False)
    np.testing.assert_allclose(xr.open_zarr(tmp_path / "isc.zarr", consolidated=False).r, whole.r, atol=1e-12)
    # each video is read once for the whole matrix
    assert sorted(read) == [1, 1, 2, 2, 2]


def test_isc__does_not_change_its_input():
    values = smooth(np.random.default_rng(15), 4, 40)
    values[0, :5] = np.nan
    ds = courses(values)
    before = ds.copy(deep=True)
    isc(ds, "f0", null="circular_shift", n_draws=19)
    xr.testing.assert_identical(ds, before)
