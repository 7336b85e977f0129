"""Components: those of scikit-learn on all samples at once, however they are streamed."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from facearray.errors import InputError, SchemaError
from facearray.signal import decompose

AUS = ["AU01", "AU04", "AU06", "AU12", "AU25"]


@pytest.fixture(scope="module")
def ds(recordings):
    """Mixtures of two independent courses and noise, with missing faces and single values."""
    rng = np.random.default_rng(0)
    ds = recordings({"b": 300, "a": 150, "none": 0, "one": 1}, n_faces=2, features=[*AUS, "Yaw"], n_landmarks=3)
    shape = ds.features.shape[:3]
    sources = np.stack([rng.laplace(size=shape), rng.uniform(-1.7, 1.7, size=shape)], axis=-1)
    mixing = np.array([[1, 0.2], [0.5, -1], [2, 0.1], [0.3, 0.4], [-0.2, 1.5], [0.0, 3]])
    values = sources @ mixing.T + rng.normal(scale=0.3, size=ds.features.shape) + np.arange(6)
    values = np.where(np.isnan(ds.features.values), np.nan, values)
    values[0, 10:14, 0, 2] = np.nan
    return ds.assign(features=(ds.features.dims, values.astype("f4")))


def samples(ds: xr.Dataset) -> np.ndarray:
    x = ds.fex.select(AUS).values.reshape(-1, 5).astype("f8")
    return x[~np.isnan(x).any(axis=1)]


def same_up_to_sign(found: np.ndarray, expected: np.ndarray, **tolerance: float) -> None:
    signs = np.sign((found * expected).sum(axis=1, keepdims=True))
    np.testing.assert_allclose(found, signs * expected, **tolerance)


@pytest.mark.parametrize("standardize", [False, True])
def test_decompose__pca_is_that_of_all_samples(ds, standardize):
    from sklearn.decomposition import PCA

    x = samples(ds)
    scale = x.std(axis=0) if standardize else np.ones(5)
    expected = PCA(3).fit(x / scale)
    found = decompose(ds, AUS, n_components=3, standardize=standardize)
    same_up_to_sign(found.components.values, expected.components_, atol=1e-6)
    np.testing.assert_allclose(found.share, expected.explained_variance_ratio_, rtol=1e-6)
    scores = found.scores.values.reshape(-1, 3)
    there = ~np.isnan(scores).any(axis=1)
    assert there.sum() == len(x) == found.scores.attrs["n_samples"]
    same_up_to_sign(scores[there].T, expected.transform(x / scale).T, atol=1e-5)
    # scikit-learn's estimator speaks of all samples, too
    for name in ("mean_", "n_samples_", "explained_variance_", "singular_values_", "noise_variance_"):
        np.testing.assert_allclose(getattr(found.estimator, name), getattr(expected, name), rtol=1e-6, err_msg=name)
    same_up_to_sign(found.estimator.transform(x / scale).T, expected.transform(x / scale).T, atol=1e-5)
    assert (found.components.values[np.arange(3), np.abs(found.components.values).argmax(axis=1)] > 0).all()


def test_decompose__factors_are_those_of_all_samples(ds):
    from sklearn.decomposition import FactorAnalysis

    x = samples(ds)
    expected = FactorAnalysis(2, svd_method="lapack", tol=1e-7, max_iter=20000).fit(x)
    found = decompose(ds, AUS, n_components=2, method="factor")
    order = np.argsort(-(expected.components_**2).sum(axis=1))
    same_up_to_sign(found.components.values, expected.components_[order], atol=1e-4)
    assert found.components.component.values.tolist() == ["F1", "F2"]


def test_decompose__factor_scores_are_those_of_scikit_learn(ds):
    found = decompose(ds, AUS, n_components=2, method="factor")
    x = samples(ds)
    scores = found.scores.values.reshape(-1, 2)
    scores = scores[~np.isnan(scores).any(axis=1)]
    expected = found.estimator.transform(x)
    for column in expected.T:
        assert np.abs(np.corrcoef(column, scores.T)[0, 1:]).max() == pytest.approx(1, abs=1e-6)


def test_decompose__independent_components_are_the_sources(ds):
    found = decompose(ds, AUS, n_components=2, method="ica")
    whole = found.components.values
    # loadings times the standard deviations of the sources, 2 ** .5 and 1.7 / 3 ** .5
    np.testing.assert_allclose(np.abs(whole).max(axis=1), [2 * 2**0.5, 1.5 * 1.7 / 3**0.5], rtol=0.05)
    scores = found.scores.values.reshape(-1, 2)
    np.testing.assert_allclose(np.nanstd(scores, axis=0), 1, rtol=1e-2)
    np.testing.assert_allclose(found.estimator.transform(samples(ds)).mean(axis=0), 0, atol=1e-6)


def test_decompose__non_negative_parts_rebuild_the_data(ds):
    rng = np.random.default_rng(1)
    parts = np.array([[1, 0.5, 0, 0, 0], [0, 0, 1, 0.2, 0.7]])
    values = rng.gamma(1, size=(2, 60, 2, 2)) @ parts
    array = xr.DataArray(values, dims=("video", "time", "face", "feature"), coords={"feature": AUS})
    found = decompose(array, n_components=2, method="nmf")
    np.testing.assert_allclose(found.inverse().transpose(*array.dims), array, atol=0.02)
    assert (found.components >= 0).all()
    assert found.share.sum().item() == pytest.approx(1)
    with pytest.raises(InputError, match=r"found values below 0, down to -.*expected none with method='nmf'"):
        decompose(array - 1, n_components=2, method="nmf")


@pytest.mark.parametrize("method", ["pca", "ica", "factor"])
def test_decompose__the_same_whatever_order_chunks_or_padding(ds, padded, method):
    expected = decompose(ds, AUS, n_components=2, method=method, max_bytes=8000)
    order = [3, 1, 0, 2]
    changed = padded(ds.isel(video=order), 700).chunk(video=2, frame=64, feature=2)
    found = decompose(changed, AUS, n_components=2, method=method, max_bytes=8000)
    np.testing.assert_allclose(found.components, expected.components, atol=1e-5)
    assert found.scores.chunks is not None
    scores = found.scores.isel(frame=slice(300)).compute().sortby("video")
    np.testing.assert_allclose(scores, expected.scores.sortby("video"), atol=1e-4)
    if method == "ica":
        assert found.scores.attrs["n_samples_fit"] <= 201 < found.scores.attrs["n_samples"]


def test_decompose__inverse_of_all_components_is_the_data(ds):
    found = decompose(ds, AUS, n_components=5, standardize=True)
    rebuilt = found.inverse().transpose("video", "frame", "face", "feature")
    expected = ds.fex.select(AUS)
    there = ~np.isnan(expected).any("feature")
    np.testing.assert_allclose(rebuilt.where(there), expected.where(there), atol=1e-5)
    first = found.inverse(found.scores.sel(component=["PC1"]))
    assert first.sizes == rebuilt.sizes


def test_decompose__inverse_of_scores_that_name_no_components(ds):
    found = decompose(ds, AUS, n_components=2)
    with pytest.raises(InputError, match=r"expected 'component' among them.*scores\.isel\(component=\[0\]\)"):
        found.inverse(found.scores.isel(component=0))
    with pytest.raises(InputError, match=r"unknown component 'PC3' \(did you mean 'PC"):
        found.inverse(found.scores.assign_coords(component=["PC1", "PC3"]))
    bare = found.scores.drop_vars("component")
    np.testing.assert_array_equal(found.inverse(bare), found.inverse())
    with pytest.raises(InputError, match="found 1 of dim component; expected 2, or labels"):
        found.inverse(bare.isel(component=[0]))


def test_decompose__any_dims(ds):
    points = ds.landmarks.assign_coords(landmark=[1, 2, 3])
    found = decompose(points, n_components=2, dim=("landmark", "axis"))
    assert found.components.dims == ("component", "landmark", "axis")
    assert found.scores.dims == ("video", "frame", "face", "component")
    assert found.components.landmark.values.tolist() == [1, 2, 3]
    x = points.values.reshape(-1, 9)
    x = x[~np.isnan(x).any(axis=1)]
    values = np.linalg.eigvalsh(np.cov(x.T.astype("f8"), bias=True))[::-1]
    np.testing.assert_allclose(found.share, values[:2] / values.sum(), rtol=1e-5)
    means = ds.features.mean("frame").isel(video=[0, 1], face=0)
    by_video = decompose(means, n_components=1, dim="video")
    assert by_video.components.dims == ("component", "video")
    assert by_video.scores.dims == ("feature", "component")


def test_decompose__transform_matches_labels(ds):
    found = decompose(ds, AUS, n_components=2)
    other = found.transform(ds.isel(feature=[5, 4, 3, 2, 1, 0]))
    xr.testing.assert_allclose(other, found.scores)
    with pytest.raises(InputError, match="found no feature AU25; expected all that were decomposed"):
        found.transform(ds.isel(feature=slice(4)))


def test_decompose__the_accessor_and_the_text(ds):
    found = ds.fex.decompose(AUS, n_components=2)
    assert str(found).startswith("<Decomposition of {'feature': 5}: PC1: ")
    assert ds.features.fex.decompose(AUS, n_components=2).scores.equals(found.scores)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_components": 6}, "found n_components=6; expected at most 5, the number of measures"),
        ({"n_components": 0}, "found n_components=0; expected a whole number, 1 or more"),
        ({"n_components": 2, "method": "svd"}, "found method='svd'; expected one of 'pca', 'ica'"),
        ({"n_components": 2, "max_bytes": 0}, "found max_bytes=0"),
        ({"n_components": 2, "dim": "frame"}, "samples with a value of all 300 measures; expected more than 2"),
    ],
)
def test_decompose__bad_input(ds, options, message):
    with pytest.raises(InputError, match=message):
        decompose(ds, AUS, **options)


def test_decompose__bad_dims(ds):
    with pytest.raises(SchemaError, match="found dims video, frame, face, feature; expected landmark"):
        decompose(ds, n_components=1, dim=("landmark", "feature"))
    with pytest.raises(SchemaError, match="found no dim beside feature"):
        decompose(ds.features[0, 0, 0], n_components=1)
    with pytest.raises(SchemaError, match="found no 'features' among mean"):
        decompose(xr.Dataset({"mean": ("feature", np.ones(3))}), n_components=1)
