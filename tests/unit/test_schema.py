from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from facearray.errors import InputError, SchemaError
from facearray.schema import (
    COORDS,
    DATA_VARS,
    DIMS,
    FEATURES,
    FRAMES_PER_CHUNK,
    GROUPS,
    MAX_CHUNK_BYTES,
    chunk_shape,
    feature_names,
    validate,
)

SIZES = {"video": 3, "frame": 2048, "face": 2, "feature": 90, "landmark": 478, "axis": 3, "component": 128}


def made(**sizes) -> xr.Dataset:
    """A Dataset with every variable and coordinate of the schema, filled with what was never written."""
    sizes = {**SIZES, "frame": 4, "landmark": 5, **sizes}
    arrays = {}
    for variable in (*DATA_VARS.values(), *COORDS.values()):
        shape = tuple(sizes[dim] for dim in variable.dims)
        arrays[variable.name] = (variable.dims, np.full(shape, variable.fill_value, variable.numpy_dtype))
    return xr.Dataset(arrays).set_coords(list(COORDS))


def test_registry__variables_have_known_dims_and_texts():
    for variable in (*DATA_VARS.values(), *COORDS.values()):
        assert set(variable.dims) <= set(DIMS)
        assert variable.description.endswith(".")
        assert np.full(1, variable.fill_value, variable.numpy_dtype).dtype == variable.numpy_dtype
    assert not set(DATA_VARS) & set(COORDS)


def test_registry__features_belong_to_groups_in_storage_order():
    assert [name for group in GROUPS.values() for name in group.features] == list(FEATURES)
    assert {f.group for f in FEATURES.values()} == set(GROUPS) - {"other"}
    counts = {name: len(group.features) for name, group in GROUPS.items()}
    assert counts == {
        "facebox": 5,
        "poses": 6,
        "aus": 20,
        "emotions": 7,
        "affect": 2,
        "gaze": 2,
        "blendshapes": 52,
        "other": 0,
    }


def test_feature_names__several_groups():
    assert feature_names("gaze", "affect") == ("gaze_pitch", "gaze_yaw", "valence", "arousal")


def test_feature_names__unknown_groups():
    with pytest.raises(InputError, match=r"unknown group of features 'emotion' \(did you mean 'emotions'"):
        feature_names("aus", "emotion")


@pytest.mark.parametrize("name", [v.name for v in (*DATA_VARS.values(), *COORDS.values()) if "frame" in v.dims])
@pytest.mark.parametrize("n_faces", [1, 20, 500])
def test_chunk_shape__one_video_and_bounded(name, n_faces):
    variable = {**DATA_VARS, **COORDS}[name]
    chunk = dict(zip(variable.dims, chunk_shape(variable, {**SIZES, "face": n_faces}), strict=True))
    assert chunk["video"] == 1
    assert FRAMES_PER_CHUNK % chunk["frame"] == 0
    assert np.prod(list(chunk.values())) * variable.numpy_dtype.itemsize <= MAX_CHUNK_BYTES
    assert all(chunk[dim] == {**SIZES, "face": n_faces}[dim] for dim in chunk if dim not in ("video", "frame"))


def test_validate__accepts_the_schema_and_what_it_does_not_know():
    validate(made())
    validate(made().assign(extra=("video", [1, 2, 3])).assign_coords(condition=("video", ["a", "b", "a"])))
    validate(made().drop_vars(["landmarks", "embedding", "axis"]))


def test_validate__only_what_is_asked_for():
    ds = made()[["features"]].drop_vars(["fps", "timestamp"])
    validate(ds, variables=["features", "frame_number"])
    with pytest.raises(SchemaError, match=r"found no 'timestamp'; expected a coordinate \(video, frame\) of float64"):
        validate(ds, variables=["features", "timestamp"])


def test_validate__raise_on_everything_at_once():
    ds = made().drop_vars("track_id").reset_coords("fps")
    ds["status"] = ("video", np.arange(3))
    ds = ds.set_coords("status").isel(face=0)
    with pytest.raises(SchemaError) as caught:
        validate(ds)
    message = str(caught.value)
    for part in (
        "found no 'track_id'; expected a coordinate (video, frame, face) of int32",
        "found 'fps' as a data variable; expected a coordinate (use Dataset.set_coords)",
        "found 'status' with dtype int64; expected str",
        "found 'features' with dims ('video', 'frame', 'feature'); expected a data variable",
        "keep a dim when selecting one element",
        "facearray.open_store",
    ):
        assert part in message
    assert message.count("\n  - ") == 6


def test_validate__raise_on_a_measurement_among_the_coordinates():
    with pytest.raises(SchemaError, match="found 'landmarks' as a coordinate; expected a data variable"):
        validate(made().set_coords("landmarks"))


def test_validate__raise_on_numbers_as_text():
    ds = made()
    ds["n_frames"] = ("video", ["1", "2", "3"])
    with pytest.raises(SchemaError, match=r"found 'n_frames' with dtype .*; expected int32"):
        validate(ds.set_coords("n_frames"))
