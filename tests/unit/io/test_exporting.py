from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

import facearray as fa
from facearray.errors import FaceArrayError, InputError, SchemaError, StructureError
from facearray.io.exporters import frames, pyfeat
from facearray.io.exporting import FORMATS, export, read_export
from facearray.testing import random_dataset

NAMES = {"parquet": "x.parquet", "csv": "x.csv", "netcdf": "x.nc", "bids": "x"}
TABLES = ("parquet", "csv", "bids")

pytest.importorskip("h5netcdf")


def target(folder: Path, kind: str) -> Path:
    return folder / NAMES[kind]


def without_padding(ds: xr.Dataset) -> xr.Dataset:
    """What a table can hold: the real frames of each video, one after another."""
    frame_number = ds["frame_number"].values
    longest = max([int((row >= 0).sum()) for row in frame_number], default=0)
    order = [np.r_[np.flatnonzero(row >= 0), np.flatnonzero(row < 0)][:longest] for row in frame_number]
    positions = xr.DataArray(np.array(order, dtype=int).reshape(len(frame_number), longest), dims=("video", "frame"))
    video = xr.DataArray(np.arange(len(frame_number)), dims="video")
    framed = [name for name, variable in ds.variables.items() if "frame" in variable.dims]
    packed = {name: ds[name].drop_vars(list(ds[name].coords)).isel(video=video, frame=positions) for name in framed}
    return ds.drop_dims("frame").assign(packed).set_coords([name for name in framed if name in ds.coords])


def assert_same(found: xr.Dataset, expected: xr.Dataset) -> None:
    xr.testing.assert_identical(found, expected)
    assert set(found.coords) == set(expected.coords)
    for name, variable in expected.variables.items():
        assert found[name].dtype == variable.dtype, name
        if variable.dtype == np.float32:
            known = ~np.isnan(variable.values)
            bits = [v.view(np.uint32)[known] for v in (found[name].values, np.ascontiguousarray(variable.values))]
            np.testing.assert_array_equal(*bits, err_msg=str(name))


def with_everything(ds: xr.Dataset, seed: int, *, texts: bool) -> xr.Dataset:
    """Add what users join and annotate."""
    rng = np.random.default_rng(seed)
    n_videos, n_frames, n_faces = (ds.sizes[dim] for dim in ("video", "frame", "face"))
    real = ds["frame_number"].values >= 0
    role = np.array([[f"r{i}{j}" for j in range(n_faces)] for i in range(n_videos)], dtype=np.dtypes.StringDType())
    ds = ds.assign_coords(
        condition=("video", np.array([f"c,{i}\n" for i in range(n_videos)], dtype=np.dtypes.StringDType())),
        age=("video", rng.normal(size=n_videos)),
        session=("video", rng.integers(0, 9, n_videos)),
        invited=("video", rng.random(n_videos) < 0.5),
        recorded=("video", rng.integers(0, 2**40, n_videos).astype("M8[ns]")),
        role=(("video", "face"), role.reshape(n_videos, n_faces)),
        phase=(("video", "frame"), np.where(real, rng.integers(0, 5, real.shape), -1)),
        talks=(("video", "frame", "face"), real[..., None] & (rng.random((n_videos, n_frames, n_faces)) < 0.5)),
    )
    if texts:
        trial = np.where(real, 'tria,l "1"', "").astype(np.dtypes.StringDType())
        ds = ds.assign_coords(trial=(("video", "frame"), trial))
    ds.attrs |= {"numbers": [1, 2.5], "notes": 'ä, "b"\n', "nested": {"a": [None, True]}}
    ds["features"].attrs["units"] = "s"
    return ds


def with_holes(ds: xr.Dataset) -> xr.Dataset:
    """Make padding of some frames, as a selection by time may."""
    gone = (ds["frame_number"] % 3 == 1).values
    for name in [name for name, variable in ds.variables.items() if "frame" in variable.dims]:
        values = ds[name].values.copy()
        fill = {"f": np.nan, "i": -1, "b": False, "T": ""}[values.dtype.kind]
        values[gone] = fill
        ds[name] = (ds[name].dims, values, ds[name].attrs)
    return ds


@st.composite
def datasets(draw: st.DrawFn) -> xr.Dataset:
    seed = draw(st.integers(0, 2**32))
    names = [*fa.schema.FEATURES, "my_own_measure", "another, one", "pose_X", "gaze_angle"]
    ds = random_dataset(
        seed,
        n_videos=draw(st.integers(0, 4)),
        n_frames=draw(st.integers(1, 6)),
        n_faces=draw(st.integers(1, 3)),
        features=draw(st.lists(st.sampled_from(names), unique=True, max_size=12)),
        n_landmarks=draw(st.sampled_from([None, 0, 2, 68, 478])),
        n_components=draw(st.sampled_from([None, 0, 3])),
    )
    ds = with_everything(ds, seed, texts=draw(st.booleans())) if draw(st.booleans()) else ds
    return with_holes(ds) if draw(st.booleans()) else ds


@pytest.mark.parametrize("kind", FORMATS)
@given(ds=datasets())
@settings(max_examples=25, deadline=None)
def test_export__comes_back_equal(tmp_path_factory, kind, ds):
    if kind == "bids":
        ds = ds.drop_vars("trial", errors="ignore")
    path = target(tmp_path_factory.mktemp("export"), kind)
    assert export(ds, path, format=kind) == path
    assert_same(read_export(path), without_padding(ds) if kind in TABLES else ds)


@pytest.fixture
def ds() -> xr.Dataset:
    return random_dataset(3, features=("FaceRectWidth", "Yaw", "AU12", "AU06", "happiness"), n_landmarks=2)


def test_export__store_by_path(tmp_path, ds):
    store = fa.save(ds, tmp_path / "study.zarr")
    export(store, tmp_path / "x.parquet")
    assert_same(
        read_export(tmp_path / "x.parquet").drop_attrs(), without_padding(fa.open_store(store).load()).drop_attrs()
    )


def test_export__lazy_values_under_any_chunks(tmp_path, ds):
    for i, kind in enumerate(FORMATS):
        path = tmp_path / f"{i}{NAMES[kind]}"
        export(ds.chunk(video=2, frame=4, feature=3), path, format=kind)
        assert_same(read_export(path), without_padding(ds) if kind in TABLES else ds)


def test_export__select_and_videos(tmp_path, ds):
    labels = ds["video"].values
    export(ds, tmp_path / "x.parquet", select="aus, Yaw", videos=[labels[1], labels[0]])
    found = read_export(tmp_path / "x.parquet")
    assert found["feature"].values.tolist() == ["AU12", "AU06", "Yaw"]
    assert found["video"].values.tolist() == labels[:2].tolist()
    assert set(found.data_vars) == {"features"}


def test_export__select_variables_only(tmp_path, ds):
    export(ds, tmp_path / "x.nc", select=["landmarks"])
    found = read_export(tmp_path / "x.nc")
    assert found.sizes["feature"] == 0
    xr.testing.assert_equal(found["landmarks"], ds["landmarks"])


def test_export__videos_by_pattern(tmp_path, ds):
    ds = ds.assign_coords(video=["a1.mp4", "a2.mp4", "b[1].mp4"])
    export(ds, tmp_path / "x.nc", videos="a*.mp4")
    assert read_export(tmp_path / "x.nc")["video"].values.tolist() == ["a1.mp4", "a2.mp4"]
    export(ds, tmp_path / "y.nc", videos="b[1].mp4")
    assert read_export(tmp_path / "y.nc")["video"].values.tolist() == ["b[1].mp4"]


def test_export__missing_texts_of_videos_stay_missing(tmp_path, ds):
    ds = ds.assign_coords(role=("video", np.array(["x", np.nan, ""], dtype=object)))
    for kind in FORMATS:
        export(ds, target(tmp_path, kind), format=kind)
        found = read_export(target(tmp_path, kind))["role"].values.tolist()
        assert found[0] == "x"
        assert np.isnan(found[1])
        assert found[2] == ""


@pytest.mark.parametrize("kind", ["csv", "netcdf", "parquet"])
def test_export__missing_texts_of_frames(tmp_path, ds, kind):
    texts = np.full((3, 6), "go", dtype=object)
    texts[0, 1] = None
    ds = ds.assign_coords(trial=(("video", "frame"), texts))
    with pytest.raises(SchemaError, match="found missing texts in 'trial'; expected a text for every frame"):
        export(ds, target(tmp_path, kind), format=kind)
    assert list(tmp_path.iterdir()) == []


# ---- what is refused


def test_export__unknown_format(tmp_path, ds):
    with pytest.raises(InputError, match=r"without format; expected one of the suffixes \.parquet, \.csv, \.nc"):
        export(ds, tmp_path / "x.txt")
    with pytest.raises(InputError, match=r"unknown format 'parket' \(did you mean 'parquet'\?\)"):
        export(ds, tmp_path / "x", format="parket")


def test_export__unknown_names(tmp_path, ds):
    with pytest.raises(InputError, match=r"unknown feature or group 'AU1'"):
        export(ds, tmp_path / "x.csv", select="AU1")
    with pytest.raises(InputError, match="unknown video 'nobody'"):
        export(ds, tmp_path / "x.csv", videos="nobody")


def test_export__url(ds):
    with pytest.raises(InputError, match="expected a path on this machine"):
        export(ds, "s3://bucket/x.csv")


def test_export__not_of_the_schema(tmp_path, ds):
    with pytest.raises(SchemaError, match="found no 'frame_number'"):
        export(ds.drop_vars("frame_number"), tmp_path / "x.csv")


def test_export__no_folder(tmp_path, ds):
    with pytest.raises(InputError, match="found no folder"):
        export(ds, tmp_path / "no" / "x.csv")


def test_export__key_without_deidentify(tmp_path, ds):
    with pytest.raises(InputError, match="found a key without deidentify"):
        export(ds, tmp_path / "x.csv", key=tmp_path / "key.csv")


@pytest.mark.parametrize("kind", TABLES)
def test_export__values_without_a_place_in_tables(tmp_path, ds, kind):
    ds = ds.assign_coords(
        number=("frame", np.arange(6)), thing=("video", np.array([{}, [], 1], dtype=object)), z=("video", [1j, 2j, 3j])
    )
    with pytest.raises(SchemaError) as error:
        export(ds, target(tmp_path, kind), format=kind)
    for problem in (
        "found 'number' with dims",
        "found 'thing' with objects of dict, int, list",
        "found 'z' of complex",
    ):
        assert problem in str(error.value)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_export__two_columns_of_one_name(tmp_path, ds, kind):
    with pytest.raises(SchemaError, match="found 'AU12' several times"):
        export(ds.assign_coords(AU12=("video", [1, 2, 3])), target(tmp_path, kind), format=kind)


def test_export__two_channels_of_one_name(tmp_path, ds):
    ds = ds.assign_coords(feature=["x_0", *ds["feature"].values[1:]])
    with pytest.raises(SchemaError, match="found 'x_0_face0', 'x_0_face1' several times"):
        export(ds, tmp_path / "x", format="bids")


def test_export__texts_of_frames_in_bids(tmp_path, ds):
    trial = (("video", "frame"), np.full((3, 6), "go"))
    with pytest.raises(SchemaError, match="found 'trial' of texts or times for every frame; expected numbers"):
        export(ds.assign_coords(trial=trial), tmp_path / "x", format="bids")


@pytest.mark.parametrize("kind", FORMATS)
def test_export__something_is_there(tmp_path, ds, kind):
    path = target(tmp_path, kind)
    export(ds.isel(feature=[0]), path, format=kind)
    with pytest.raises(
        InputError,
        match=r"found something there already; .*\(overwrite=True, --overwrite\)",
    ):
        export(ds, path, format=kind)
    assert read_export(path).sizes["feature"] == 1
    export(ds, path, format=kind, overwrite=True)
    assert read_export(path).sizes["feature"] == 5
    assert [p for p in tmp_path.iterdir() if p.name.endswith(".partial")] == []


@pytest.mark.parametrize("kind", FORMATS)
def test_export__something_else_is_never_deleted(tmp_path, ds, kind):
    path = target(tmp_path, kind)
    path.mkdir()
    (path / "thesis.txt").write_text("years of work")
    with pytest.raises(StructureError, match="found"):
        export(ds, path, format=kind, overwrite=True)
    assert (path / "thesis.txt").read_text() == "years of work"


def test_export__netcdf_without_its_library(tmp_path, ds, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "h5netcdf", None)
    with pytest.raises(FaceArrayError, match=r"pip install 'facearray\[netcdf\]'"):
        export(ds, tmp_path / "x.nc")


# ---- interrupted, and memory


@pytest.fixture
def interrupted(monkeypatch) -> Callable[[str], None]:
    """Make an export end in the middle, as Ctrl-C would."""

    def arrange(kind: str) -> None:
        def stop(*args, **kwargs):
            raise KeyboardInterrupt

        if kind == "netcdf":
            monkeypatch.setattr(xr.Dataset, "to_netcdf", lambda self, path, **_: (path.write_text("half"), stop()))
            return
        module, real = FORMATS[kind], FORMATS[kind].blocks
        monkeypatch.setattr(module, "blocks", lambda ds, form, video: stop() if video else real(ds, form, video))

    return arrange


@pytest.mark.parametrize("kind", FORMATS)
def test_export__interrupted_leaves_nothing_half(tmp_path, ds, kind, interrupted, contents):
    interrupted(kind)
    with pytest.raises(KeyboardInterrupt):
        export(ds, target(tmp_path, kind), format=kind, deidentify=True, key=tmp_path / "key.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", FORMATS)
def test_export__interrupted_keeps_what_was_there(tmp_path, ds, kind, interrupted, contents):
    export(ds.isel(feature=[0]), target(tmp_path, kind), format=kind)
    before = contents(tmp_path)
    interrupted(kind)
    with pytest.raises(KeyboardInterrupt):
        export(ds, target(tmp_path, kind), format=kind, overwrite=True)
    assert contents(tmp_path) == before


@pytest.mark.parametrize("kind", ["parquet", "bids"])
def test_export__failed_replacement_keeps_what_was_there(tmp_path, ds, kind, monkeypatch, contents):
    path = export(ds.isel(feature=[0]), target(tmp_path, kind), format=kind)
    before = contents(tmp_path)
    real = Path.rename

    def rename(self, to):
        if self.name.endswith(".partial") and to == path and (self / "refused").exists():
            raise PermissionError
        return real(self, to)

    monkeypatch.setattr(FORMATS[kind], "blocks", lambda *args: (_refuse(tmp_path), *frames.blocks(*args))[1:])
    monkeypatch.setattr(Path, "rename", rename)
    with pytest.raises(PermissionError):
        export(ds, path, format=kind, overwrite=True)
    assert contents(tmp_path) == before


def _refuse(folder: Path) -> None:
    """Mark the folder that is being written as one that cannot be put in place."""
    (staging,) = folder.glob(".*.partial")
    (staging / "refused").touch()


@pytest.mark.parametrize("kind", FORMATS)
def test_export__memory_does_not_grow_with_the_data(tmp_path, kind, monkeypatch):
    monkeypatch.setattr(frames, "BLOCK_BYTES", 2**18)
    monkeypatch.setattr("facearray.io.saving.BLOCK_BYTES", 2**18)
    big = random_dataset(1, n_videos=12, n_frames=1500, n_faces=1, n_landmarks=40)
    big = big.assign_coords(frame_number=(("video", "frame"), np.tile(np.arange(1500, dtype=np.int32), (12, 1))))
    store = fa.save(big, tmp_path / "study.zarr")
    n_bytes = big["landmarks"].nbytes
    del big
    export(store, tmp_path / f"first{NAMES[kind]}", format=kind, videos="video0*")  # imports and caches
    tracemalloc.start()
    try:
        export(store, target(tmp_path, kind), format=kind)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert n_bytes > 8e6
    assert peak < n_bytes / 3


def test_blocks__read_every_real_frame_once(ds, monkeypatch):
    monkeypatch.setattr(frames, "BLOCK_BYTES", 400)
    form = frames.Form.of(ds)
    read = [block for video in range(3) for block in frames.blocks(ds, form, video)]
    numbers = np.concatenate([block.values["frame_number"].values for block in read])
    assert max(block.n_frames for block in read) == 2
    assert numbers.tolist() == ds["frame_number"].values[ds["frame_number"].values >= 0].tolist()


# ---- what other tools see


def test_parquet__is_one_table_for_pandas(tmp_path, ds):
    ds = ds.assign_coords(video=["001", "002", "003"], condition=("video", ["good", "bad", "good"]))
    ds["features"][0, 0] = 1
    export(ds, tmp_path / "x.parquet")
    table = pd.read_parquet(tmp_path / "x.parquet")
    assert set(table["video"]) <= {"001", "002"}
    assert table["AU12"].dtype == np.float32
    assert set(table.loc[table["video"] == "001", "condition"]) == {"good"}
    first = table.iloc[0]
    assert (first["face"], first["frame_number"]) == (0, ds["frame_number"].values[0, 0])
    assert first["AU12"] == 1
    assert len(first["landmarks"]) == 6
    videos = pd.read_parquet(tmp_path / "x.parquet" / "_videos.parquet").set_index("video")
    assert videos.loc["003", "condition"] == "good"


def test_parquet__carries_units_and_attributes(tmp_path, ds):
    import pyarrow.parquet as pq

    export(ds, tmp_path / "x.parquet")
    schema = pq.read_schema(tmp_path / "x.parquet" / "000000.parquet")
    assert schema.metadata[b"facearray_schema"] == fa.schema.SCHEMA_VERSION.encode()
    assert schema.field("Yaw").metadata[b"units"] == b"degree"


def test_netcdf__is_plain_to_xarray(tmp_path, ds):
    export(ds, tmp_path / "x.nc")
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as plain:
        xr.testing.assert_equal(plain["features"].load(), ds["features"])
        assert plain["frame_number"].dtype == np.int32
        assert plain["timestamp"].attrs == ds["timestamp"].attrs


def faces(**values: float) -> xr.Dataset:
    """Two frames of one face with round numbers."""
    ds = random_dataset(0, n_videos=1, n_frames=2, n_faces=1, features=list(values), n_landmarks=478)
    ds["features"][:] = np.array(list(values.values()), dtype=np.float32)
    ds["landmarks"][:] = np.array([10, 20, 30], dtype=np.float32)
    return ds.assign_coords(
        video=["clip.mp4"], frame_number=(("video", "frame"), [[0, 2]]), timestamp=(("video", "frame"), [[0.0, 0.08]])
    )


def test_csv__has_the_columns_units_and_signs_of_pyfeat_2(tmp_path):
    ds = faces(
        FaceRectWidth=120, Pitch=90, Roll=90, Yaw=90, gaze_pitch=90, gaze_yaw=90, AU12=0.5, happiness=0.25, jawOpen=1
    )
    export(ds, tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    assert table["frame"].tolist() == [0, 2]
    assert table["input"].tolist() == ["clip.mp4", "clip.mp4"]
    first = table.iloc[0]
    quarter = np.pi / 2
    expected = {"Pitch": quarter, "Roll": quarter, "Yaw": -quarter, "gaze_pitch": -quarter, "gaze_yaw": quarter}
    expected |= {"Happy": 0.25, "AU12": 0.5, "jawOpen": 1, "mesh_x_7": 10, "mesh_y_477": 20, "mesh_z_0": 0.25}
    assert first[list(expected)].to_dict() == pytest.approx(expected)
    assert first["FrameWidth"] == ds["width"].item()


def test_csv__has_what_pyfeat_looks_for_even_if_it_was_not_measured(tmp_path):
    export(faces(AU12=0.5).drop_vars(["landmarks", "axis"]), tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    # names in feat.utils: FEAT_FACEBOX_COLUMNS, FEAT_FACEPOSE_COLUMNS_6D, EMOTION_COLUMNS_V2; valence and arousal are
    # how read_feat tells version 2
    wanted = "FaceRectX FaceRectY FaceRectWidth FaceRectHeight FaceScore Pitch Roll Yaw X Y Z"
    wanted += " Neutral Happy Sad Surprise Fear Disgust Anger valence arousal frame input"
    assert set(wanted.split()) <= set(table.columns)
    assert [name for name in table.columns if "AU" in name] == ["AU12"]
    assert table["valence"].isna().all()


def test_csv__positions_of_pyfeat_go_back_under_its_names(tmp_path):
    export(faces(pose_X=1, pose_Z=2, gaze_angle=180).drop_vars(["landmarks", "axis"]), tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    assert table.loc[0, ["X", "Z", "gaze_angle"]].tolist() == pytest.approx([1, 2, np.pi])
    assert table["Y"].isna().all()
    export(faces(pose_X=1, X=2).drop_vars(["landmarks", "axis"]), tmp_path / "y.csv")
    assert pd.read_csv(tmp_path / "y.csv").loc[0, ["pose_X", "X"]].tolist() == [1, 2]


def test_csv__68_points_are_called_as_pyfeat_calls_them(tmp_path):
    export(random_dataset(0, features=["AU12"], n_landmarks=68), tmp_path / "x.csv")
    assert {f"{axis}_{i}" for axis in "xy" for i in range(68)} <= set(pd.read_csv(tmp_path / "x.csv", nrows=1).columns)


def test_csv__edited_table_is_noticed(tmp_path, ds):
    export(ds, tmp_path / "x.csv")
    table = pd.read_csv(tmp_path / "x.csv")
    table[table["frame"] > table["frame"].min()].to_csv(tmp_path / "x.csv", index=False)
    with pytest.raises(InputError, match=r"found \d frames of 'video\d.*'; expected \d, as x.csv.json has it"):
        read_export(tmp_path / "x.csv")


def test_bids__follows_the_convention_for_motion(tmp_path):
    ds = faces(Pitch=1, AU12=0.5, FaceRectX=3).drop_vars(["landmarks", "axis"])
    ds = ds.assign_coords(fps=("video", [25.0]), condition=("video", ["good"]))
    export(ds, tmp_path / "x", format="bids")
    stem = tmp_path / "x" / "sub-clip" / "motion" / "sub-clip_task-face_tracksys-facearray"
    channels = pd.read_csv(f"{stem}_channels.tsv", sep="\t", keep_default_na=False).set_index("name")
    recording = pd.read_csv(f"{stem}_motion.tsv", sep="\t", header=None, names=channels.index, na_values="n/a")
    assert channels.index[0] == "latency"
    assert channels.loc["latency"].tolist() == ["n/a", "LATENCY", "n/a", "s"]
    assert channels.loc["Pitch_face0"].tolist() == ["x", "ORNT", "face0", "deg"]
    assert channels.loc["AU12_face0"].tolist() == ["n/a", "MISC", "face0", "n/a"]
    assert recording["latency"].tolist() == [0.0, 0.08]
    assert recording["AU12_face0"].tolist() == [0.5, 0.5]
    metadata = json.loads(Path(f"{stem}_motion.json").read_text())
    assert metadata["SamplingFrequency"] == 12.5
    assert metadata["SamplingFrequencyEffective"] == pytest.approx(12.5)
    assert metadata["MotionChannelCount"] == len(channels)
    scans = pd.read_csv(tmp_path / "x" / "sub-clip" / "sub-clip_scans.tsv", sep="\t")
    assert scans.loc[0, ["video", "condition"]].tolist() == ["clip.mp4", "good"]
    assert (tmp_path / "x" / "sub-clip" / scans.loc[0, "filename"]).is_file()


def test_bids__rate_is_left_out_where_nothing_is_known(tmp_path):
    ds = faces(AU12=0.5).isel(frame=[0]).assign_coords(fps=("video", [np.nan]))
    export(ds, tmp_path / "x", format="bids")
    (metadata,) = (tmp_path / "x").glob("sub-*/motion/*_motion.json")
    assert "SamplingFrequency" not in json.loads(metadata.read_text())


def test_bids__several_videos_of_a_participant_are_runs(tmp_path, ds):
    ds = ds.isel(video=[0, 0, 0]).assign_coords(video=["x", "y", "z"])
    export(ds.assign_coords(participant_id=("video", ["sub-A1"] * 3)), tmp_path / "x", format="bids")
    names = sorted(p.name for p in (tmp_path / "x").glob("sub-*/motion/*_motion.tsv"))
    assert names == [f"sub-A1_task-face_tracksys-facearray_run-{run}_motion.tsv" for run in (1, 2, 3)]
    participants = (tmp_path / "x" / "participants.tsv").read_text()
    assert participants == "participant_id\nsub-A1\n"


def test_bids__labels_that_only_differ_in_signs_stay_different(tmp_path, ds):
    ds = ds.isel(video=[0, 0]).assign_coords(video=["a-b.mp4", "a_b.mp4"])
    export(ds, tmp_path / "x", format="bids")
    assert sorted(p.name for p in (tmp_path / "x").glob("sub-*")) == ["sub-000001", "sub-000002"]


# ---- reading back


@pytest.mark.parametrize("name", ["nothing", "folder", "other.csv", "other.txt"])
def test_read_export__no_export(tmp_path, name):
    (tmp_path / "folder").mkdir()
    (tmp_path / "other.csv").write_text("frame,AU12\n0,1\n")
    (tmp_path / "other.txt").write_text("")
    with pytest.raises(InputError, match="found no export of facearray"):
        read_export(tmp_path / name)


def test_read_export__damaged_or_newer_sidecar(tmp_path, ds):
    export(ds, tmp_path / "x.csv")
    sidecar = pyfeat.sidecar(tmp_path / "x.csv")
    text = sidecar.read_text()
    sidecar.write_text(text[:100])
    with pytest.raises(SchemaError, match="expected a sidecar that facearray wrote"):
        read_export(tmp_path / "x.csv")
    sidecar.write_text(json.dumps(json.loads(text) | {"facearray_export": 99}))
    with pytest.raises(SchemaError, match="found version 99 of the sidecar; expected 1"):
        read_export(tmp_path / "x.csv")
