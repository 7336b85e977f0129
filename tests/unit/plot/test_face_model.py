"""A model of faces against scikit-learn's ridge on the same arrays, and against what the faces were made with."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.transform import Rotation
from sklearn.linear_model import Ridge

import facearray as fa
from facearray.errors import InputError, ReadError, SchemaError
from facearray.models.mesh_measures import lay_on_canonical
from facearray.plot.face import face_values, make_drawing
from facearray.plot.rig.deform import linear_fields, points
from facearray.plot.rig.table import MOVEMENTS

NAMES = list(MOVEMENTS)
# they move no point that the pose is fitted to
USED = ["AU12", "AU15", "AU17"]

pytestmark = pytest.mark.usefixtures("asset")


@pytest.fixture(scope="module")
def made() -> xr.Dataset:
    """Four videos of two slots, of faces of different shape, size and pose that action units move."""
    rng = np.random.default_rng(0)
    n_videos, n_frames, n_faces = 4, 14, 2
    values = rng.uniform(size=(n_videos, n_frames, n_faces, len(USED)))
    units = np.zeros((*values.shape[:3], len(NAMES), 2))
    units[..., [NAMES.index(name) for name in USED], :] = values[..., None]
    fields = linear_fields(0.5 * _true_movements())
    faces = points(units, (0.0, 0.0), fields)
    # somebody's own face, and noise
    own = rng.normal(scale=0.1, size=(n_videos, 1, n_faces, 478, 3))
    faces = faces + own + rng.normal(scale=0.01, size=faces.shape)
    turn = Rotation.from_euler("xyz", rng.uniform(-15, 15, (faces[..., 0, 0].size, 3)), degrees=True).as_matrix()
    pixels = (faces.reshape(-1, 478, 3) @ turn * 20).reshape(faces.shape) * (1, -1, -1) + (320, 240, 0)
    pixels[0, 3, 0] = np.nan
    values[1, 5, 1, 0] = np.nan
    number = np.tile(np.arange(n_frames), (n_videos, 1))
    number[3, 10:] = -1
    pixels[3, 10:], values[3, 10:] = np.nan, np.nan
    dims = ("video", "frame", "face")
    return xr.Dataset(
        {
            "features": ((*dims, "feature"), values.astype("f4")),
            "landmarks": ((*dims, "landmark", "axis"), pixels.astype("f4")),
        },
        {
            "video": np.array([f"{i}.mp4" for i in range(n_videos)], np.dtypes.StringDType()),
            "feature": np.array(USED, np.dtypes.StringDType()),
            "frame_number": (dims[:2], number.astype("i4")),
        },
    )


def _true_movements() -> np.ndarray:
    whole = np.zeros((len(NAMES), 468, 3))
    rest = points(np.zeros((len(NAMES), 2)))
    for name in USED:
        one = np.zeros((len(NAMES), 2))
        one[NAMES.index(name)] = 1.0
        whole[NAMES.index(name)] = (points(one) - rest)[:468]
    return whole


@pytest.fixture(scope="module")
def model(made) -> fa.plot.FaceModel:
    return fa.plot.FaceModel.fit(made, alpha=1e-3, cv=3)


def _rows(ds: xr.Dataset) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Action units and points with the mean of each slot of each video taken out, and the video, one row a face."""
    X, Y, video = [], [], []
    for v in range(ds.sizes["video"]):
        for f in range(ds.sizes["face"]):
            one = ds.isel(video=v, face=f)
            x = one.features.to_numpy().astype(float)
            y = lay_on_canonical(one.landmarks.to_numpy())[0][:, :468].reshape(len(x), -1)
            there = np.isfinite(x).all(axis=1) & np.isfinite(y).all(axis=1)
            X.append(x[there] - x[there].mean(axis=0))
            Y.append(y[there] - y[there].mean(axis=0))
            video += [v] * int(there.sum())
    return np.concatenate(X), np.concatenate(Y), np.array(video)


def _by_sklearn(X: np.ndarray, Y: np.ndarray, alpha: float) -> np.ndarray:
    penalty = alpha * (X**2).sum() / X.shape[1]
    return Ridge(alpha=penalty, fit_intercept=False).fit(X, Y).coef_.T


def test_fit__is_ridge_on_deviations_in_the_canonical_pose(made, model):
    X, Y, _ = _rows(made)
    expected = _by_sklearn(X, Y, 1e-3).reshape(len(USED), 468, 3)
    np.testing.assert_allclose(model.coef[[NAMES.index(name) for name in USED]], expected, atol=1e-7)
    others = [i for i, name in enumerate(NAMES) if name not in USED]
    assert not model.coef[others].any()
    assert model.provenance["n_faces"] == len(X)


def test_fit__scores_are_of_videos_that_were_left_out(made, model):
    X, Y, video = _rows(made)
    error = np.zeros(Y.shape[1])
    for part in range(3):
        held = video % 3 == part
        error += ((Y[held] - X[held] @ _by_sklearn(X[~held], Y[~held], 1e-3)) ** 2).sum(axis=0)
    total = (Y**2).sum(axis=0)
    by_point = 1 - error.reshape(468, 3).sum(axis=1) / total.reshape(468, 3).sum(axis=1)
    np.testing.assert_allclose(model.scores["r2"], by_point, atol=1e-8)
    assert model.scores.attrs["r2"] == pytest.approx(1 - error.sum() / total.sum(), abs=1e-8)


def test_fit__finds_what_moved_the_faces(model):
    expected = 0.5 * _true_movements()
    largest = np.linalg.norm(expected, axis=-1).max()
    for name in USED:
        found = model.coef[NAMES.index(name)]
        assert np.linalg.norm(found - expected[NAMES.index(name)], axis=-1).max() < 0.05 * largest


@pytest.mark.parametrize("chunks", [{"video": 2, "frame": 5}, {"frame": -1, "landmark": 100}])
def test_fit__is_the_same_lazily(made, model, chunks):
    lazy = fa.plot.FaceModel.fit(made.chunk(chunks), alpha=1e-3, cv=3)
    np.testing.assert_allclose(lazy.coef, model.coef, atol=1e-10)


def test_fit__groups_are_a_coordinate(made):
    people = made.assign_coords(person=(("video", "face"), np.array([["a", "b"], ["c", "d"], ["a", "b"], ["c", ""]])))
    found = fa.plot.FaceModel.fit(people, groups="person", cv=9)
    assert found.provenance["n_groups"] == 4
    assert found.provenance["cv"] == 4
    with pytest.raises(InputError, match=r"found no coordinate 'persons' .*did you mean 'person'"):
        fa.plot.FaceModel.fit(people, groups="persons")


def test_face__is_moved_by_the_model(model):
    drawing = make_drawing(face_values({"AU12": 0.5}), "2d", 1.0, model)
    rest = points(np.zeros((len(NAMES), 2)))
    away = [50, 205, 280, 425, 199]
    np.testing.assert_allclose((drawing.points - rest)[away], 0.5 * model.coef[NAMES.index("AU12")][away], atol=1e-9)
    # on one side half of the midline's
    half = make_drawing(face_values({"AU12_left": 1}), "2d", 1.0, model).points - rest
    np.testing.assert_allclose(half[199], 0.5 * model.coef[NAMES.index("AU12")][199], atol=1e-6)
    assert fa.plot.face({"AU12": 1}, model=model, muscles=None) is not None
    with pytest.raises(InputError, match="found model with landmarks"):
        fa.plot.face(rest * (10, -10, -10), model=model)


def test_save__and_load_give_the_same(model, tmp_path):
    path = model.save(tmp_path / "own.npz")
    again = fa.plot.FaceModel.load(path)
    np.testing.assert_array_equal(again.coef, model.coef)
    xr.testing.assert_identical(again.scores, model.scores)
    assert again.provenance == model.provenance
    with pytest.raises(InputError, match="overwrite=True"):
        model.save(path)
    with np.load(path, allow_pickle=False) as content:
        assert set(content.files) == {"header", "coef", "r2"}


def test_load__refuses_other_files(model, tmp_path):
    with pytest.raises(InputError, match=r"expected a path that ends in \.npz"):
        fa.plot.FaceModel.load(tmp_path / "own.json")
    with pytest.raises(InputError, match="found no file"):
        fa.plot.FaceModel.load(tmp_path / "own.npz")
    np.savez(tmp_path / "own.npz", coef=np.zeros(3))
    with pytest.raises(ReadError, match=r"cannot read the model own\.npz"):
        fa.plot.FaceModel.load(tmp_path / "own.npz")
    path = model.save(tmp_path / "changed.npz")
    with np.load(path) as content:
        arrays = dict(content)
    arrays["coef"] = arrays["coef"] + 1
    np.savez(path, **arrays)
    with pytest.raises(ReadError, match="its content is not what was saved"):
        fa.plot.FaceModel.load(path)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (
            lambda h, a: h.update(format="face model 9"),
            "found the format 'face model 9'; expected 'facearray face",
        ),
        (
            lambda h, a: h["units"].__setitem__(0, "AU99"),
            "action units than this version has: AU99 that it has",
        ),
        (lambda h, a: h["units"].reverse(), "or another order"),
        (lambda h, a: h.pop("units"), "found no 'units' in it"),
        (lambda h, a: a.pop("r2"), "found no 'r2' in it"),
        (lambda h, a: a.update(r2=np.zeros(3)), r"found r2 of the shape \(3,\); expected \(468,\)"),
        (lambda h, a: a.update(coef=a["coef"] * np.nan), "found coef with values that are not finite"),
        (lambda h, a: a.update(coef=np.array([["x"]], dtype="U1")), "coef of another kind"),
    ],
)
def test_load__says_what_is_wrong_as_a_map_of_action_units_does(model, tmp_path, change, match):
    path = model.save(tmp_path / "m.npz")
    with np.load(path) as content:
        arrays = dict(content)
    header = json.loads(arrays.pop("header").tobytes())
    inner = json.loads(header["model"])
    change(inner, arrays)
    header["model"] = json.dumps(inner, sort_keys=True)
    np.savez(path, header=np.frombuffer(json.dumps(header).encode(), np.uint8), **arrays)
    with pytest.raises(ReadError, match=rf"cannot read the model m\.npz: .*{match}.*FaceModel\.save wrote"):
        fa.plot.FaceModel.load(path)


def test_fit__refuses_what_it_cannot_be_fitted_to(made):
    with pytest.raises(SchemaError, match="found no action units"):
        fa.plot.FaceModel.fit(made.assign_coords(feature=["a", "b", "c"]))
    with pytest.raises(SchemaError, match="found 68 landmarks"):
        fa.plot.FaceModel.fit(made.isel(landmark=slice(68)))
    with pytest.raises(InputError, match="found 1 group in 'video'"):
        fa.plot.FaceModel.fit(made.isel(video=[0]))
    with pytest.raises(InputError, match="found alpha=0"):
        fa.plot.FaceModel.fit(made, alpha=0)
    with pytest.raises(InputError, match="found cv=1"):
        fa.plot.FaceModel.fit(made, cv=1)
    with pytest.raises(InputError, match="do not vary"):
        fa.plot.FaceModel.fit(made.assign(features=made.features * 0))
