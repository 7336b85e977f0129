"""Detection rates by condition: equal to scipy's permutation test."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facearray.errors import InputError, SchemaError
from facearray.stats import missingness


@pytest.fixture
def ds(recordings):
    """Eleven videos; fewer faces where the condition is dark."""
    rng = np.random.default_rng(0)
    ds = recordings({f"{i:02d}": int(n) for i, n in enumerate(rng.integers(20, 40, 11))})
    condition = np.array(["dark"] * 5 + ["light"] * 6)
    lost = rng.random(ds.frame_number.shape) < np.where(condition == "dark", 0.5, 0.3)[:, None]
    ds = ds.assign(features=ds.features.where(~xr.DataArray(lost, dims=("video", "frame"))))
    return ds.assign_coords(
        condition=("video", condition),
        three=("video", list("aabbccabcab")),
        subject=("video", [f"s{i // 2}" for i in range(11)]),
        mixed=("video", list("xyxyxyxyxyx")),
    )


def rates(ds: xr.Dataset) -> np.ndarray:
    real = ds.frame_number.values >= 0
    found = ds.features.notnull().any("feature").values[:, :, 0] & real
    return found.sum(axis=1) / real.sum(axis=1)


def test_missingness__two_groups_equal_scipy(ds):
    from scipy import stats

    found = missingness(ds, "condition")
    y, dark = rates(ds), ds.condition.values == "dark"
    np.testing.assert_allclose(found.detection_rate[:, 0], [y[dark].mean(), y[~dark].mean()])
    assert found.n_units.values.tolist() == [5, 6]
    wanted = stats.permutation_test(
        (y[dark], y[~dark]), lambda a, b: abs(a.mean() - b.mean()), alternative="greater", n_resamples=np.inf
    )
    assert found.p.item() == pytest.approx(wanted.pvalue, rel=1e-12)
    assert found.attrs["arrangements"] == 462
    assert found.attrs["exact"] == "true"
    assert found.attrs["smallest_p"] == 1 / 462


def test_missingness__three_groups_near_scipy(ds):
    from scipy import stats

    y, groups = rates(ds), [ds.three.values == g for g in "abc"]
    exact = stats.permutation_test(
        tuple(y[g] for g in groups),
        lambda *parts: stats.f_oneway(*parts).statistic,
        alternative="greater",
        n_resamples=4000,
        rng=np.random.default_rng(0),
    ).pvalue
    found = missingness(ds, "three", n_permutations=4000)
    assert found.attrs["exact"] == "false"
    assert found.attrs["arrangements"] == 4000
    assert found.p.item() == pytest.approx(exact, abs=5 * np.sqrt(0.5 / 4000))


def test_missingness__few_units_in_three_groups_are_enumerated(ds):
    few = ds.isel(video=[0, 1, 2, 3, 4, 5])
    found = missingness(few, "three")
    assert found.attrs["exact"] == "true"
    assert found.p.item() * 720 == pytest.approx(round(found.p.item() * 720))


def test_missingness__by_subject(ds):
    ds = ds.assign_coords(condition=("video", ["dark"] * 6 + ["light"] * 5))
    found = missingness(ds, "condition", unit="subject")
    assert found.n_units.values.tolist() == [3, 3]
    assert found.attrs["arrangements"] == 20
    real = (ds.frame_number >= 0).sum("frame").values
    seen = np.round(rates(ds) * real)
    pooled = [seen[2 * i : 2 * i + 2].sum() / real[2 * i : 2 * i + 2].sum() for i in range(6)]
    np.testing.assert_allclose(found.detection_rate[:, 0], [np.mean(pooled[:3]), np.mean(pooled[3:])])


@pytest.mark.parametrize("share", [1.0, 0.7, 0.1])
def test_missingness__no_difference_at_all(recordings, share):
    ds = recordings({f"{i}": 10 for i in range(9)}).assign_coords(condition=("video", list("aabbababa")))
    there = xr.DataArray(np.arange(10) < 10 * share, dims="frame")
    ds = ds.assign(features=xr.full_like(ds.features, 1).where(there))
    assert missingness(ds, "condition").p.item() == 1


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(order=st.permutations(range(11)), n_padding=st.integers(0, 100), by=st.sampled_from(["condition", "three"]))
def test_missingness__same_whatever_order_or_padding(ds, padded, order, n_padding, by):
    changed = padded(ds.isel(video=list(order)), n_padding).chunk(video=3, frame=17)
    options = {"n_permutations": 500, "seed": 3}
    xr.testing.assert_identical(missingness(changed, by, **options), missingness(ds, by, **options))


def test_missingness__lists_what_it_excludes(ds, recordings):
    values = ds.condition.values.astype(object)
    values[3] = None
    found = missingness(ds.assign_coords(condition=("video", values)).isel(frame=slice(0, 25)), "condition")
    assert found.attrs["excluded"] == ["video 03: no condition"]
    assert found.n_units.values.tolist() == [4, 6]


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_missingness__is_calibrated(recordings, rho):
    rng = np.random.default_rng(5)
    n_video, n_frame, n_simulations = 8, 24, 300
    ds = recordings({f"{i}": n_frame for i in range(n_video)}, features=["AU12"])
    ds = ds.assign_coords(condition=("video", list("aabbabab")))
    rejected = 0
    for _ in range(n_simulations):
        z = rng.standard_normal((n_video, n_frame))
        for t in range(1, n_frame):
            z[:, t] = rho * z[:, t - 1] + np.sqrt(1 - rho**2) * z[:, t]
        values = np.where(z > 0, 1, np.nan).astype("f4")[:, :, None, None]
        rejected += missingness(ds.assign(features=(ds.features.dims, values)), "condition").p.item() <= 0.05
    assert rejected / n_simulations <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / n_simulations)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": "conditon"}, "unknown coordinate on video 'conditon' .did you mean 'condition'"),
        ({"by": "condition", "unit": "subjct"}, "unknown coordinate on video 'subjct'"),
        ({"by": "mixed", "unit": "subject"}, "several values of 'mixed' within the subject s0, s1.*unit='video'"),
        ({"by": "status"}, "found 1 group of 'status' with frames; expected at least two"),
        ({"by": "source"}, "found one video in every group of 'source'"),
        ({"by": "condition", "n_permutations": 0}, "n_permutations=0; expected a positive number"),
    ],
)
def test_missingness__bad_options(ds, options, message):
    with pytest.raises(InputError, match=message):
        missingness(ds, **options)


def test_missingness__not_detections(ds):
    with pytest.raises(SchemaError, match="frame_number"):
        missingness(ds.drop_vars("frame_number"), "condition")
