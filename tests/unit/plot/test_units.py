"""Distributions, maps and quality: what is drawn of each video."""

from __future__ import annotations

import holoviews as hv
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy.spatial.distance import pdist
from sklearn.decomposition import PCA

from facearray.errors import InputError, SchemaError
from facearray.plot import distribution, embedding, quality, quality_table
from facearray.testing import random_dataset


def of(picture, kind):
    return [element for element in picture if isinstance(element, kind)]


def test_distribution__points_are_means_and_boxes_are_quantiles(ds):
    picture = ds.fex.plot.distribution("aus", by="condition")
    means = ds.fex.summarize(by="video", features="aus")["mean"].isel(face=0)
    for points, box, name in zip(of(picture, hv.Scatter), of(picture, hv.Rectangles), ["bad", "good"], strict=True):
        wanted = means.sel(video=(means.condition == name).to_numpy())
        np.testing.assert_allclose(points.dimension_values("mean"), wanted.values.ravel())
        assert box.label == name
        assert box.dimension_values("feature").tolist() == ["AU06", "AU12"]
        for column, q in (("q05", 0.05), ("q25", 0.25), ("median", 0.5), ("q75", 0.75), ("q95", 0.95)):
            np.testing.assert_allclose(box.dimension_values(column), wanted.quantile(q, "video"))


def test_distribution__of_frames(ds):
    picture = distribution(ds, "AU12", unit="frame")
    values = ds.features.sel(feature="AU12").values.ravel()
    drawn = picture.Scatter.I.dimension_values("value")
    np.testing.assert_allclose(np.sort(drawn), np.sort(values[np.isfinite(values)]))


def test_distribution__mistakes(ds, recordings):
    with pytest.raises(InputError, match="did you mean 'condition'"):
        distribution(ds, by="conditions")
    with pytest.raises(InputError, match="found 2 faces; expected one for one picture"):
        distribution(recordings({"a": 5}, n_faces=2))


def coordinates(picture) -> pd.DataFrame:
    tables = [points.dframe() for points in of(picture, hv.Scatter)]
    return pd.concat(tables).set_index("video").sort_index()


def test_embedding__is_that_of_scikit_learn(ds):
    found = coordinates(ds.fex.plot.embedding(["AU06", "AU12", "Yaw"], colour="condition"))
    means = ds.fex.summarize(by="video", features=["AU06", "AU12", "Yaw"])["mean"].isel(face=0).values
    wanted = PCA(2).fit_transform((means - means.mean(axis=0)) / means.std(axis=0))
    for i, name in enumerate(("first", "second")):
        sign = np.sign(wanted[np.abs(wanted[:, i]).argmax(), i])
        np.testing.assert_allclose(found[name], sign * wanted[:, i], atol=1e-6)
    assert found["group"].tolist() == ["good", "bad", "good", "bad"]


def test_embedding__scaling_keeps_distances_in_a_plane(ds):
    found = coordinates(embedding(ds, ["AU06", "AU12"], method="mds"))
    means = ds.fex.summarize(by="video", features=["AU06", "AU12"])["mean"].isel(face=0).values
    wanted = pdist((means - means.mean(axis=0)) / means.std(axis=0))
    np.testing.assert_allclose(pdist(found[["first", "second"]]), wanted, rtol=1e-6)


def test_embedding__of_identities(recordings):
    ds = recordings({"a": 6, "b": 6, "c": 6})
    rng = np.random.default_rng(0)
    values = rng.normal(size=(3, 6, 1, 4)).astype("f4")
    values = np.where(ds.features.isel(feature=[0]).notnull(), values, np.nan).astype("f4")
    ds = ds.assign(embedding=(("video", "frame", "face", "component"), values))
    found = coordinates(embedding(ds, source="embedding", method="mds"))
    means = np.nanmean(values[:, :, 0], axis=1)
    means /= np.linalg.norm(means, axis=1, keepdims=True)
    np.testing.assert_allclose(pdist(found[["first", "second"]]), pdist(means, "cosine"), rtol=1e-5)


def test_embedding__says_what_is_left_out(ds):
    empty = ds.assign(features=ds.features.where(ds.video != "c.mp4"))
    picture = embedding(empty, ["AU06", "AU12"])
    assert coordinates(picture).index.tolist() == ["a.mp4", "b.mp4", "d.mp4"]
    assert "1 videos without" in hv.Store.lookup_options("bokeh", picture, "plot").kwargs["title"]


def test_embedding__mistakes(ds):
    with pytest.raises(InputError, match="unknown method 'tsne'"):
        embedding(ds, method="tsne")
    with pytest.raises(InputError, match="found 1 faces with all values; expected at least two"):
        embedding(ds.isel(video=[0]))
    with pytest.raises(InputError, match="did you mean 'condition'"):
        embedding(ds, colour="conditions")


def test_quality__is_what_pandas_gives():
    ds = random_dataset(3, n_videos=5, n_frames=9, features=("FaceScore", "Yaw", "AU12"))
    ds["features"] = ds.features.clip(-1e6, 1e6)
    table = quality_table(ds)
    real = (ds.frame_number >= 0).values
    for _, row in table.iterrows():
        v, f = ds.indexes["video"].get_loc(row["video"]), row["face"]
        frames = pd.DataFrame(ds.features.values[v, real[v], f].astype(float), columns=["FaceScore", "Yaw", "AU12"])
        assert row["frames"] == len(frames)
        np.testing.assert_allclose(
            [row["detection rate"], row["score"], row["Yaw median"], row["Yaw 5 %"], row["Yaw 95 %"]],
            [
                frames.notna().any(axis=1).mean(),
                frames["FaceScore"].mean(),
                *(frames["Yaw"].quantile(q) for q in (0.5, 0.05, 0.95)),
            ],
        )


def test_quality__draws_the_table(ds):
    table = quality_table(ds)
    panels = quality(ds)
    assert len(panels) == 3
    rate, pitch, yaw = panels
    np.testing.assert_allclose(rate.Scatter.I.dimension_values("detection_rate"), table["detection rate"])
    for panel, name in ((pitch, "Pitch"), (yaw, "Yaw")):
        np.testing.assert_allclose(panel.Scatter.I.dimension_values(f"{name}_median"), table[f"{name} median"])
        np.testing.assert_allclose(panel.Segments.I.dimension_values(1), table[f"{name} 5 %"])
        np.testing.assert_allclose(panel.Segments.I.dimension_values(3), table[f"{name} 95 %"])
    assert rate.Scatter.I.dimension_values("video").tolist() == ["a.mp4", "b.mp4", "c.mp4", "d.mp4"]


def test_quality__of_its_own_result_says_what_to_draw(ds):
    with pytest.raises(SchemaError, match=r"of facearray.signal.quality; expected the det.*: ds.fex.plot.quality\(\)"):
        ds.fex.quality().fex.plot.quality()


def test_quality__faces_stand_beside_each_other(recordings):
    ds = recordings({"a": 6, "b": 5}, n_faces=2)
    points = of(next(iter(quality(ds))), hv.Scatter)
    assert [p.label for p in points] == ["face 0", "face 1"]
    rates = quality_table(ds).pivot_table(index="face", columns="video", values="detection rate")
    for face, p in enumerate(points):
        np.testing.assert_allclose(p.dimension_values("detection_rate"), rates.loc[face])
    assert isinstance(ds, xr.Dataset)
