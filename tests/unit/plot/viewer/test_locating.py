from __future__ import annotations

from pathlib import Path

import pytest

from facearray.errors import InputError, VideoError
from facearray.plot.viewer.locating import Locator


def found(locator: Locator, label: str, source: str) -> str:
    with locator.file(label, source) as path:
        return path


@pytest.fixture
def folder(tmp_path) -> Path:
    made = tmp_path / "videos"
    made.mkdir()
    (made / "a.mp4").touch()
    (tmp_path / "secret.mp4").touch()
    return made


def test_file__where_the_store_says(folder):
    assert found(Locator.of(None), "a", str(folder / "a.mp4")) == str(folder / "a.mp4")


@pytest.mark.parametrize("source", ["", "a.mp4", "../a.mp4", "/nowhere/a.mp4"])
def test_file__not_where_the_store_says(folder, monkeypatch, source):
    monkeypatch.chdir(folder)
    with pytest.raises(VideoError, match="--videos"):
        found(Locator.of(None), "a.mp4", source)


@pytest.mark.parametrize("source", ["/elsewhere/a.mp4", r"C:\films\a.mp4", ""])
def test_file__in_a_folder_by_its_label_or_name(folder, source):
    assert found(Locator.of(folder), "a.mp4" if not source else "1", source) == str(folder / "a.mp4")


@pytest.mark.parametrize("label", ["../secret.mp4", "sub/../../secret.mp4", "link.mp4", "out/secret.mp4"])
def test_file__nothing_outside_of_the_folder(folder, label):
    (folder / "sub").mkdir()
    (folder / "link.mp4").symlink_to(folder.parent / "secret.mp4")
    (folder / "out").symlink_to(folder.parent)
    with pytest.raises(VideoError, match="outside"):
        found(Locator.of(folder), label, "")


def test_file__an_absolute_label_does_not_leave_the_folder(folder):
    with pytest.raises(VideoError, match="outside"):
        found(Locator.of(folder), str(folder.parent / "secret.mp4"), "")


def test_file__behind_a_url_only_if_asked_for():
    with pytest.raises(VideoError, match="--fetch"):
        found(Locator.of(None), "a", "https://example.org/a.mp4")


def test_file__fetched(folder, tmp_path, monkeypatch):
    monkeypatch.setenv("FACEARRAY_VIDEO_CACHE", str(tmp_path / "cache"))
    import fsspec

    fsspec.filesystem("memory").pipe_file("/films/a.mp4", b"content")
    with Locator.of(None, fetch=True).file("a", "memory://films/a.mp4") as path:
        assert Path(path).read_bytes() == b"content"
    assert not Path(path).exists()


def test_of__no_folder(tmp_path):
    with pytest.raises(InputError, match="found no folder"):
        Locator.of(tmp_path / "none")
