"""Co-occurrence and asymmetry: equal to counting by hand."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from time_courses import one_video, videos

from facearray.errors import InputError, SchemaError
from facearray.signal import asymmetry, cooccurrence, cooccurrence_network


@pytest.fixture
def ds(recordings):
    return recordings({"b": 40, "a": 25, "none": 0, "one": 1}, n_faces=2, features=["AU06", "AU12", "AU25"])


def test_cooccurrence__is_counting(ds):
    measures = ("joint", "jaccard", "conditional", "lift", "phi")
    found = cooccurrence(ds, threshold=0.4, measures=measures)
    for video, face in ((0, 0), (1, 1)):
        x = ds.features.values[video, :, face]
        x = x[~np.isnan(x).any(axis=1)]
        for i in range(3):
            for j in range(3):
                a, b = x[:, i] > np.float32(0.4), x[:, j] > np.float32(0.4)
                one = found.isel(video=video, face=face, feature=i, feature_other=j)
                assert one.n.item() == len(x)
                assert one.joint.item() == pytest.approx((a & b).mean())
                assert one.jaccard.item() == pytest.approx((a & b).sum() / (a | b).sum())
                assert one.conditional.item() == pytest.approx((a & b).sum() / a.sum())
                assert one["lift"].item() == pytest.approx((a & b).mean() / a.mean() / b.mean())
                assert one.phi.item() == pytest.approx(np.corrcoef(a, b)[0, 1])
    assert np.isnan(found.joint.sel(video="none")).all()


def test_cooccurrence__a_frame_counts_where_both_have_a_value():
    x = np.array([[0.9, 0.9], [0.9, np.nan], [0.9, 0.1], [np.nan, 0.9]])
    found = cooccurrence(one_video(x), measures="conditional")
    assert found.n.squeeze().values.tolist() == [[3, 2], [2, 3]]
    assert found.conditional.squeeze().values.tolist() == [[1, 0.5], [1, 1]]


def test_cooccurrence_network__edges_are_means_over_videos(ds):
    found = cooccurrence(ds, threshold=0.4)
    edges = cooccurrence_network(found, least=0.0)
    mean = found.jaccard.mean("video")
    assert len(edges) == 2 * 3
    assert edges.weight.is_monotonic_decreasing
    for _, edge in edges.iterrows():
        expected = mean.sel(feature=edge.feature, feature_other=edge.feature_other).isel(face=edge.face)
        assert edge.weight == pytest.approx(expected.item())
    assert len(cooccurrence_network(found, least=0.99)) == 0
    directed = cooccurrence_network(cooccurrence(ds, measures="conditional"), "conditional", least=0.0)
    assert len(directed) == 2 * 6


def test_cooccurrence__bad_input(ds):
    with pytest.raises(InputError, match=r"unknown measure 'joints' .did you mean 'joint'"):
        cooccurrence(ds, measures="joints")
    with pytest.raises(InputError, match="found threshold=nan; expected a finite number"):
        cooccurrence(ds, threshold=np.nan)
    with pytest.raises(SchemaError, match=r"expected a result of facearray.signal.cooccurrence"):
        cooccurrence_network(ds)
    with pytest.raises(InputError, match="unknown measure 'phi'"):
        cooccurrence_network(cooccurrence(ds), "phi")
    with pytest.raises(InputError, match="found least=nan; expected a finite number"):
        cooccurrence_network(cooccurrence(ds), least=np.nan)


SIDES = ["AU12_left", "AU12_right", "browDownLeft", "browDownRight", "jawLeft", "jawRight", "AU01_left"]


def test_asymmetry__left_less_right_of_what_has_two_sides():
    x = np.array([[0.8, 0.2, 0.1, 0.3, 0.5, 0.1, 0.9], [0.02, 0.04, np.nan, 0.3, 0, 0, 0]], "f4")
    ds = one_video(x, features=SIDES)
    found = asymmetry(ds, mirrored=False)
    assert found.feature.values.tolist() == ["AU12_asymmetry", "browDown_asymmetry"]
    np.testing.assert_allclose(found.features.squeeze(), [[0.6, -0.2], [-0.02, np.nan]], atol=1e-6)
    index = asymmetry(ds, "AU12", mirrored=False, kind="index")
    np.testing.assert_allclose(index.features.squeeze(), [0.6, np.nan], atol=1e-6)
    index = asymmetry(ds, "AU12", mirrored=False, kind="index", min_sum=0.05)
    np.testing.assert_allclose(index.features.squeeze(), [0.6, -1 / 3], atol=1e-6)


def test_asymmetry__mirrored_recordings_turn_the_sign():
    ds = videos(np.full((2, 3, 1, 2), 0.5) * [1, 0.5], features=SIDES[:2])
    ds = ds.assign_coords(selfie=("video", [True, False]))
    assert asymmetry(ds, mirrored=True).features.values.ravel().tolist() == [-0.25] * 6
    assert asymmetry(ds, mirrored="selfie").features[:, 0].values.ravel().tolist() == [-0.25, 0.25]


def test_asymmetry__warns_where_nobody_knows():
    ds = one_video(np.ones((3, 2)), features=SIDES[:2])
    with pytest.warns(UserWarning, match="nothing says whether the recordings are mirrored") as caught:
        asymmetry(ds)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="mirrored") as caught:
        ds.fex.asymmetry()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        asymmetry(ds, mirrored=False)


def test_asymmetry__bad_input():
    ds = one_video(np.ones((3, 2)), features=SIDES[:2]).assign_coords(who=("video", ["x"]))
    with pytest.raises(InputError, match="unknown feature with two sides 'AU06'"):
        asymmetry(ds, "AU06", mirrored=False)
    with pytest.raises(InputError, match=r"found no feature that is measured on both sides.*sides=True"):
        asymmetry(one_video(np.ones(3)), mirrored=False)
    with pytest.raises(InputError, match="unknown coordinate on video 'selfy'"):
        asymmetry(ds, mirrored="selfy")
    with pytest.raises(InputError, match="in 'who'; expected True and False"):
        asymmetry(ds, mirrored="who")
    with pytest.raises(InputError, match="found kind='ratio'"):
        asymmetry(ds, kind="ratio", mirrored=False)
    with pytest.raises(InputError, match=r"found min_sum=0.1 with kind='difference', which has no sum"):
        asymmetry(ds, min_sum=0.1, mirrored=False)
