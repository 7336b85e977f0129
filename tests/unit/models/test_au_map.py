from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from sklearn.cross_decomposition import PLSRegression
from sklearn.model_selection import LeaveOneGroupOut

import facearray as fa
from facearray.errors import InputError, ReadError, SchemaError
from facearray.models import AUMap, au_map
from facearray.models.mesh_measures import lay_on_canonical

NAMES = ["AU01", "AU12", "AU43"]
SHAPES = list(fa.schema.GROUPS["blendshapes"].features)


@pytest.fixture
def data_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEARRAY_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "au_maps"


@pytest.fixture
def ds(make_faces) -> xr.Dataset:
    return make_faces((14, 9, 12, 10), persons=["anna", "ben", "anna", "cleo"])


@pytest.fixture
def labels(ds) -> xr.DataArray:
    """Labels that blendshapes explain in part; some are missing."""
    rng = np.random.default_rng(8)
    shapes = ds["features"].sel(feature=["browInnerUp", "mouthSmileLeft", "eyeBlinkLeft"])
    values = np.clip(shapes.values + rng.normal(scale=0.1, size=shapes.shape), 0, 1)
    values[rng.random(values.shape[:3]) < 0.1] = np.nan
    values[0, 3, 0, 1] = np.nan
    return xr.DataArray(values, {"video": ds["video"].values, "feature": NAMES}, ds["features"].dims)


@pytest.fixture
def own(ds, labels) -> AUMap:
    return AUMap.fit(ds, labels, n_components=3)


def table(ds: xr.Dataset, labels: xr.DataArray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Predictors, labels, video and person of each complete face, put together one by one."""
    X, Y, video, person = [], [], [], []
    for v in range(ds.sizes["video"]):
        for f in range(ds.sizes["frame"]):
            shapes = ds["features"][v, f, 0].sel(feature=SHAPES).values.astype(float)
            points, wanted = ds["landmarks"][v, f, 0].values, labels[v, f, 0].values
            if np.isfinite(shapes).all() and np.isfinite(points).all() and np.isfinite(wanted).all():
                X.append(np.concatenate([lay_on_canonical(points[None])[0].ravel(), shapes]))
                Y.append(wanted)
                video.append(v)
                person.append(str(ds["person"].values[v]))
    return np.array(X), np.array(Y, np.float32).astype(float), np.array(video), np.array(person)


def test_fit__is_partial_least_squares_of_scikit_learn(ds, labels, own):
    X, Y, *_ = table(ds, labels)
    assert 25 < len(X) < 45
    model = PLSRegression(n_components=3).fit(X, Y)
    found = ds.fex.action_units(map=own)
    assert found["feature"].values.tolist() == NAMES
    values = found["features"].values
    shapes = ds["features"].sel(feature=SHAPES).values
    there = np.isfinite(shapes).all(axis=-1) & np.isfinite(ds["landmarks"].values).all(axis=(-2, -1))
    assert np.isnan(values[~there]).all()
    mesh = lay_on_canonical(ds["landmarks"].values[there])[0].reshape(there.sum(), -1)
    expected = model.predict(np.concatenate([mesh, shapes[there]], axis=1))
    assert (expected < 0).any()
    np.testing.assert_allclose(values[there], np.clip(expected, 0, 1), atol=1e-5)


@pytest.mark.parametrize("groups", ["video", "person"])
def test_fit__scores_are_of_groups_that_were_left_out(ds, labels, groups):
    own = AUMap.fit(ds, labels, groups=groups, n_components=2)
    X, Y, video, person = table(ds, labels)
    group = video if groups == "video" else person
    predicted = np.empty_like(Y)
    for train, test in LeaveOneGroupOut().split(X, groups=group):
        model = PLSRegression(n_components=2).fit(X[train], Y[train])
        predicted[test] = np.clip(model.predict(X[test]), 0, 1)
    frames = {"x": pd.DataFrame(predicted, columns=NAMES), "y": pd.DataFrame(Y, columns=NAMES)}
    inside = {key: frame - frame.groupby(group).transform("mean") for key, frame in frames.items()}
    expected = {
        "r": [np.corrcoef(frames["x"][n], frames["y"][n])[0, 1] for n in NAMES],
        "r_within": [np.corrcoef(inside["x"][n], inside["y"][n])[0, 1] for n in NAMES],
        "mae": (frames["x"] - frames["y"]).abs().mean().tolist(),
        "n": [len(Y)] * 3,
    }
    for name, values in expected.items():
        np.testing.assert_allclose(own.scores[name], values, atol=1e-9, err_msg=name)
    assert own.provenance["n_groups"] == own.provenance["cv"] == (4 if groups == "video" else 3)
    assert (own.provenance["n_frames"], own.provenance["groups"]) == (len(Y), groups)


def test_fit__groups_are_never_divided(ds, labels, monkeypatch):
    seen = []
    original = au_map._pls
    monkeypatch.setattr(au_map, "_pls", lambda X, Y, n: seen.append(len(X)) or original(X, Y, n))
    AUMap.fit(ds, labels, n_components=2, cv=2)
    _, _, video, _ = table(ds, labels)
    n = np.bincount(video)
    assert seen[-1] == n.sum()
    sums = {int(np.array(chosen) @ n) for chosen in np.ndindex(2, 2, 2, 2)}
    assert len(seen) == 3
    assert set(seen[:2]) <= sums
    assert seen[0] + seen[1] == n.sum()


def test_fit__from_a_table(ds, labels, own):
    frame = labels.isel(face=0).to_dataset("feature").to_dataframe()[NAMES].reset_index()
    frame["frame_number"] = ds["frame_number"].values.ravel()
    frame = frame[frame["frame_number"] >= 0].drop(columns="frame").sample(frac=1, random_state=0)
    extra = pd.DataFrame({"video": ["a.mp4"], "frame_number": [1], "AU01": [0.5], "AU12": [0.5], "AU43": [0.5]})
    found = AUMap.fit(ds, pd.concat([frame, extra]), n_components=3)
    np.testing.assert_allclose(found.coef, own.coef, atol=1e-9)
    assert (own.provenance["n_rows_without_frame"], found.provenance["n_rows_without_frame"]) == (0, 1)
    faces = AUMap.fit(ds, frame.assign(face=0), n_components=3)
    np.testing.assert_allclose(faces.coef, own.coef, atol=1e-9)


def test_fit__lazy_and_in_memory(ds, labels, own):
    for chunks in ({"video": 1}, {"frame": 4, "landmark": 100}):
        found = AUMap.fit(ds.chunk(chunks), labels, n_components=3)
        np.testing.assert_allclose(found.coef, own.coef, atol=1e-7)


def test_fit__labels_that_cannot_be_used(ds, labels):
    with pytest.raises(InputError, match="labels from 0 to 5; expected 0 to 1: divide"):
        AUMap.fit(ds, (labels * 0).where(ds["frame_number"] != 4, 5.0).assign_coords(feature=NAMES))
    with pytest.raises(InputError, match="labels named joy; expected action units"):
        AUMap.fit(ds, labels.assign_coords(feature=["AU01", "joy", "AU43"]))
    with pytest.raises(InputError, match="give a table to match them by frame_number"):
        AUMap.fit(ds, labels.isel(frame=slice(5)))
    with pytest.raises(InputError, match="the same video labels in the same order"):
        AUMap.fit(ds, labels.isel(video=[1, 0, 2, 3]))
    with pytest.raises(SchemaError, match="found labels with dims"):
        AUMap.fit(ds, labels.isel(face=0))
    with pytest.raises(InputError, match="no frame with a face, all its labels and a group"):
        AUMap.fit(ds, labels * np.nan)
    with pytest.raises(InputError, match="labelled frames of 1 video; expected 2 or more"):
        AUMap.fit(ds, labels.where(labels["video"] == "a.mp4"), n_components=2)
    with pytest.raises(InputError, match="found n_components=500; expected 1 to"):
        AUMap.fit(ds, labels, n_components=500)
    with pytest.raises(InputError, match="found cv=1"):
        AUMap.fit(ds, labels, cv=1)
    with pytest.raises(InputError, match=r"found no coordinate 'team' .*which group is seen; join one: ds.fex"):
        AUMap.fit(ds, labels, groups="team")


def test_fit__tables_that_cannot_be_used(ds):
    rows = pd.DataFrame({"video": ["a.mp4", "a.mp4"], "frame_number": [0, 2], "AU12": [0.5, 1.0]})
    with pytest.raises(InputError, match="without the columns frame_number; expected video, frame_number and one"):
        AUMap.fit(ds, rows.drop(columns="frame_number"))
    with pytest.raises(InputError, match=r"unknown video 'A.mp4' \(did you mean 'a.mp4'\?\)"):
        AUMap.fit(ds, rows.assign(video="A.mp4"))
    with pytest.raises(InputError, match="found 1 rows of a frame that has one already"):
        AUMap.fit(ds, rows.assign(frame_number=2))
    with pytest.raises(InputError, match="found faces 3 to 3; expected 0 to 0"):
        AUMap.fit(ds, rows.assign(face=3))


# --- applied ----------------------------------------------------------------------------------------------------------


def test_map__by_name_path_and_itself(ds, own, data_folder, tmp_path):
    assert own.save("mine") == data_folder / "mine.npz"
    path = own.save(tmp_path / "other.npz")
    expected = ds.fex.action_units(map=own)
    for name in ("mine", path, str(path)):
        xr.testing.assert_identical(ds.fex.action_units(map=name), expected)
    assert expected.attrs["au_map"] == own.sha256
    assert expected.attrs["au_map_n_components"] == 3
    lazy = ds.chunk({"video": 1, "frame": 5}).fex.action_units(map="mine")
    assert lazy["features"].chunks is not None
    np.testing.assert_allclose(lazy["features"].values, expected["features"].values, atol=1e-6)


def test_predict__other_shapes_and_no_face(own):
    assert own.predict(np.empty((0, 52)), np.empty((0, 478, 3))).shape == (0, 3)
    with pytest.raises(InputError, match=r"found blendshapes of shape \(2, 51\); expected \(2, 52\)"):
        own.predict(np.zeros((2, 51)), np.zeros((2, 478, 3)))


# --- files ------------------------------------------------------------------------------------------------------------


def test_save__everything_comes_back(own, data_folder):
    path = own.save("mine")
    back = AUMap.load("mine")
    for name in ("coef", "intercept"):
        np.testing.assert_array_equal(getattr(back, name), getattr(own, name))
    assert (back.names, dict(back.provenance)) == (own.names, dict(own.provenance))
    xr.testing.assert_equal(back.scores, own.scores)
    assert back.sha256 == own.sha256
    content = path.read_bytes()
    own.save("mine", overwrite=True)
    assert path.read_bytes() == content
    with np.load(path, allow_pickle=False) as plain:
        assert all(array.dtype.kind in "fu" for array in plain.values())
        header = json.loads(json.loads(plain["header"].tobytes())["map"])
    assert header["predictors"][:3] == ["x_0", "y_0", "z_0"]
    assert header["predictors"][-52:] == SHAPES


def test_save__takes_no_name_twice(own, data_folder):
    own.save("mine")
    with pytest.raises(InputError, match="expected a new name, or overwrite=True"):
        own.save("mine")
    assert not list(data_folder.glob(".*"))


@pytest.mark.parametrize("name", ["../mine", "a/b", "", "mine.txt", "-x", "a b"])
def test_save__names_and_paths(own, data_folder, name):
    with pytest.raises(InputError, match=r"expected a name of letters, digits, - and _, or a path that ends in \.npz"):
        own.save(name)


def test_load__unknown(own, data_folder, tmp_path):
    own.save("smiles")
    with pytest.raises(InputError, match=r"unknown map 'smile' \(did you mean 'smiles'\?\); known: smiles"):
        AUMap.load("smile")
    with pytest.raises(InputError, match="found no file"):
        AUMap.load(tmp_path / "x.npz")


def _rewrite(path, *, header=None, **arrays) -> None:
    with np.load(path) as content:
        known = dict(content)
    if header is not None:
        found = json.loads(known["header"].tobytes())
        inner = json.loads(found["map"])
        header(inner)
        found["map"] = json.dumps(inner, sort_keys=True)
        known["header"] = np.frombuffer(json.dumps(found).encode(), np.uint8)
    np.savez(path, **known | arrays)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"header": lambda h: h.update(format="AU map 9")}, "found the format 'AU map 9'"),
        ({"header": lambda h: h["predictors"].__setitem__(0, "nose")}, "nose that it has not, x_0 left out"),
        ({"header": lambda h: h["predictors"].reverse()}, "or another order"),
        ({"header": lambda h: h["names"].pop()}, "expected .* 2"),
        ({"header": lambda h: h.pop("names")}, "found no 'names' in it"),
        ({"coef": np.zeros((3, 3))}, r"found coef of the shape \(3, 3\); expected \(1486, 3\)"),
        ({"intercept": np.full(3, np.nan)}, "found finite coef|finite"),
        ({"intercept": np.zeros(3)}, "its content is not what was saved"),
        ({"coef": np.array([["x"]], dtype="U1")}, "coef of another kind"),
    ],
)
def test_load__other_content(own, tmp_path, change, match):
    path = own.save(tmp_path / "m.npz")
    _rewrite(path, **change)
    with pytest.raises(ReadError, match=match):
        AUMap.load(path)


def test_load__damaged_files(own, tmp_path, monkeypatch):
    path = own.save(tmp_path / "m.npz")
    whole = path.read_bytes()
    for content in (b"", whole[: len(whole) // 2], b"PK\x03\x04nonsense", b"x" * 100):
        path.write_bytes(content)
        with pytest.raises(ReadError, match=r"cannot read the map m\.npz"):
            AUMap.load(path)
    path.write_bytes(whole)
    monkeypatch.setattr("facearray.models.au_map_file.MAX_BYTES", 1000)
    with pytest.raises(ReadError, match="expected at most 1000"):
        AUMap.load(path)


def test_load__runs_nothing(own, tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = own.save(tmp_path / "m.npz")
    with np.load(path) as content:
        known = dict(content)
    with zipfile.ZipFile(path, "w") as archive:
        for name, array in known.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, array)
        with archive.open("trap.npy", "w") as file:
            np.lib.format.write_array(file, np.array([Trap()], dtype=object), allow_pickle=True)
    with pytest.raises(ReadError, match="allow_pickle"):
        AUMap.load(path)
    path.write_bytes(pickle.dumps(Trap()))
    with pytest.raises(ReadError):
        AUMap.load(path)
    assert not (tmp_path / "sprung").exists()
