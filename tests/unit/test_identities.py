from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import facearray as fa  # noqa: F401 - for the accessor
from facearray.errors import InputError, SchemaError
from facearray.identities import identities
from facearray.models.people import SAME_PERSON

N_COMPONENTS = 32


def person(seed: int) -> np.ndarray:
    """The embedding of a person: those of others are about 1.4 apart."""
    value = np.random.default_rng(100 + seed).normal(size=N_COMPONENTS)
    return value / np.linalg.norm(value)


@pytest.fixture
def study(recordings):
    """Return a function that makes videos from who is in which slot: ``{"a": [0, 1]}`` has person 0 in slot 0."""

    def make(videos: dict[str, list[int | None]], *, noise: float = 0.2, lengths: dict[str, int] | None = None):
        n_faces = max(len(who) for who in videos.values())
        ds = recordings(lengths or dict.fromkeys(videos, 10), n_faces=n_faces)
        values = np.full((*ds["features"].shape[:3], N_COMPONENTS), np.nan, np.float32)
        rng = np.random.default_rng(0)
        for row, who in enumerate(videos.values()):
            for slot, seed in enumerate(who):
                if seed is not None:
                    made = person(seed) + rng.normal(0, noise / np.sqrt(N_COMPONENTS), values.shape[1::2])
                    values[row, :, slot] = made / np.linalg.norm(made, axis=1, keepdims=True)
        is_face = np.isfinite(ds["features"].values).any(axis=-1, keepdims=True)
        return ds.assign(embedding=(("video", "frame", "face", "component"), np.where(is_face, values, np.nan)))

    return make


def test_identities__people_across_videos(study):
    found = identities(study({"a": [0, 1], "b": [1, 2], "c": [0, None]}))
    assert found["person"].values.tolist() == [["person 1", "person 2"], ["person 2", "person 3"], ["person 1", ""]]
    assert found["person"].dims == ("video", "face")
    assert (found["confidence"].values[found["person"].values != ""] > 0.7).all()
    assert np.isnan(found["confidence"].values[2, 1])
    np.testing.assert_array_equal(found["n_embeddings"], [[8, 8], [8, 8], [8, 0]])
    assert float(found["spread"].max()) == pytest.approx(0.2 * np.sqrt(2), rel=0.2)
    assert found["video"].values.tolist() == ["a", "b", "c"]
    assert found.attrs["threshold"] == SAME_PERSON


def test_identities__as_a_coordinate(study):
    ds = study({"a": [0, 1], "b": [1, 2]})
    named = ds.assign_coords(person=ds.fex.identities().person)
    means = named["features"].mean("frame").stack(slot=("video", "face")).groupby("person").mean()
    assert means["person"].values.tolist() == ["person 1", "person 2", "person 3"]


def test_identities__do_not_depend_on_the_order_of_the_videos(study):
    ds = study({f"{k:02d}.mp4": [k % 3, 3 + k % 4] for k in range(12)})
    expected = identities(ds)
    assert len(set(expected["person"].values.ravel().tolist())) == 7
    order = np.random.default_rng(1).permutation(12)
    xr.testing.assert_allclose(identities(ds.isel(video=order)), expected.isel(video=order), rtol=1e-12)
    assert identities(ds.isel(video=order)).person.equals(expected.person.isel(video=order))


def test_identities__two_at_one_time_are_two(study):
    # both slots look like one person, but are filled in the same frames
    assert identities(study({"a": [0, 0], "b": [0]}))["person"].values[0].tolist() == ["person 1", "person 2"]
    ds = study({"a": [0, 0]})
    ds["embedding"][0, :5, 0] = np.nan
    ds["embedding"][0, 5:, 1] = np.nan
    assert identities(ds)["person"].values.tolist() == [["person 1", "person 1"]]


def test_identities__a_long_video_counts_like_a_short_one(study):
    lengths = {"a": 10, "b": 400, "c": 3}
    found = identities(study({"a": [0], "b": [0], "c": [0]}, lengths=lengths))
    assert set(found["person"].values.ravel().tolist()) == {"person 1"}
    np.testing.assert_array_equal(found["n_embeddings"].values.ravel(), [8, 320, 2])


def test_identities__threshold(study):
    ds = study({"a": [0], "b": [1]}, noise=0)
    apart = np.linalg.norm(person(0) - person(1))
    for factor, n in ((1.001, 1), (0.999, 2)):
        assert len(set(identities(ds, threshold=factor * apart)["person"].values.ravel().tolist())) == n


def test_identities__confidence(study):
    ds = study({"a": [0], "b": [0], "c": [1]}, noise=0)
    own, other = 0.0, np.linalg.norm(person(0) - person(1))
    expected = [1 - own / other, 1 - own / other, 1 - SAME_PERSON / other]
    np.testing.assert_allclose(identities(ds)["confidence"].values.ravel(), expected, atol=1e-3)
    alone = identities(ds.isel(video=[2]))["confidence"].values.ravel()
    np.testing.assert_allclose(alone, 1 - SAME_PERSON / 2)


def test_identities__several_people_in_a_slot_spread(study):
    ds = study({"a": [0], "b": [1]}, noise=0)
    ds["embedding"][0, 5:] = ds["embedding"].values[1, 5:]
    spread = identities(ds)["spread"].values.ravel()
    assert spread[0] > SAME_PERSON
    assert spread[1] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("chunks", [{}, {"video": 1, "frame": 3}, {"video": -1, "frame": -1}])
def test_identities__dask_and_padding_change_nothing(study, chunks):
    ds = study({"a": [0, 1], "b": [1, 2], "c": [0, None]}, lengths={"a": 10, "b": 7, "c": 4})
    expected = identities(ds)
    xr.testing.assert_allclose(identities(ds.chunk(chunks)), expected)
    xr.testing.assert_allclose(identities(ds.pad(frame=(0, 9), constant_values={"frame_number": -1})), expected)


def test_identities__nobody(study):
    found = identities(study({"a": [None], "b": [None]}))
    assert found["person"].values.tolist() == [[""], [""]]
    assert found["confidence"].isnull().all()
    assert found["spread"].isnull().all()


def test_identities__errors(study, recordings):
    ds = study({"a": [0]})
    with pytest.raises(InputError, match=r"found no variable 'embedding'.*detect again with embedding=True"):
        identities(recordings({"a": 3}))
    for threshold in (0, -1, 2, float("nan")):
        with pytest.raises(InputError, match="expected a distance of embeddings between 0 and 2"):
            identities(ds, threshold=threshold)
    with pytest.raises(SchemaError, match="frame_number"):
        identities(ds.drop_vars("frame_number"))
