"""What a container says about its own length, where the decoder does not notice that the end is missing."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import BinaryIO

__all__ = ["declared_size"]

#: Boxes at the top of a file. What recorders append behind them without being one must not be taken for a size.
_BOXES = frozenset(b"emsg free ftyp mdat meta mfra moof moov pdin pnot prft sidx skip ssix styp udta uuid wide".split())

_ASF_HEADER = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")
_ASF_FLAG_BROADCAST = 1
_ASF_SEARCHED = 2**16


def declared_size(path: str | os.PathLike[str]) -> int | None:
    """Read how many bytes a file should have at least, from its own headers.

    MP4 and MOV (to the end of the last box that has begun), AVI (the first RIFF chunk) and ASF/WMV say so.

    Parameters
    ----------
    path
        A file that can be read.

    Returns
    -------
    int or None
        The least number of bytes; None where the container does not tell. A file of fewer bytes was cut.

    References
    ----------
    ISO/IEC 14496-12:2022, 4.2 (boxes); Microsoft, "AVI RIFF File Reference"; Microsoft, "Advanced Systems Format
    (ASF) Specification", 3.2 (file properties object).
    """
    with Path(path).open("rb") as file:
        head = file.read(16)
        if head[4:8] in _BOXES:
            return _boxes_end(file)
        if head[:4] == b"RIFF" and head[8:12] == b"AVI ":
            return _riff_end(head)
        if head == _ASF_HEADER:
            return _asf_size(file)
    return None


def _boxes_end(file: BinaryIO) -> int | None:
    position, size_of_file = 0, file.seek(0, os.SEEK_END)
    while position < size_of_file:
        file.seek(position)
        header = file.read(16)
        if len(header) < 8:
            return position + 8 if any(header) else None
        size, kind = struct.unpack(">I4s", header[:8])
        if size == 1:
            size = int.from_bytes(header[8:], "big")
        if kind not in _BOXES or size < 8:
            return None
        position += size
    return position


def _riff_end(head: bytes) -> int | None:
    size = int.from_bytes(head[4:8], "little")
    # Recorders that cannot seek back leave one of these.
    return None if size in (0, 0xFFFFFFFF) else size + 8


def _asf_size(file: BinaryIO) -> int | None:
    file.seek(0)
    head = file.read(_ASF_SEARCHED)
    start = head.find(_ASF_FILE_PROPERTIES)
    properties = head[start : start + 92]
    if start < 0 or len(properties) < 92:
        return None
    broadcast = int.from_bytes(properties[88:92], "little") & _ASF_FLAG_BROADCAST
    return None if broadcast else int.from_bytes(properties[40:48], "little")
