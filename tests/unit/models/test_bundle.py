from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from facearray.errors import AssetError
from facearray.models import bundle
from facearray.models.bundle import read_member


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "some.task"
    with zipfile.ZipFile(path, "w") as target:
        target.writestr("net.tflite", b"content" * 100)
    return path


def test_read_member__content(archive: Path) -> None:
    assert read_member(archive, "net.tflite") == b"content" * 100


def test_read_member__missing(archive: Path) -> None:
    with pytest.raises(AssetError, match=r"cannot read other\.tflite from some\.task"):
        read_member(archive, "other.tflite")


def test_read_member__no_archive(tmp_path: Path) -> None:
    path = tmp_path / "some.task"
    path.write_bytes(b"nothing like a zip archive")
    with pytest.raises(AssetError, match=r"from some\.task"):
        read_member(path, "net.tflite")


def test_read_member__damaged(archive: Path) -> None:
    content = bytearray(archive.read_bytes())
    content[content.index(b"content") + 9] ^= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(AssetError, match="CRC"):
        read_member(archive, "net.tflite")


def test_read_member__too_large(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundle, "MAX_MEMBER_BYTES", 699)
    with pytest.raises(AssetError, match=r"found net\.tflite of 700 bytes; expected at most 699"):
        read_member(archive, "net.tflite")
