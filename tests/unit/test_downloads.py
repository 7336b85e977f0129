"""Downloads that go on where they were cut, from a server on the loopback interface."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from facearray import assets
from facearray.errors import AssetError

CONTENT = bytes(range(256)) * 4096  # 1 MiB


@pytest.fixture
def server(range_server):
    return range_server


@pytest.fixture(autouse=True)
def cache(empty_cache):
    return empty_cache


def anything(path: Path) -> str:
    return ""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_download__brings_a_file_and_keeps_it(server, cache):
    server.files["a"] = CONTENT
    found = assets.download({"films/a.mp4": server.url("a")}, anything)
    assert found == {"films/a.mp4": cache / "films" / "a.mp4"}
    assert found["films/a.mp4"].read_bytes() == CONTENT
    assert names(cache / "films") == ["a.mp4"]
    assets.download({"films/a.mp4": server.url("a")}, anything)
    assert len(server.requests) == 1


def test_download__files_of_the_given_folder_come_first(server, tmp_path, monkeypatch):
    (tmp_path / "given" / "films").mkdir(parents=True)
    (tmp_path / "given" / "films" / "a.mp4").write_bytes(b"mine")
    monkeypatch.setenv("FACEARRAY_ASSETS", str(tmp_path / "given"))
    server.files["b"] = CONTENT
    found = assets.download({"films/a.mp4": server.url("a"), "films/b.mp4": server.url("b")}, anything)
    assert [path.read_bytes() for path in found.values()] == [b"mine", CONTENT]
    assert server.requests == [("b", None)]


@pytest.mark.parametrize("headers", [{"ETag": '"one"'}, {"Last-Modified": "Mon, 01 Jan 2024 10:00:00 GMT"}, {}])
def test_download__goes_on_after_cuts(server, headers):
    server.files["a"], server.cuts, server.headers = CONTENT, 2, headers
    found = assets.download({"a.mp4": server.url("a")}, anything)
    assert found["a.mp4"].read_bytes() == CONTENT
    assert server.requests == [("a", None), ("a", "bytes=262144-"), ("a", "bytes=524288-")]


def test_download__a_later_call_goes_on(server, cache):
    server.files["a"], server.cuts = CONTENT, 1
    original = server.answer

    def refuse_the_second(request):
        if server.requests:
            server.requests.append(("refused", None))
            request.send_error(503)
        else:
            original(request)

    server.answer = refuse_the_second
    with pytest.raises(AssetError, match=r"cannot fetch 1 of 1 files:\n  - a.mp4: .*503"):
        assets.download({"a.mp4": server.url("a")}, anything)
    assert names(cache) == [".a.mp4.part", ".a.mp4.part.json", ".lock"]
    server.answer = original
    found = assets.download({"a.mp4": server.url("a")}, anything)
    assert found["a.mp4"].read_bytes() == CONTENT
    assert server.requests[-1] == ("a", "bytes=262144-")
    assert names(cache) == [".lock", "a.mp4"]


def test_download__begins_anew_where_the_server_cannot_go_on(server):
    server.files["a"], server.cuts, server.ranges = CONTENT, 2, False
    found = assets.download({"a.mp4": server.url("a")}, anything)
    assert found["a.mp4"].read_bytes() == CONTENT
    assert len(server.requests) == 3


@pytest.mark.parametrize(
    ("other", "headers"),
    [
        (b"x" * 2_000_000, {"ETag": '"one"'}),
        (b"x" * 100, {"ETag": '"one"'}),
        (b"x" * len(CONTENT), {"ETag": '"one"'}),
        (b"x" * 2_000_000, {}),
        (b"x" * 100, {}),
    ],
    ids=["longer", "shorter", "same size", "longer without a version", "shorter without a version"],
)
def test_download__never_mixes_two_contents(server, cache, other, headers):
    server.headers = headers
    server.files["a"], server.cuts = CONTENT, 1
    original = server.answer

    def change(request):
        original(request)
        server.files["a"] = other
        server.headers = dict.fromkeys(headers, '"two"')

    server.answer = change
    found = assets.download({"a.mp4": server.url("a")}, anything)
    assert found["a.mp4"].read_bytes() == other


def test_download__a_part_that_was_not_asked_for_is_not_kept(server):
    server.files["a"], server.cuts = CONTENT, 1
    server.content_range = "bytes 5-100/1048576"
    found = assets.download({"a.mp4": server.url("a")}, anything)
    assert found["a.mp4"].read_bytes() == CONTENT


def test_download__complete_part_that_was_never_moved(server, cache):
    cache.mkdir(parents=True)
    (cache / ".a.mp4.part").write_bytes(CONTENT)
    (cache / ".a.mp4.part.json").write_text(json.dumps({"size": len(CONTENT), "version": '"one"'}))
    server.files["a"] = CONTENT
    assert assets.download({"a.mp4": server.url("a")}, anything)["a.mp4"].read_bytes() == CONTENT


def test_download__note_that_cannot_be_read_means_anew(server, cache):
    cache.mkdir(parents=True)
    (cache / ".a.mp4.part").write_bytes(b"old")
    (cache / ".a.mp4.part.json").write_text("{")
    server.files["a"] = CONTENT
    assert assets.download({"a.mp4": server.url("a")}, anything)["a.mp4"].read_bytes() == CONTENT
    assert server.requests == [("a", None)]


def test_download__without_a_length(server):
    server.files["a"], server.sends_length = CONTENT, False
    assert assets.download({"a.mp4": server.url("a")}, anything)["a.mp4"].read_bytes() == CONTENT


def test_download__gives_up_where_connections_bring_nothing(server, cache):
    server.files["a"], server.cuts, server.cut_after = CONTENT, 1000, 0
    with pytest.raises(AssetError, match="the connection was cut"):
        assets.download({"a.mp4": server.url("a")}, anything)
    assert len(server.requests) == 1


def test_download__gives_up_after_many_cuts(server):
    server.files["a"], server.cuts, server.cut_after = CONTENT, 1000, 2**14
    with pytest.raises(AssetError, match="was cut 20 times; 327680 bytes are here"):
        assets.download({"a.mp4": server.url("a")}, anything)


def test_download__wrong_content_is_not_kept(server, cache):
    server.files |= {"a": CONTENT, "b": b"<html>not found</html>"}

    def check(path: Path) -> str:
        return "" if path.stat().st_size > 1000 else "it is no video"

    with pytest.raises(AssetError, match=r"cannot fetch 1 of 2 files:\n  - b.mp4: .*: it is no video\n") as raised:
        assets.download({"b.mp4": server.url("b"), "a.mp4": server.url("a")}, check)
    assert "a.mp4" not in str(raised.value)
    assert "run the same again" in str(raised.value)
    assert names(cache) == [".lock", "a.mp4"]


def test_download__dead_host_is_tried_once(server):
    server.close()
    with pytest.raises(AssetError, match=r"no connection: .*; the rest was not tried") as raised:
        assets.download({"a.mp4": server.url("a"), "b.mp4": server.url("b")}, anything)
    assert "b.mp4" not in str(raised.value)


def test_download__cache_that_cannot_be_written(server, cache):
    cache.mkdir(parents=True)
    (cache / "films").write_text("a file where the folder should be")
    server.files["a"] = CONTENT
    with pytest.raises(AssetError, match="cannot write into"):
        assets.download({"films/a.mp4": server.url("a")}, anything)


@pytest.mark.parametrize(("progress", "shown"), [(True, True), (False, False)])
def test_download__progress_bar(server, monkeypatch, capsys, progress, shown):
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    server.files["a"] = CONTENT
    assets.download({"a.mp4": server.url("a")}, anything, progress=progress)
    assert ("a.mp4" in capsys.readouterr().err) == shown
