"""Units of analysis: equal to what pandas makes of the frames, and to nothing else."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from facearray.errors import InputError, SchemaError
from facearray.stats import unit_values
from facearray.stats.units import levels

LENGTHS = {"f": 12, "b": 31, "d": 1, "a": 44, "empty": 0, "c": 30}


@pytest.fixture
def ds(recordings):
    ds = recordings(LENGTHS, n_faces=2)
    return ds.assign_coords(
        subject=("video", ["s2", "s1", "s1", "s3", "s3", "s2"]),
        condition=("video", ["x", "x", "y", "y", "y", "x"]),
        age=("video", [20.0, 30, 30, 40, 40, 20]),
    )


def frame_table(ds: xr.Dataset) -> pd.DataFrame:
    """One row a real frame and face, one column a feature."""
    ds = ds.compute()
    rows = [
        {"video": str(ds.video.values[v]), "face": k, "subject": str(ds.subject.values[v])}
        | dict(zip(ds.feature.values.tolist(), ds.features.values[v, t, k].astype("f8").tolist(), strict=True))
        for v in range(ds.sizes["video"])
        for t in range(ds.sizes["frame"])
        for k in range(ds.sizes["face"])
        if ds.frame_number.values[v, t] >= 0
    ]
    return pd.DataFrame(rows)


def by_pandas(ds: xr.Dataset, unit: str, how) -> np.ndarray:
    table = frame_table(ds).groupby([unit, "face"])[["Yaw", "AU12", "happiness"]].agg(how)
    return table.to_numpy().reshape(-1, ds.sizes["face"], 3)


@pytest.mark.parametrize("unit", ["video", "subject"])
@pytest.mark.parametrize("statistic", ["mean", "std", "min", "max", "median"])
def test_unit_values__equals_pandas(ds, unit, statistic):
    ds = ds.isel(video=ds.n_frames != 1)
    found = unit_values(ds, unit=unit, statistic=statistic, min_valid=0)
    np.testing.assert_allclose(found.values, by_pandas(ds, unit, statistic), rtol=1e-12)
    np.testing.assert_array_equal(found.n_valid_frames, by_pandas(ds, unit, "count"))
    assert found.labels.tolist() == sorted(set(ds[unit].values[ds.n_frames > 0].tolist()))


def test_unit_values__no_spread_of_one_frame(ds):
    found = unit_values(ds, statistic="std")
    assert found.excluded["d"] == "1 valid frame: too few for std"


def test_unit_values__prop_above(ds):
    found = unit_values(ds, statistic="prop_above", threshold=0.4, min_valid=0)
    wanted = by_pandas(ds, "video", lambda x: (x.dropna() > 0.4).mean())
    np.testing.assert_allclose(found.values, wanted, rtol=1e-12)


def test_unit_values__a_value_at_the_threshold_is_not_above_it(ds):
    ds = ds.assign(features=ds.features.where(ds.features.isnull(), np.float32(0.3)))
    assert (unit_values(ds, statistic="prop_above", threshold=0.3, min_valid=0).values[:2] == 0).all()


def test_unit_values__labels_coordinates_and_counts(ds):
    found = unit_values(ds, unit="subject", weights="n_frames")
    assert found.labels.tolist() == ["s1", "s2", "s3"]
    assert found.n_frames.tolist() == found.weights.tolist() == [32, 42, 44]
    assert found.coords["age"].tolist() == [30, 20, 40]
    assert "condition" in found.varying
    assert "condition" not in found.coords
    assert found.features.tolist() == ["Yaw", "AU12", "happiness"]
    assert found.faces.tolist() == [0, 1]
    assert unit_values(ds).weights.tolist() == [1] * 5


def test_unit_values__too_few_valid_frames(ds):
    values = ds.features.values.copy()
    values[1, 5:, 0, 0] = np.nan  # b: Yaw of one face is there in 4 of 31 frames
    values[3] = np.nan  # a: nothing at all
    ds = ds.assign(features=(ds.features.dims, values))
    found = unit_values(ds)
    assert found.labels.tolist() == ["b", "c", "d", "f"]
    assert found.excluded == {
        "a": "at most 0 of 44 frames have a value, less than the share 0.5",
        "empty": "no frames",
    }
    assert np.isnan(found.values[0, 0]).tolist() == [True, False, False]
    assert found.n_valid_frames[0, 0].tolist() == [4, 24, 24]
    assert found.attrs["excluded"][1] == "empty: no frames"
    assert not np.isnan(unit_values(ds, min_valid=4 / 31).values[0]).any()


def test_unit_values__missing_units_are_listed(ds):
    ds = ds.assign_coords(subject=("video", np.array(["s2", None, "s1", "s3", np.nan, "s2"], dtype=object)))
    found = unit_values(ds, unit="subject")
    assert found.labels.tolist() == ["s1", "s2", "s3"]
    assert found.n_frames.tolist() == [1, 42, 44]
    assert found.excluded == {"video b": "no subject", "video empty": "no subject"}


@pytest.mark.parametrize(
    ("values", "wanted"),
    [
        (np.array([2, 10, 2, 1, 1, 10]), [1, 2, 10]),
        (np.array([True, False, True, True, True, False]), [False, True]),
        (np.array(["b", "a", "b", "b", "b", "a"], dtype=np.dtypes.StringDType()), ["a", "b"]),
        (np.array(["b", "a", "b", "b", "b", "a"]), ["a", "b"]),
        (np.array([2.5, np.nan, 2.5, -1, -1, -1]), [-1, 2.5]),
        (np.array(["b", 1, "b", 1, 1, "b"], dtype=object), [1, "b"]),
    ],
)
def test_unit_values__units_of_any_dtype(ds, values, wanted):
    found = unit_values(ds.assign_coords(u=("video", values)), unit="u")
    assert found.labels.tolist() == wanted


def test_unit_values__frames(ds):
    found = unit_values(ds, unit="frame")
    table = frame_table(ds).drop(columns="subject").set_index(["video", "face"])
    table = table.sort_index(level="video", kind="stable", sort_remaining=False)
    wanted = table.to_numpy().reshape(-1, 2, 3)
    wanted = wanted[~np.isnan(wanted).all(axis=(1, 2))]
    np.testing.assert_array_equal(found.values, wanted)
    assert found.coords["video"].tolist() == found.labels.tolist() == sorted(found.labels)
    assert found.coords["frame_number"][:3].tolist() == [0, 1, 2]
    assert found.coords["subject"][0] == "s3"


def test_unit_values__frames_without_values_are_counted(ds):
    ds = ds.isel(face=[0])
    found = unit_values(ds, unit="frame")
    assert found.excluded["a"] == "9 frames without any value"
    assert len(found.values) == 118 - sum(-(-n // 5) for n in LENGTHS.values())


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    order=st.permutations(range(6)),
    chunks=st.none() | st.tuples(st.integers(1, 6), st.integers(5, 44)),
    n_padding=st.integers(0, 600),
    unit=st.sampled_from(["video", "subject", "frame"]),
    statistic=st.sampled_from(["mean", "std", "median"]),
)
def test_unit_values__same_whatever_order_chunks_or_padding(ds, padded, order, chunks, n_padding, unit, statistic):
    statistic = "mean" if unit == "frame" else statistic
    wanted = unit_values(ds, unit=unit, statistic=statistic)
    changed = padded(ds.isel(video=list(order)), n_padding)
    if chunks:
        changed = changed.chunk(video=chunks[0], frame=chunks[1])
    found = unit_values(changed, unit=unit, statistic=statistic)
    np.testing.assert_allclose(found.values, wanted.values, rtol=1e-13)
    assert found.labels.tolist() == wanted.labels.tolist()
    assert found.excluded == wanted.excluded
    for name, values in wanted.coords.items():
        np.testing.assert_array_equal(found.coords[name], values)


def test_unit_values__large_offsets_keep_their_digits(ds):
    values = ds.features.astype("f8") + 1e8
    found = unit_values(ds.assign(features=values), statistic="std").values
    np.testing.assert_allclose(found, unit_values(ds, statistic="std").values, rtol=1e-6)


def test_unit_values__never_changes_its_input(ds):
    before = ds.copy(deep=True)
    for unit in ("video", "subject", "frame"):
        unit_values(ds, unit=unit)
    xr.testing.assert_identical(ds, before)


def test_unit_values__features_from_an_iterator(ds):
    found = unit_values(ds, features=iter(["happiness", "Yaw"]))
    np.testing.assert_array_equal(found.values, unit_values(ds).values[:, :, [2, 0]])
    assert found.features.tolist() == ["happiness", "Yaw"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"unit": "sbject"}, "unknown coordinate on video 'sbject' .did you mean 'subject'"),
        ({"features": ["AU13"]}, "unknown feature or group 'AU13'"),
        ({"statistic": "men"}, "unknown statistic 'men' .did you mean 'mean'"),
        ({"min_valid": 50}, "min_valid=50; expected a share from 0 to 1"),
        ({"weights": "frames"}, "weights='frames'; expected None or 'n_frames'"),
        ({"statistic": "prop_above"}, "'prop_above' needs one"),
        ({"threshold": 0.5}, "threshold=0.5; 'prop_above' needs one, others none"),
        ({"unit": "frame", "weights": "n_frames"}, "unit='frame'"),
        ({"unit": "frame", "min_valid": 0.9}, "unit='frame' with a statistic, weights or min_valid"),
    ],
)
def test_unit_values__bad_options(ds, options, message):
    with pytest.raises(InputError, match=message):
        unit_values(ds, **options)


def test_unit_values__nothing_left(ds):
    empty = ds.assign(features=ds.features * np.nan)
    for unit in ("video", "frame"):
        with pytest.raises(InputError, match=f"found no {unit} with enough valid frames .*lower min_valid"):
            unit_values(empty, unit=unit)
    with pytest.raises(InputError, match="found no frame with enough"):
        unit_values(ds.isel(video=[4]), unit="frame")


def test_unit_values__not_detections(ds):
    with pytest.raises(SchemaError, match="frame_number"):
        unit_values(ds.drop_vars("frame_number"))
    with pytest.raises(InputError, match="same label: a, b"):
        unit_values(ds.assign_coords(video=["a", "a", "b", "b", "c", "d"]))


def test_population__says_what_the_coordinates_tell(ds):
    assert "no coordinate says who is seen" in unit_values(ds.drop_vars("subject")).attrs["population"]
    assert unit_values(ds).attrs["population"].startswith("5 videos of 3 subjects: other videos of the same people")
    assert unit_values(ds, unit="subject").attrs["population"].startswith("3 subjects: people like these")


@pytest.mark.parametrize("dtype", ["U3", "T", "i8", "?", object])
@given(values=st.lists(st.integers(0, 120), min_size=1))
def test_levels__are_those_of_sorted_python_values(dtype, values):
    array = np.array([f"{v:b}"[:3] if dtype in ("U3", "T") else v for v in values]).astype(dtype)
    names, codes = levels(array)
    assert names.tolist() == sorted(set(array.tolist()))
    assert names.dtype == array.dtype
    assert names[codes].tolist() == array.tolist()


def test_levels__missing_values():
    found, codes = levels(np.array(["b", pd.NA, None, "", "a"], dtype=object))
    assert found.tolist() == ["", "a", "b"]
    assert codes.tolist() == [2, -1, -1, 0, 1]
