"""Corrections: equal to statsmodels, and what they promise."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from facearray.errors import InputError
from facearray.stats import adjust
from facearray.stats.corrections import METHODS

P = st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0])


@pytest.mark.parametrize("method", ["bonferroni", "holm", "fdr_bh", "fdr_by"])
@settings(max_examples=60, deadline=None)
@given(p=arrays(float, st.integers(1, 12), elements=P))
def test_adjust__equals_statsmodels(method, p):
    from statsmodels.stats.multitest import multipletests

    # it collects garbage at every call, which takes a second where much is loaded
    with mock.patch("gc.collect"):
        expected = multipletests(p, method=method)[1]
    np.testing.assert_allclose(adjust(p, method), expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=60, deadline=None)
@given(p=arrays(float, st.integers(1, 12), elements=P | st.just(np.nan)))
def test_adjust__monotone_capped_and_blind_to_what_is_no_test(method, p):
    before = p.copy()
    adjusted = adjust(p, method)
    np.testing.assert_array_equal(p, before)
    there = ~np.isnan(p)
    np.testing.assert_array_equal(np.isnan(adjusted), ~there)
    np.testing.assert_array_equal(adjusted[there], adjust(p[there], method))
    assert (adjusted[there] >= p[there]).all()
    assert (adjusted[there] <= 1).all()
    assert (np.diff(adjusted[there][np.argsort(p[there])]) >= 0).all()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("axis", [0, 1, -1, (0, 2), (2, 0), None])
def test_adjust__families_are_adjusted_by_themselves(method, axis):
    p = np.random.default_rng(0).random((3, 4, 5)) ** 3
    p[1, 2, 3] = np.nan
    adjusted = adjust(p, method, axis)
    axes = range(3) if axis is None else {a % 3 for a in np.atleast_1d(axis)}
    for index in np.ndindex(*(1 if a in axes else n for a, n in enumerate(p.shape))):
        family = tuple(slice(None) if a in axes else index[a] for a in range(3))
        np.testing.assert_array_equal(adjusted[family].ravel(), adjust(p[family].ravel(), method))


def test_adjust__by_names_of_dims():
    p = xr.DataArray(np.random.default_rng(1).random((2, 6)), dims=("term", "feature"), coords={"term": ["a", "b"]})
    adjusted = adjust(p, "holm", "feature")
    np.testing.assert_array_equal(adjusted, adjust(p.values, "holm", 1))
    assert adjusted.attrs == {"correction": "holm", "family": "feature"}
    assert adjusted.term.values.tolist() == ["a", "b"]
    assert p.attrs == {}
    assert adjust(p, None).attrs == {"correction": "none", "family": "term, feature"}


def test_adjust__multiplies_and_does_not_divide():
    assert adjust(np.array([0.01] * 20), "bonferroni").tolist() == [0.2] * 20


def test_adjust__bad_arguments():
    p = np.array([0.1, 0.2])
    with pytest.raises(InputError, match=r"unknown correction 'bonferoni' \(did you mean 'bonferroni'"):
        adjust(p, "bonferoni")
    with pytest.raises(InputError, match=r"p values from -0.1 to 1.5; expected values from 0 to 1"):
        adjust(np.array([-0.1, 1.5]), "holm")
    with pytest.raises(InputError, match=r"axis=1; expected axes of an array of 1 dims"):
        adjust(p, "holm", 1)
    with pytest.raises(InputError, match=r"unknown dim 'featur' \(did you mean 'feature'"):
        adjust(xr.DataArray(p, dims="feature"), "holm", "featur")
