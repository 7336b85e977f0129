"""Correlations with pose: equal to pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from facearray.errors import InputError, SchemaError
from facearray.stats import pose_confound

FEATURES = ["Pitch", "Yaw", "AU06", "AU12"]


@pytest.fixture
def ds(recordings):
    rng = np.random.default_rng(0)
    ds = recordings({"f": 12, "b": 31, "d": 3, "a": 44, "empty": 0, "c": 30, "one": 1}, features=FEATURES, n_faces=2)
    values = ds.features.values + rng.normal(size=(7, 1, 2, 4)).astype("f4")
    values[..., 3] += values[..., 1]
    values[1, ::4, 0, 2] = np.nan
    return ds.assign(features=(ds.features.dims, values))


def frames(ds: xr.Dataset, face: int) -> pd.DataFrame:
    one = ds.features.isel(face=face).drop_vars(["group", "unit", "description"])
    table = one.to_dataset("feature").to_dataframe().reset_index()
    return table[table.frame_number >= 0].astype(dict.fromkeys(FEATURES, "f8"))


def test_pose_confound__units_equal_pandas(ds):
    found = pose_confound(ds, min_valid=0)
    assert found.r.dims == ("pose", "face", "feature")
    for face in (0, 1):
        means = frames(ds, face).groupby("video")[FEATURES].mean()
        wanted = means.corr().loc[["Pitch", "Yaw"], ["AU06", "AU12"]]
        np.testing.assert_allclose(found.r.sel(face=face), wanted, rtol=1e-12)
        assert (found.n.sel(face=face) == means.AU12.count()).all()
    assert found.attrs["unit"] == "video"


def test_pose_confound__within_equals_pandas(ds):
    found = pose_confound(ds, level="within")
    for face in (0, 1):
        table = frames(ds, face)
        for pose in ("Pitch", "Yaw"):
            for feature in ("AU06", "AU12"):
                pair = table[["video", pose, feature]].dropna()
                pair = pair[pair.groupby("video")[pose].transform("count") > 1]
                centred = pair[[pose, feature]] - pair.groupby("video")[[pose, feature]].transform("mean")
                here = found.sel(pose=pose, face=face, feature=feature)
                assert here.r.item() == pytest.approx(centred.corr().iloc[0, 1], rel=1e-9)
                assert here.n.item() == len(pair)
    assert (found.r.sel(pose="Yaw", feature="AU12") > 0.5).all()


@pytest.mark.parametrize("level", ["units", "within"])
def test_pose_confound__same_whatever_order_chunks_or_padding(ds, padded, level):
    changed = padded(ds.isel(video=[3, 6, 0, 2, 1, 5, 4]), 300).chunk(video=2, frame=100)
    xr.testing.assert_allclose(pose_confound(changed, level=level), pose_confound(ds, level=level), rtol=1e-12)


@pytest.mark.parametrize("level", ["units", "within"])
def test_pose_confound__nan_where_nothing_varies(ds, level):
    constant = ds.features.copy()
    constant[..., 2] = np.float32(0.1)
    found = pose_confound(ds.assign(features=constant), level=level)
    assert np.isnan(found.r.sel(feature="AU06")).all()
    assert not np.isnan(found.r.sel(feature="AU12")).any()


def test_pose_confound__labels(ds):
    found = pose_confound(ds, ["AU12"], pose=["Yaw"])
    assert found.pose.values.tolist() == ["Yaw"]
    assert found.feature.values.tolist() == ["AU12"]
    assert found.group.values.tolist() == ["aus"]
    assert "features=['AU12'], pose=['Yaw'], level='units'" in found.attrs["arguments"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"features": "AU13"}, "unknown feature or group 'AU13'"),
        ({"pose": "Yew"}, "unknown feature or group 'Yew' .did you mean 'Yaw'"),
        ({"level": "unit"}, "unknown level 'unit' .did you mean 'units'"),
        ({"unit": "person"}, "unknown coordinate on video 'person'"),
    ],
)
def test_pose_confound__bad_options(ds, options, message):
    with pytest.raises(InputError, match=message):
        pose_confound(ds, **options)


def test_pose_confound__not_detections(ds):
    with pytest.raises(SchemaError, match="frame_number"):
        pose_confound(ds.drop_vars("frame_number"))


def test_pose_confound__with_and_without_pose_is_statsmodels(ds):
    import statsmodels.api as sm

    from facearray.stats.units import unit_values

    condition = np.array(["x", "y"])[np.arange(ds.sizes["video"]) % 2]
    ds = ds.assign_coords(condition=("video", condition))
    names = ds.feature.values.tolist()
    pose, feature = names[0], names[1]
    found = pose_confound(ds, [feature], pose=[pose], by="condition", min_valid=0)
    units = unit_values(ds, features=[pose, feature], min_valid=0)
    x = (units.coords["condition"] == "y").astype(float)
    for face in range(ds.sizes["face"]):
        p, y = units.values[:, face].T
        for model, columns in (("alone", [x]), ("with pose", [x, p])):
            there = ~np.isnan(y) & ~np.isnan(np.column_stack(columns)).any(axis=1)
            fit = sm.OLS(y[there], sm.add_constant(np.column_stack(columns)[there])).fit()
            one = found.sel(model=model, term="condition[T.y]", feature=feature).isel(face=face)
            np.testing.assert_allclose(
                [one.beta, one.se, one.p], [fit.params[1], fit.bse[1], fit.pvalues[1]], rtol=1e-6
            )
    with pytest.raises(InputError, match="found by='condition' with level='within'"):
        pose_confound(ds, [feature], pose=[pose], by="condition", level="within")
