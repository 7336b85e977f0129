"""Sample recordings and pictures, and the clips of good and bad news."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import imageio_ffmpeg
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from facearray import assets, datasets
from facearray._assets.sources import Https
from facearray.errors import AssetError, InputError

SHARED = Path(__file__).parents[3] / "shared" / "data"

needs_news = pytest.mark.skipif(
    not (SHARED / "good_bad_news").is_dir(), reason="the detections are not on this machine"
)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("wolfgang", "WolfgangLanger_Pexels.mp4"),
        ("single_face", "single_face.mp4"),
        ("face_noface", "face_noface.mov"),
        ("noface_face", "noface_face.mov"),
        ("no_face", "no_face.mp4"),
    ],
)
def test_sample_video__is_the_file_of_that_name(name, file):
    path = datasets.sample_video(name)
    assert path.name == file
    assert path.read_bytes()[4:8] == b"ftyp"  # both containers open with this box


def test_sample_video__names_are_those_documented():
    assert set(datasets.SAMPLE_VIDEOS) == {"wolfgang", "single_face", "face_noface", "noface_face", "no_face"}


def test_sample_video__unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match=r"unknown sample video 'wolfgan' \(did you mean 'wolfgang'"):
        datasets.sample_video("wolfgan")


def test_sample_pictures__are_all_pictures_of_the_registry():
    pictures = datasets.sample_pictures()
    suffixes = (".jpg", ".png")
    assert [p.name for p in pictures] == [name for name in assets.ASSETS if name.endswith(suffixes)]
    for picture in pictures:
        with Image.open(picture) as image:
            image.verify()


# Good and bad news


@pytest.fixture
def given(monkeypatch):
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))


@pytest.fixture
def news_server(empty_cache, range_server, monkeypatch):
    """Files and clips that come from the loopback server; nothing is here yet."""
    registry = {
        name: replace(asset, sources=(Https(range_server.url(name)),)) if asset.kind == "study" else asset
        for name, asset in assets.ASSETS.items()
    }
    monkeypatch.setattr(assets, "ASSETS", MappingProxyType(registry))
    monkeypatch.setattr(datasets, "_CLIP_ADDRESS", range_server.url("{}/download"))
    for name, asset in registry.items():
        if asset.kind == "study":
            range_server.files[name] = (SHARED / name).read_bytes()
    return range_server


@pytest.fixture(scope="session")
def clip(tmp_path_factory) -> bytes:
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    source = ("-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=2", "-crf", "1")
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-nostdin", "-loglevel", "error", *source, path]
    subprocess.run(command, check=True)
    return path.read_bytes()


@needs_news
def test_good_bad_news__detections(given):
    ds = datasets.good_bad_news()
    assert ds["video"].values.tolist() == [f"{i:03}.mp4" for i in range(1, 21)]
    assert int(ds["n_frames"].sum()) == 477
    # every clip of the table is here once: ten phrases of each kind
    assert ds["condition"].values.tolist() == ["goodNews"] * 10 + ["badNews"] * 10
    assert ds["phraseN"].values.tolist() == [*range(1, 11)] * 2
    assert ds["phrase_txt"].sel(video="002.mp4") == "you've got the job"
    assert ds["timestamp"].values[0, :3].tolist() == [0.0, 0.08, 0.16]
    assert np.isnan(datasets.good_bad_news(fps=None)["timestamp"]).all()


@needs_news
def test_good_bad_news__rate_agrees_with_the_seconds_in_the_files():
    paths = (SHARED / "good_bad_news").glob("0*.csv")
    clips = pd.concat([pd.read_csv(path, usecols=["frame", "approx_time"]) for path in paths])
    seconds = clips["approx_time"].str.removeprefix("00:").astype(int)
    # both ends count, because the true rates of clips differ a little from what they should be
    fitting = [rate for rate in (24, 25, 30, 50) if (clips["frame"] / rate - seconds).between(0, 1).all()]
    assert fitting == [25]


@needs_news
def test_good_bad_news__detections_are_fetched_by_hash(news_server, empty_cache):
    ds = datasets.good_bad_news()
    assert ds.sizes["video"] == 20
    assert len(news_server.requests) == 21
    datasets.good_bad_news()
    assert len(news_server.requests) == 21
    changed = empty_cache / "good_bad_news" / "003.csv"
    changed.write_bytes(b"damaged")
    datasets.good_bad_news()
    assert news_server.requests[21:] == [("good_bad_news/003.csv", None)]


@needs_news
def test_good_bad_news__another_file_and_a_cut_one_are_refused(news_server, empty_cache):
    right = news_server.files["good_bad_news/003.csv"]
    news_server.files["good_bad_news/003.csv"] = right.replace(b"1", b"2", 1)
    with pytest.raises(
        AssetError, match=r"cannot fetch good_bad_news/003.csv(?s:.*)expected 450949 bytes with aba0f9ad"
    ):
        datasets.good_bad_news()
    assert not (empty_cache / "good_bad_news" / "003.csv").exists()
    news_server.files["good_bad_news/003.csv"] = right
    news_server.cuts = 1
    with pytest.raises(AssetError, match=r"good_bad_news/003\.csv"):
        datasets.good_bad_news()
    assert datasets.good_bad_news().sizes["video"] == 20
    # what came was kept each time
    assert [name for name, _ in news_server.requests].count("good_bad_news/004.csv") == 1


@needs_news
def test_good_bad_news__videos(news_server, empty_cache, clip):
    news_server.files |= dict.fromkeys(datasets._CLIPS, clip)
    paths, table = datasets.good_bad_news(kind="videos")
    assert [path.name for path in paths] == [f"{i:03}.mp4" for i in range(1, 21)]
    assert all(path.read_bytes() == clip for path in paths)
    assert [name for name, _ in news_server.requests[1:]] == list(datasets._CLIPS)
    assert table["input"].tolist() == [path.name for path in paths]
    assert list(table.columns) == ["clipN", "class", "phraseN", "phrase_txt", "input", "condition"]
    assert set(zip(table["class"], table["condition"], strict=True)) == {("gn", "goodNews"), ("ists", "badNews")}
    datasets.good_bad_news(kind="videos")
    assert len(news_server.requests) == 21


def test_good_bad_news__videos_are_those_of_the_published_study():
    assert datasets._CLIP_ADDRESS.format(datasets._CLIPS[0]) == "https://osf.io/n6rt3/download"
    assert len(set(datasets._CLIPS)) == 20
    assert datasets._CLIPS[19] == "3d5ry"


@needs_news
def test_good_bad_news__videos_that_are_here_are_skipped_and_cuts_go_on(news_server, empty_cache, clip, tmp_path):
    assert len(clip) > 2**15
    news_server.files |= dict.fromkeys(datasets._CLIPS, clip)
    assets.path("good_bad_news/clip_attrs.csv")
    shutil.copy(SHARED / "good_bad_news" / "clip_attrs.csv", empty_cache / "good_bad_news" / "001.mp4")
    news_server.requests.clear()
    news_server.cuts, news_server.cut_after = 1, 2**15
    paths, _ = datasets.good_bad_news(kind="videos")
    assert news_server.requests[:2] == [("3gh8v", None), ("3gh8v", f"bytes={2**15}-")]
    assert paths[1].read_bytes() == clip


@needs_news
def test_good_bad_news__what_is_no_video_is_named_and_not_kept(news_server, empty_cache, clip, tmp_path):
    news_server.files |= dict.fromkeys(datasets._CLIPS, clip)
    picture = tmp_path / "picture.png"
    Image.new("RGB", (8, 8)).save(picture)
    news_server.files |= {
        "3gh8v": b"<html>please log in</html>",
        "twqxs": picture.read_bytes(),
        "nc7d9": clip[:-100],
        "nrwcm": 404,
    }
    with pytest.raises(AssetError) as raised:
        datasets.good_bad_news(kind="videos")
    text = str(raised.value)
    assert "cannot fetch 4 of 20 files" in text
    for name, reason in (
        ("002", "found no video"),
        ("003", "found a picture"),
        ("004", "(?:no video|bytes of a video)"),
        ("005", "404"),
    ):
        assert re.search(rf"good_bad_news/{name}\.mp4: http.*{reason}", text)
    assert len(list((empty_cache / "good_bad_news").glob("*.mp4"))) == 16


def test_good_bad_news__arguments():
    with pytest.raises(InputError, match=r"unknown kind of data 'video' \(did you mean 'videos'"):
        datasets.good_bad_news("video")
    with pytest.raises(InputError, match="found fps=30 with kind='videos'"):
        datasets.good_bad_news("videos", fps=30)
