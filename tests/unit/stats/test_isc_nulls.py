"""p values of correlations between time courses: draws, what is counted, and the same answer however it is asked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import xarray as xr
from scipy.signal import lfilter

from facearray.errors import InputError
from facearray.stats import adjust, isc
from facearray.stats.intersubject import nulls
from facearray.stats.kernels.autocorrelation import autocorrelation, effective_pairs
from facearray.stats.kernels.comparison import Comparison
from facearray.stats.kernels.correlation import average_of_others, correlate
from facearray.stats.kernels.resampling import permutation_test
from facearray.stats.kernels.surrogate_statistic import SurrogateStatistic
from facearray.stats.kernels.surrogates import CircularShift, PhaseRandomization, Spans

BRAINIAK = json.loads((Path(__file__).parents[2] / "reference" / "brainiak_isc.json").read_text(encoding="utf-8"))
DRAWN = ["circular_shift", "phase"]
DIMS = ("video", "frame", "face", "feature")


def ar1(rng, n, n_time, rho, shared=0.0) -> np.ndarray:
    """Autoregressive series (n, n_time) of variance 1, with a part that all share."""
    noise = rng.normal(size=(n, n_time + 200)) * np.sqrt(1 - shared) + rng.normal(size=n_time + 200) * np.sqrt(shared)
    return lfilter([np.sqrt(1 - rho**2)], [1, -rho], noise, axis=1)[:, 200:]


def courses(values, labels=None, features=("f0",)) -> xr.Dataset:
    values = np.asarray(values, dtype=float)
    values = values[..., None] if values.ndim == 2 else values
    n, n_frames, _ = values.shape
    return xr.Dataset(
        {"features": (DIMS, values[:, :, None])},
        coords={
            "video": np.array(labels or [f"{i:02}.mp4" for i in range(n)], dtype=np.dtypes.StringDType()),
            "feature": list(features),
            "frame_number": (DIMS[:2], np.tile(np.arange(n_frames, dtype="i4"), (n, 1))),
            "timestamp": (DIMS[:2], np.tile(np.arange(n_frames) / 25, (n, 1))),
        },
    )


def surrogates(name, spans, least=1):
    return PhaseRandomization(spans) if name == "phase" else CircularShift(spans, np.full(len(spans.first), least))


# surrogates


@pytest.mark.parametrize("n_time", [50, 51])
def test_phase_randomization__keeps_the_spectrum_and_nothing_else(n_time):
    rng = np.random.default_rng(0)
    x = ar1(rng, 3, n_time, 0.8) + 5
    null = PhaseRandomization(Spans.of(x))
    changes = null.draw(rng, 4)
    changed = null.apply(x, changes)
    spectrum = np.abs(np.fft.rfft(x))
    np.testing.assert_allclose(np.abs(np.fft.rfft(changed)), np.broadcast_to(spectrum, (4, *spectrum.shape)))
    # new phases for every series and every draw
    assert len(np.unique(np.angle(np.fft.rfft(changed)[..., 3]).round(9))) == 12


def test_circular_shift__stays_within_the_span_of_each_series():
    x = np.full((3, 12), np.nan)
    x[0], x[1, 3:9], x[2, :4] = np.arange(12), np.arange(6), [1, np.nan, 3, 4]
    null = CircularShift(Spans.of(x), np.array([2, 2, 1]))
    changed = null.apply(x, np.array([[2, 2, 1]]))[0]
    np.testing.assert_array_equal(changed[0], np.roll(np.arange(12), 2))
    np.testing.assert_array_equal(changed[1], [np.nan] * 3 + [4, 5, 0, 1, 2, 3] + [np.nan] * 3)
    np.testing.assert_array_equal(changed[2], [4, 1, np.nan, 3] + [np.nan] * 8)
    drawn = null.draw(np.random.default_rng(0), 500)
    assert [sorted(set(column)) for column in drawn.T.tolist()] == [list(range(2, 11)), [2, 3, 4], [1, 2, 3]]


def test_circular_shift__a_series_that_is_too_short_stays():
    x = np.full((2, 20), np.nan)
    x[0], x[1, :5] = np.arange(20), np.arange(5)
    null = CircularShift(Spans.of(x), np.array([3, 3]))
    assert null.can_shift.tolist() == [True, False]
    assert (null.draw(np.random.default_rng(0), 20)[:, 1] == 0).all()


@pytest.mark.parametrize("name", DRAWN)
@pytest.mark.parametrize("join", ["pairwise", "leave_one_out"])
@pytest.mark.parametrize("n_time", [60, 61])
def test_surrogate_statistic__the_short_way_is_the_long_one(name, join, n_time):
    rng = np.random.default_rng(1)
    x = ar1(rng, 6, n_time, 0.7, 0.4)
    both = np.concatenate([x, average_of_others(x)]) if (name, join) == ("circular_shift", "leave_one_out") else x
    null = surrogates(name, Spans.of(both))
    test = SurrogateStatistic(x, null, Comparison(), join, two_sided=False)
    changes = null.draw(rng, 20)
    assert test._fast_pairs is not None
    assert (test._fast_rows is not None) == (join == "leave_one_out")
    fast = test(changes)
    object.__setattr__(test, "_fast_pairs", None)
    np.testing.assert_allclose(fast, test(changes), atol=5e-6 if name == "phase" else 1e-12)


@pytest.mark.parametrize("name", DRAWN)
def test_surrogate_statistic__draws_as_brainiak(name):
    """Quantiles of the mean correlation of pairs under the null, BrainIAK's mean being Fisher's."""
    x = np.array(BRAINIAK["data"])[:, 0].T
    # BrainIAK's shifts may be 0
    null = surrogates(name, Spans.of(x), least=0)
    test = SurrogateStatistic(x, null, Comparison(), "pairwise", two_sided=False)
    found = np.quantile(test(null.draw(np.random.default_rng(2), 4000))[:, -1], BRAINIAK["quantiles"])
    spread = found[-1] - found[0]
    np.testing.assert_allclose(found, BRAINIAK[f"{name}_pairwise"], atol=0.05 * spread)


@pytest.mark.parametrize("name", DRAWN)
def test_surrogate_statistic__one_with_the_others_draws_as_brainiak(name):
    """BrainIAK changes one series at a time and averages what it finds; so are the single ones here."""
    x = np.array(BRAINIAK["data"])[:, 0].T
    both = np.concatenate([x, average_of_others(x)]) if name == "circular_shift" else x
    null = surrogates(name, Spans.of(both), least=0)
    test = SurrogateStatistic(x, null, Comparison(), "leave_one_out", two_sided=False)
    r = test(null.draw(np.random.default_rng(2), 4000))[:, :-1]
    found = np.quantile(np.tanh(np.arctanh(r).mean(axis=1)), BRAINIAK["quantiles"])
    spread = found[-1] - found[0]
    np.testing.assert_allclose(found, BRAINIAK[f"{name}_leave_one_out"], atol=0.05 * spread)


# what is counted


def test_permutation_test__a_nan_draw_does_not_count():
    class Half:
        def draw(self, rng, size):
            return np.arange(size)

    def statistic(draws):
        t = np.stack([draws % 4 / 4.0, draws % 4 / 4.0, draws * np.nan], axis=1)
        t[draws % 2 == 1, 1] = np.nan
        return t

    found = permutation_test(statistic, np.array([0.5, 0.5, 0.5]), Half(), n_permutations=256)
    assert found.n_counted.tolist() == [256, 128, 0]
    assert found.p[:2].tolist() == [129 / 257, 65 / 129]
    # an outcome of which no draw says anything has no p
    assert np.isnan(found.p[2])


def test_isc__draws_that_leave_too_little_to_compare_are_no_draws():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(2, 40))
    x[0, 10:30], x[1, 12:28] = np.nan, np.nan
    found = isc(courses(x), "f0", null="circular_shift", n_draws=400, min_overlap=12)
    # after a shift the gaps no longer lie over each other, and many draws have too few shared times
    assert 0 < found.p.values[0, 1] < 1
    null = CircularShift(Spans.of(x), np.array([1, 1]))
    drawn = SurrogateStatistic(x, null, Comparison(min_overlap=12), "pairwise", two_sided=True)(null.draw(rng, 200))[
        :, 0
    ]
    assert 50 < np.isnan(drawn).sum() < 150


def test_isc__videos_too_short_to_be_shifted_are_named(monkeypatch):
    x = ar1(np.random.default_rng(4), 4, 200, 0.9)
    x[2:, 12:] = np.nan
    monkeypatch.setattr(nulls, "effective_size", lambda x: (~np.isnan(x)).sum(axis=1) / 10)
    found = isc(courses(x), "f0", null="circular_shift", n_draws=99)
    assert found.p.values[2, 3] == 1
    assert found.p.values[0, 1] < 1
    assert "02.mp4, 03.mp4" in " ".join(found.attrs["notes"])


def test_isc__phase_refuses_gaps():
    x = ar1(np.random.default_rng(5), 4, 50, 0.5)
    x[1, 20:23] = np.nan
    x[2, 40:] = np.nan
    with pytest.raises(InputError, match=r"found gaps in the time courses of 01.mp4 \(f0\).*interpolate"):
        isc(courses(x), "f0", null="phase")
    # an end is no gap
    x[1, 20:23] = 0
    assert isc(courses(x), "f0", null="phase", n_draws=19).p.notnull().sum() == 12


# results


@pytest.mark.parametrize("null", DRAWN)
@pytest.mark.parametrize("join", ["pairwise", "leave_one_out"])
@pytest.mark.parametrize("gaps", [False, True])
def test_isc__p_depends_on_the_seed_only(null, join, gaps):
    rng = np.random.default_rng(6)
    x = ar1(rng, 7, 60, 0.5, 0.2)
    if gaps:
        x[1, 50:], x[3, :7] = np.nan, np.nan
    ds = courses(x)
    options = {"feature": "f0", "null": null, "join": join, "n_draws": 300, "correction": "max_r"}
    wanted = isc(ds, **options)
    shuffled = isc(ds.isel(video=rng.permutation(7)).chunk(video=3, frame=11), **options).sel(video=ds.video)
    if join == "pairwise":
        shuffled = shuffled.sel(video_other=ds.video.values)
    for name in ("p", "p_adjusted", "p_mean", "r_mean"):
        np.testing.assert_allclose(shuffled[name], wanted[name], rtol=1e-12)
    assert not isc(ds, seed=1, **options).p.equals(wanted.p)
    assert (wanted.p_adjusted >= wanted.p - 1e-12).where(wanted.p.notnull(), True).all()
    assert wanted.attrs["seed"] == 0


def test_isc__client_shares_the_draws(monkeypatch):
    from distributed import Client

    ds = courses(ar1(np.random.default_rng(7), 4, 40, 0.5))
    wanted = isc(ds, "f0", null="phase", n_draws=600)
    with Client(n_workers=2, threads_per_worker=1, processes=False, dashboard_address=None) as client:
        xr.testing.assert_identical(isc(ds, "f0", null="phase", n_draws=600, client=client), wanted)


def test_isc__p_of_ranks_is_that_of_the_ranks():
    rng = np.random.default_rng(8)
    ds = courses(np.exp(ar1(rng, 5, 60, 0.6, 0.3)))
    found = isc(ds, "f0", method="spearman", null="circular_shift", n_draws=200)
    ranks = scipy.stats.rankdata(ds.features.values[:, :, 0, 0], axis=1)
    wanted = isc(courses(ranks), "f0", null="circular_shift", n_draws=200)
    np.testing.assert_allclose(found.r, wanted.r, atol=1e-12)
    # the autocorrelation times, and so the shifts, are those of the values and of the ranks
    clear = wanted.p.values < 0.05
    assert clear.any()
    assert (found.p.values < 0.05).tolist() == clear.tolist()


@pytest.mark.parametrize("method", ["pearson", "kendall"])
def test_isc__lagged_p_is_that_of_the_largest_over_lags(method):
    rng = np.random.default_rng(9)
    x = ar1(rng, 2, 40, 0.5)
    x[1, 3:] = x[0, :-3] + 0.3 * rng.normal(size=37)
    found = isc(courses(x), "f0", method=method, max_lag=0.12, null="circular_shift", n_draws=79)
    assert found.lag.values[0, 1] == pytest.approx(0.12)
    assert found.p.values[0, 1] < 0.03
    plain = isc(courses(x), "f0", method=method, null="circular_shift", n_draws=79)
    assert plain.p.values[0, 1] > found.p.values[0, 1]


def test_surrogate_statistic__the_choice_of_a_lag_is_part_of_every_draw():
    x = ar1(np.random.default_rng(9), 3, 50, 0.5)
    null = CircularShift(Spans.of(x), np.full(3, 5))
    drawn = {}
    for lag in (0, 5):
        test = SurrogateStatistic(x, null, Comparison(max_lag=lag), "pairwise", two_sided=True)
        drawn[lag] = np.nanmean(test(null.draw(np.random.default_rng(0), 50))[:, :3])
    assert drawn[5] > drawn[0]


def test_isc__windows_have_a_p_each():
    x = ar1(np.random.default_rng(11), 4, 100, 0.3)
    x[1, :50] = x[0, :50] + 0.1 * x[1, :50]
    found = isc(courses(x), "f0", window=2, step=2, null="circular_shift", n_draws=199)
    assert found.p.dims == ("time", "video", "video_other")
    assert found.p_mean.dims == ("time",)
    assert found.p.values[0, 0, 1] < 0.02
    assert found.p.values[1, 0, 1] > 0.05
    adjusted = isc(courses(x), "f0", window=2, step=2, null="circular_shift", n_draws=199, correction="holm")
    i, j = np.triu_indices(4, 1)
    np.testing.assert_allclose(adjusted.p_adjusted.values[:, i, j], adjust(found.p.values[:, i, j], "holm"))


def test_isc__mean_is_by_fisher_and_has_its_own_p():
    rng = np.random.default_rng(11)
    x = ar1(rng, 5, 80, 0.5, 0.3)
    found = isc(courses(np.stack([x, x[::-1]], axis=2), features=["a", "b"]), ["a", "b"], null="phase", n_draws=499)
    r, _ = correlate(x)
    mean = np.tanh(np.arctanh(r[np.triu_indices(5, 1)]).mean())
    assert found.r_mean.dims == ("feature",)
    np.testing.assert_allclose(found.r_mean, [mean, mean])
    assert (found.p_mean <= 0.01).all()
    assert np.isnan(found.p.values[np.arange(5), np.arange(5)]).all()


def test_isc__greater_is_half_of_two_sided_for_what_is_positive():
    x = ar1(np.random.default_rng(12), 3, 100, 0.3)
    x[2] = -x[0] + 0.5 * x[2]
    options = {"feature": "f0", "null": "effective_df"}
    two, one = isc(courses(x), **options), isc(courses(x), alternative="greater", **options)
    np.testing.assert_allclose(one.p, np.where(two.r > 0, two.p / 2, 1 - two.p / 2))
    assert isc(courses(x), "f0", null="phase", alternative="greater", n_draws=99).p.values[0, 2] > 0.95


# effective degrees of freedom


def test_effective_pairs__of_a_known_process():
    rng = np.random.default_rng(13)
    for rho in (0.0, 0.5, 0.9):
        x = ar1(rng, 40, 4000, rho)
        n = np.full((40, 40), 4000)
        found = np.median(effective_pairs(x, n)[np.triu_indices(40, 1)])
        # the sum of rho^2k, twice, and 1
        assert found == pytest.approx(4000 * (1 - rho**2) / (1 + rho**2), rel=0.1)


def test_effective_pairs__by_hand_with_a_missing_value():
    x = np.array([[1.0, 2, 3, 4, 3, 2, 1, 0, 1, 3], [0, 1, 1, 3, np.nan, 3, 2, 2, 0, 1]])
    r = autocorrelation(x)
    total, counts = np.array([10, 9]), np.array([[9, 8], [7, 6]])
    used = [[True, True], [True, False]]
    u = [[r[i, k + 1] * np.sqrt(total[i] / counts[i][k]) * used[i][k] for k in (0, 1)] for i in (0, 1)]
    wanted = 9 / max(1, 1 + 2 * (u[0][0] * u[1][0] + u[0][1] * u[1][1]))
    assert effective_pairs(x, np.array([[10, 9], [9, 9]]))[0, 1] == pytest.approx(wanted)


def test_isc__effective_df_without_autocorrelation_is_students_t():
    x = np.random.default_rng(14).normal(size=(2, 2000))
    found = isc(courses(x), "f0", null="effective_df").p.values[0, 1]
    assert found == pytest.approx(scipy.stats.pearsonr(*x).pvalue, rel=0.1)


def test_isc__correction_over_the_pairs():
    x = ar1(np.random.default_rng(15), 5, 80, 0.3, 0.2)
    found = isc(courses(x), "f0", null="effective_df", correction="fdr_bh")
    i, j = np.triu_indices(5, 1)
    np.testing.assert_allclose(found.p_adjusted.values[i, j], adjust(found.p.values[i, j], "fdr_bh"))
    assert found.attrs["correction"] == "fdr_bh"


def test_chunks_of_draws__depend_on_the_data_only(monkeypatch):
    ds = courses(ar1(np.random.default_rng(16), 4, 60, 0.5))
    wanted = isc(ds, "f0", null="circular_shift", n_draws=100)
    monkeypatch.setattr(nulls, "_CELLS", 60 * 4 * 7)
    found = isc(ds, "f0", null="circular_shift", n_draws=100)
    # other chunks are other draws, of the same null
    np.testing.assert_allclose(found.p, wanted.p, atol=0.2)


@pytest.mark.parametrize("null", [*DRAWN, "effective_df"])
@pytest.mark.parametrize("join", ["pairwise", "leave_one_out"])
@pytest.mark.parametrize("kind", ["one video", "two videos", "constant"])
def test_isc__too_little_for_a_test_has_no_p(null, join, kind):
    x = ar1(np.random.default_rng(17), {"one video": 1, "two videos": 2, "constant": 3}[kind], 40, 0.3)
    if kind == "constant":
        x[:] = [[1.0], [2.0], [3.0]]
    if (null, join) == ("effective_df", "leave_one_out"):
        pytest.skip("refused")
    found = isc(courses(x), "f0", null=null, join=join, n_draws=None if null == "effective_df" else 19)
    tested = kind == "two videos" and join == "pairwise"
    assert found.p.notnull().any().item() == tested
    if "p_mean" in found:
        assert found.p_mean.notnull().item() == tested


def test_surrogate_statistic__can_be_sent_to_workers():
    import pickle

    x = ar1(np.random.default_rng(18), 4, 40, 0.3)
    null = CircularShift(Spans.of(x), np.full(4, 2))
    test = SurrogateStatistic(x, null, Comparison(), "pairwise", two_sided=True)
    draws = null.draw(np.random.default_rng(0), 5)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(test))(draws), test(draws))
