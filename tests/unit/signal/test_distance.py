"""Distances: those of scipy between means or frames."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from facearray.errors import InputError
from facearray.signal import distance, similarity

FEATURES = ["AU01", "AU06", "AU12", "Yaw"]


@pytest.fixture(scope="module")
def ds(recordings):
    ds = recordings({"b": 30, "a": 20, "none": 0, "one": 2}, n_faces=2, features=FEATURES)
    return ds.assign_coords(condition=("video", list("xyxx")))


@pytest.mark.parametrize("metric", ["euclidean", "cityblock", "cosine", "correlation"])
@pytest.mark.parametrize("standardize", [False, True])
def test_distance__of_means_is_scipy(ds, metric, standardize):
    found = distance(ds, metric=metric, standardize=standardize).distance
    means = ds.fex.aus.mean("frame").isel(video=[0, 1, 3], face=0).values.astype("f8")
    if standardize:
        means = means / means.std(axis=0)
    one = found.isel(face=0).sel(video=["b", "a", "one"], video_other=["b", "a", "one"])
    np.testing.assert_allclose(one, cdist(means, means, metric), atol=1e-6)
    assert found.dims == ("face", "video", "video_other")
    assert found.condition_other.dims == ("video_other",)


def test_distance__of_groups_counts_every_video_once(ds):
    found = distance(ds, between="condition").distance.isel(face=0)
    means = ds.fex.aus.mean("frame").isel(face=0)
    x, y = means.isel(video=[0, 3]).mean("video"), means.isel(video=1)
    assert found.sel(condition="x", condition_other="y").item() == pytest.approx(np.linalg.norm(x - y), rel=1e-5)
    np.testing.assert_allclose(np.diag(found), 0)


def test_distance__of_frames_is_scipy(ds):
    found = distance(ds, between="frame").distance
    assert found.dims == ("video", "face", "frame", "frame_other")
    x = ds.fex.aus.values[1, :, 1]
    np.testing.assert_allclose(found[1, 1], cdist(x, x), rtol=1e-6, equal_nan=True)
    assert np.isnan(found.sel(video="none")).all()


@pytest.mark.parametrize("metric", ["correlation", "cosine"])
def test_similarity__is_one_less_distance(ds, metric):
    found = similarity(ds, metric=metric)
    np.testing.assert_allclose(found.similarity, 1 - distance(ds, metric=metric).distance)
    assert found.attrs["metric"] == metric
    assert '"function": "similarity"' in found.attrs["steps"]


def test_similarity__of_correlation_is_numpy(ds):
    x = ds.fex.aus.values[0, :, 0]
    found = similarity(ds.isel(video=[0]), between="frame").similarity[0, 0]
    there = ~np.isnan(x).any(axis=1)
    np.testing.assert_allclose(found.values[np.ix_(there, there)], np.corrcoef(x[there]), atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "hamming"}, "found metric='hamming'; expected one of 'euclidean'"),
        ({"between": "person"}, "unknown coordinate on video 'person'"),
        ({"features": "AU13"}, "unknown feature or group 'AU13'"),
    ],
)
def test_distance__bad_options(ds, options, message):
    with pytest.raises(InputError, match=message):
        distance(ds, **options)


def test_distance__too_many_frames(ds):
    long = ds.isel(video=[0]).pad(frame=(0, 20000))
    with pytest.raises(
        InputError, match="GiB of distances between the 20030 frames of a video; expected 1 GiB or less"
    ):
        distance(long, between="frame")
