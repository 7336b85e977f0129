"""Videos behind URLs: fetched, cached, and failing by name."""

from __future__ import annotations

import itertools
import logging
import re
import threading
import traceback
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import fsspec
import pytest
from object_store import BUCKET, Fault, at_first_attempt

import facearray as fa
from facearray.detection import cache as cache_module
from facearray.detection.sources import find_videos
from facearray.errors import FaceArrayError, InputError
from facearray.testing import FakeDetector

FAKE = FakeDetector(n_landmarks=None)
_numbers = itertools.count()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FACEARRAY_VIDEO_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def memory(make_video):
    """Return a function that puts a made video into memory, and gives its URL."""
    folder = f"/videos{next(_numbers)}"
    fs = fsspec.filesystem("memory")

    def put(name, n_frames=20, **options):
        fs.pipe_file(f"{folder}/{name}", make_video("made.mkv", n_frames, **options).read_bytes())
        return f"memory://{folder}/{name}"

    put.folder = f"memory://{folder}"
    yield put
    fs.rm(folder, recursive=True)


def detect(videos, store, **options):
    return fa.detect(videos, store, **{"detector": FAKE, "progress": False, **options})


def kept(cache):
    return [p for p in cache.iterdir() if p.is_file() and not p.suffix]


def test_find_videos__urls_folders_and_globs(memory):
    for name in ("10.mkv", "2.mkv", "a/2.mkv", "notes.txt", ".hidden.mkv"):
        memory(name)
    names = {"10.mkv", "2.mkv"}
    assert [s.label for s in find_videos(memory.folder)] == ["2.mkv", "10.mkv"]
    assert [s.label for s in find_videos(f"{memory.folder}/*.mkv")] != []
    assert {s.label for s in find_videos(f"{memory.folder}/[0-9]*.mkv")} == names
    one, two = find_videos([f"{memory.folder}/a/2.mkv", f"{memory.folder}/2.mkv"])
    assert one.label.endswith("/2.mkv")
    assert one.label != two.label
    assert find_videos({"mine": f"{memory.folder}/2.mkv"})[0].label == "mine"
    missing = find_videos([f"{memory.folder}/2.mkv", f"{memory.folder}/none.mkv"])
    assert [s.exists for s in missing] == [True, False]
    with pytest.raises(InputError, match=r"nothing matches memory://.*none"):
        find_videos(f"{memory.folder}/none*.mkv")


def test_find_videos__reads_no_remote_video(memory, monkeypatch):
    memory("a.mkv")
    for name in ("cat_file", "_open", "open", "get_file"):
        monkeypatch.setattr(fsspec.get_filesystem_class("memory"), name, lambda *_, **__: pytest.fail("was read"))
    assert find_videos(memory.folder)[0].exists


def test_detect__remote_videos_are_as_local_ones(memory, make_video, tmp_path, cache):
    memory("a.mkv", 20, offset=1), memory("b.mkv", 30, offset=2)
    ds = detect(f"{memory.folder}/*.mkv", tmp_path / "remote.zarr").load()
    local = detect(
        [make_video("a.mkv", 20, offset=1), make_video("b.mkv", 30, offset=2)], tmp_path / "local.zarr"
    ).load()
    assert ds.drop_vars("source").identical(local.drop_vars("source"))
    assert ds["source"].values.tolist() == [f"{memory.folder}/a.mkv", f"{memory.folder}/b.mkv"]
    assert len(kept(cache)) == 2
    again = detect(memory.folder, tmp_path / "remote.zarr", detector=FakeDetector(n_landmarks=None, seconds=60))
    assert again["status"].values.tolist() == ["done", "done"]


def test_detect__a_remote_video_longer_than_the_store(memory, tmp_path, expected_au12):
    url = memory("long.mkv", 2100, size="8x8")
    ds = detect([memory("short.mkv"), url], tmp_path / "s.zarr")
    assert ds.sizes["frame"] == 3072
    assert ds["n_frames"].values.tolist() == [2100, 20]
    found = ds["features"].sel(feature="AU12", video="long.mkv").values[:2100, 0]
    assert found == pytest.approx(expected_au12(2100), abs=1e-6, nan_ok=True)


def test_detect__changed_and_vanished_videos_fail_by_name(memory, tmp_path, monkeypatch):
    urls = [memory("0.mkv"), memory("changed.mkv"), memory("gone.mkv")]
    fs = fsspec.filesystem("memory")
    download = cache_module._download

    def meddling(source, target):
        if source.label == "0.mkv":
            memory("changed.mkv", 40)
            fs.rm_file(urls[2].removeprefix("memory://"))
        download(source, target)

    monkeypatch.setattr(cache_module, "_download", meddling)
    ds = detect(urls, tmp_path / "s.zarr")
    assert ds["status"].values.tolist() == ["done", "failed", "failed"]
    errors = dict(zip(ds["video"].values, ds["error"].values, strict=True))
    assert re.search(
        r"'changed.mkv': found another file at memory://.*than when the run was planned", errors["changed.mkv"]
    )
    assert re.search(r"'gone.mkv': there is no such file: memory://", errors["gone.mkv"])


def test_cache__keeps_what_fits_and_deletes_the_oldest(memory, tmp_path, cache):
    files = find_videos([memory(f"{i}.mkv", 20, offset=i) for i in range(4)])
    size = max(int(f.fingerprint.split("-")[0]) for f in files)
    small = cache_module.VideoCache(cache, max_bytes=2 * size)
    for file in files[:2]:
        with small.copy(file) as path:
            assert path.name == file.label
    with small.copy(files[0]):  # used again, so that it is not the oldest
        pass
    with small.copy(files[2]) as path:
        assert path.read_bytes() == fsspec.filesystem("memory").cat_file(files[2].path.removeprefix("memory://"))
    assert len(kept(cache)) == 2
    fsspec.filesystem("memory").rm_file(files[0].path.removeprefix("memory://"))
    with small.copy(files[0]) as path:  # still there
        assert path.stat().st_size > 0
    nothing = cache_module.VideoCache(cache, max_bytes=0)
    with nothing.copy(files[3]) as path:
        assert path.exists()
    assert kept(cache) == []
    assert list(cache.glob("used-*")) == []


def test_cache__several_at_once_fetch_a_file_once(memory, cache, monkeypatch):
    (file,) = find_videos(memory("a.mkv"))
    downloads, contents = [], []
    download = cache_module._download
    monkeypatch.setattr(cache_module, "_download", lambda *a: (downloads.append(1), download(*a)))

    def use():
        with cache_module.VideoCache(cache).copy(file) as path:
            contents.append(path.read_bytes())

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(downloads) == 1
    assert len(contents) == 8
    assert len(set(contents)) == 1


def test_cache__a_size_that_is_none(monkeypatch):
    monkeypatch.setenv("FACEARRAY_VIDEO_CACHE_SIZE", "1.5G")
    assert cache_module.VideoCache.from_environment().max_bytes == 1_500_000_000
    monkeypatch.setenv("FACEARRAY_VIDEO_CACHE_SIZE", "much")
    with pytest.raises(InputError, match="FACEARRAY_VIDEO_CACHE_SIZE: found 'much'; expected a number of bytes"):
        cache_module.VideoCache.from_environment()


def test_cache__a_full_disk_ends_the_run(memory, tmp_path, monkeypatch):
    def full(source, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache_module, "_download", full)
    with pytest.raises(fa.errors.StoreError, match=r"the cache of videos in .*No space left.*FACEARRAY_VIDEO_CACHE"):
        detect(memory("a.mkv"), tmp_path / "s.zarr")


def test_detect__videos_on_s3(s3, make_video, tmp_path):
    proxy, options, fs = s3
    for i in range(4):
        fs.put_file(str(make_video(f"{i}.mkv", 20, offset=i)), f"{BUCKET}/v/{i}.mkv")
    faults = [
        Fault("500", method="GET", path=r"v/0\.mkv"),
        Fault("truncated", method="GET", path=r"v/1\.mkv", times=2),
        Fault("403", method="GET", path=r"v/2\.mkv", times=10**6),
        Fault("timeout", method="GET", path=r"v/3\.mkv"),
    ]
    with proxy.failing(*faults):
        ds = detect(f"s3://{BUCKET}/v/*.mkv", tmp_path / "s.zarr", storage_options=options)
    assert ds["status"].values.tolist() == ["done", "done", "failed", "done"]
    assert "'2.mkv': access is refused: s3://study-bucket/v/2.mkv" in str(ds["error"].values[2])
    ds = detect(f"s3://{BUCKET}/v/", tmp_path / "s.zarr", storage_options=options, retry_failed=True)
    assert ds["status"].values.tolist() == ["done"] * 4
    local = detect([make_video(f"{i}.mkv", 20, offset=i) for i in range(4)], tmp_path / "local.zarr")
    assert ds.load().drop_vars("source").identical(local.load().drop_vars("source"))


SECRETS = ("hunter2hunter2", "9f2c77aabb", "wJalrXUtnFEMI/K7MDENG")


class _Web(SimpleHTTPRequestHandler):
    """Serves a folder; refuses what is called so."""

    def log_message(self, *_):
        pass

    def do_GET(self):
        if "refused" in self.path:
            self.send_error(403)
        else:
            super().do_GET()

    do_HEAD = do_GET  # noqa: N815  (the files are small)


@pytest.fixture
def web(tmp_path):
    pytest.importorskip("aiohttp", reason="needs the extra http")
    folder = tmp_path / "web"
    folder.mkdir()
    site = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Web, directory=str(folder)))
    threading.Thread(target=site.serve_forever, daemon=True).start()
    yield folder, f"127.0.0.1:{site.server_address[1]}"
    site.shutdown()
    site.server_close()


def test_secrets__are_written_nowhere(s3, web, make_video, tmp_path, caplog, capfd, cache):
    """Runs that end well and runs that fail, with secrets in URLs and options: none is in anything that stays."""
    proxy, options, fs = s3
    folder, host = web
    texts = []
    caplog.set_level(logging.INFO)
    caplog.set_level(logging.WARNING, logger="botocore")
    for name in ("a.mkv", "b.mkv"):
        (folder / name).write_bytes(make_video(name, 20).read_bytes())
    signed = f"?X-Amz-Signature={SECRETS[1]}&part=1"
    urls = [f"http://ann:{SECRETS[0]}@{host}/{name}{signed}" for name in ("a.mkv", "refused.mkv", "none.mkv")]
    urls.append(f"http://{host}/b.mkv?token={SECRETS[1]}")

    def attempt(function):
        try:
            return function()
        except FaceArrayError as error:
            texts.extend(["".join(traceback.format_exception(error)), str(error), repr(error), repr(error.args)])

    place = f"s3://{BUCKET}/secret/s.zarr"
    ds = attempt(lambda: detect(urls, place, storage_options=options, video_options={}))
    assert sorted(ds["status"].values.tolist()) == ["done", "done", "failed", "failed"]
    assert any(f"http://***@{host}/a.mkv" in s for s in ds["source"].values)
    assert len(set(ds["video"].values.tolist())) == 4
    once = at_first_attempt(options)
    for kind in ("500", "403", "truncated"):
        with proxy.failing(Fault(kind, times=10**6)):
            attempt(lambda: detect(urls, place, storage_options=once, video_options={}))
            attempt(lambda: fa.open_store(place, storage_options=once))
            attempt(lambda: fa.save(ds, place + "2", storage_options=once))
    attempt(lambda: fa.open_store(f"unheard://ann:{SECRETS[0]}@h/s.zarr?sig={SECRETS[1]}"))
    attempt(lambda: fa.open_store(f"s3://{BUCKET}/none?sig={SECRETS[1]}", storage_options=options))
    attempt(lambda: detect(f"http://ann:{SECRETS[0]}@{host}/x*.mkv{signed}", tmp_path / "s.zarr"))
    texts.append(repr(ds) + repr(ds.attrs) + repr(ds.encoding) + str(ds["source"].values) + str(ds["error"].values))
    texts.append(repr(find_videos(urls)))
    texts.extend(fs.cat_file(path).decode("latin-1") + path for path in fs.find(BUCKET))
    texts.extend(str(path) for path in cache.rglob("*"))
    texts.append(caplog.text)
    texts.extend(capfd.readouterr())
    assert len(texts) > 50
    for secret in SECRETS:
        assert [text[:2000] for text in texts if secret in text] == []
    assert urlsplit(urls[0]).password == SECRETS[0]
