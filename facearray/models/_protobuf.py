"""Fields of a protocol buffer message, without its schema."""

from __future__ import annotations

import struct
from collections.abc import Iterator

__all__ = ["fields", "floats", "varints"]

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_FIXED_BYTES = {_FIXED64: 8, _FIXED32: 4}
_MAX_VARINT_BYTES = 10


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    r"""Yield number and value of every field: an int for a varint, the bytes of any other.

    Raises
    ------
    ValueError
        If the message ends within a field, or has a field of an unknown wire type.

    References
    ----------
    https://protobuf.dev/programming-guides/encoding/

    Examples
    --------
    >>> list(fields(b"\x08\x96\x01\x12\x02hi"))
    [(1, 150), (2, b'hi')]
    """
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if wire_type == _VARINT:
            value, at = _varint(message, at)
            yield number, value
            continue
        if wire_type == _LENGTH:
            size, at = _varint(message, at)
        elif wire_type in _FIXED_BYTES:
            size = _FIXED_BYTES[wire_type]
        else:
            raise ValueError(f"wire type {wire_type} at byte {at}")
        if at + size > len(message):
            raise ValueError(f"a field of {size} bytes at byte {at} of {len(message)}")
        yield number, message[at : at + size]
        at += size


def floats(value: int | bytes) -> tuple[float, ...]:
    """Values of a ``float`` field, packed or single.

    Raises
    ------
    ValueError
        If the field is a varint, or its bytes are not a multiple of four.
    """
    if isinstance(value, int) or len(value) % 4:
        raise ValueError("a field that is not of 32-bit floats")
    return struct.unpack(f"<{len(value) // 4}f", value)


def varints(value: int | bytes) -> tuple[int, ...]:
    """Values of an integer field, packed or single.

    Raises
    ------
    ValueError
        If packed values end within one.
    """
    if isinstance(value, int):
        return (value,)
    values, at = [], 0
    while at < len(value):
        number, at = _varint(value, at)
        values.append(number)
    return tuple(values)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for index, byte in enumerate(message[at : at + _MAX_VARINT_BYTES]):
        value |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return value, at + index + 1
    raise ValueError(f"an integer without an end at byte {at} of {len(message)}")
