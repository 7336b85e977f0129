from __future__ import annotations

import struct

import pytest

from facearray.detection.container import declared_size


def box(kind: bytes, size: int, content: int | None = None) -> bytes:
    return struct.pack(">I4s", size, kind) + bytes(size - 8 if content is None else content)


FTYP = box(b"ftyp", 24)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (FTYP + box(b"moof", 40) + box(b"mdat", 100), 164),
        (FTYP + box(b"moof", 40) + box(b"mdat", 100, 50), 164),
        (FTYP + box(b"moof", 40, 10), 64),
        (FTYP + box(b"moof", 40) + b"\0\0\1", 72),
        (box(b"wide", 8) + box(b"mdat", 100) + box(b"moov", 40, 20), 148),
        (FTYP + struct.pack(">I4sQ", 1, b"mdat", 5000) + bytes(9), 5024),
        # A last box may reach to the end of the file.
        (FTYP + box(b"moof", 40) + struct.pack(">I4s", 0, b"mdat") + bytes(9), None),
        # What is appended and no box says nothing.
        (FTYP + box(b"moov", 40) + b"\0\0\0", None),
        (FTYP + box(b"moov", 40) + b"appended by a recorder", None),
        (b"RIFF" + struct.pack("<I", 1000) + b"AVI " + bytes(50), 1008),
        (b"RIFF" + struct.pack("<I", 0) + b"AVI " + bytes(50), None),
        (b"RIFF" + struct.pack("<I", 1000) + b"WAVE" + bytes(50), None),
        (b"", None),
        (b"text named .mp4, without any box", None),
    ],
)
def test_declared_size__made_by_hand(tmp_path, content, expected):
    path = tmp_path / "a.mp4"
    path.write_bytes(content)
    assert declared_size(path) == expected


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.avi", ["-c:v", "mpeg4"]),
        ("a.wmv", ["-c:v", "wmv2"]),
        ("a.mov", ["-c:v", "libx264"]),
        ("a.mp4", ["-c:v", "libx264", "-g", "25", "-movflags", "frag_keyframe+empty_moov"]),
    ],
)
def test_declared_size__real_files(make_video, name, options):
    path = make_video(name, *options)
    whole = path.read_bytes()
    assert declared_size(path) == len(whole)
    for share in (0.5, 0.7, 0.99):
        cut = whole[: int(len(whole) * share)]
        path.write_bytes(cut)
        assert declared_size(path) > len(cut)


def test_declared_size__live_asf_does_not_tell(make_video):
    path = make_video("a.wmv", "-c:v", "wmv2")
    content = bytearray(path.read_bytes())
    start = content.find(bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365"))
    content[start + 88] |= 1
    path.write_bytes(content)
    assert declared_size(path) is None
