"""Frames with their times as a stream that ffmpeg reads from a pipe: Matroska, of as few elements as it takes."""

from __future__ import annotations

import struct

__all__ = ["TICKS", "block_head", "stream_head"]

#: Ticks in a second.
TICKS = 10**9

# identifiers of the elements, their length marks included
_EBML, _DOC_TYPE = "1A45DFA3", "4282"
_SEGMENT, _INFO, _TIMESTAMP_SCALE = "18538067", "1549A966", "2AD7B1"
_TRACKS, _TRACK, _NUMBER, _UID, _TYPE, _CODEC = "1654AE6B", "AE", "D7", "73C5", "83", "86"
_VIDEO, _WIDTH, _HEIGHT, _FOURCC = "E0", "B0", "BA", "2EB524"
_CLUSTER, _TIMESTAMP, _SIMPLE_BLOCK = "1F43B675", "E7", "A3"

_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7
_TYPE_VIDEO = 1
#: Track 1, no time after that of its cluster, a keyframe.
_BLOCK = b"\x81\x00\x00\x80"


def stream_head(width: int, height: int) -> bytes:
    """Return what comes before the first frame of 8-bit RGB.

    References
    ----------
    RFC 8794 (EBML) and RFC 9559 (Matroska).
    """
    video = _element(_WIDTH, _number(width)) + _element(_HEIGHT, _number(height)) + _element(_FOURCC, b"RGB\x18")
    track = _element(_NUMBER, _number(1)) + _element(_UID, _number(1)) + _element(_TYPE, _number(_TYPE_VIDEO))
    track += _element(_CODEC, b"V_UNCOMPRESSED") + _element(_VIDEO, video)
    return b"".join(
        [
            _element(_EBML, _element(_DOC_TYPE, b"matroska")),
            bytes.fromhex(_SEGMENT) + _UNKNOWN_SIZE,
            _element(_INFO, _element(_TIMESTAMP_SCALE, _number(10**9 // TICKS))),
            _element(_TRACKS, _element(_TRACK, track)),
        ]
    )


def block_head(ticks: int, n_bytes: int) -> bytes:
    """Return what comes before the pixels of a frame.

    Parameters
    ----------
    ticks
        When it is presented; not negative.
    n_bytes
        How many bytes its pixels have.
    """
    timestamp = _element(_TIMESTAMP, _number(ticks))
    block = bytes.fromhex(_SIMPLE_BLOCK) + _size(len(_BLOCK) + n_bytes) + _BLOCK
    return bytes.fromhex(_CLUSTER) + _size(len(timestamp) + len(block) + n_bytes) + timestamp + block


def _element(identifier: str, content: bytes) -> bytes:
    return bytes.fromhex(identifier) + _size(len(content)) + content


def _size(n: int) -> bytes:
    return struct.pack(">Q", n | 1 << 56)


def _number(value: int) -> bytes:
    return struct.pack(">Q", value)
