"""Event tables as text: their encoding, delimiter and header, and their times."""

from __future__ import annotations

import codecs
import csv
import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from facearray.errors import ReadError

__all__ = ["Row", "decoded", "file_name", "find_rows", "seconds"]

_DELIMITERS = ("\t", ";", ",")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)

#: Lines that may stand above the header.
_MAX_PREAMBLE = 200


@dataclass(frozen=True, slots=True)
class Row:
    """Fields of a line by the names in the header; those that are not there are empty."""

    line: int
    fields: dict[str, str]

    def get(self, *names: str) -> str:
        """Give the first field of these that is not empty."""
        return next((value for name in names if (value := self.fields.get(name, "").strip())), "")


def decoded(content: bytes) -> str:
    """Text of a file in UTF-16 or UTF-8 with or without a mark, or else Windows-1252."""
    if content.startswith(_UTF16):
        return content.decode("utf-16", errors="replace")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", errors="replace")


def find_rows(path: str, content: bytes, columns: Sequence[str]) -> list[Row] | None:
    """Rows below the first line that names all these columns, under whatever delimiter; None without such a line.

    Raises
    ------
    ReadError
        If there is one, and what follows is no text table.
    """
    text = decoded(content)
    for delimiter in _DELIMITERS:
        lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        header = _find_header(lines, columns)
        if header is not None:
            try:
                rows = [Row(lines.line_num, dict(zip(header, values, strict=False))) for values in lines]
            except csv.Error as error:
                raise ReadError(
                    f"{path}, line {lines.line_num}: found no text table ({error}); expected one"
                ) from error
            return [row for row in rows if any(value.strip() for value in row.fields.values())]
    return None


def _find_header(lines: Iterator[list[str]], columns: Sequence[str]) -> list[str] | None:
    try:
        headers = ([name.strip() for name in values] for values in islice(lines, _MAX_PREAMBLE))
        return next((header for header in headers if set(columns) <= set(header)), None)
    except csv.Error:
        return None


def seconds(path: str, row: Row, *columns: str) -> float:
    """Read a time: seconds with a decimal point or comma, or hours, minutes and seconds with colons."""
    text = row.get(*columns)
    sign = -1.0 if text.startswith("-") else 1.0
    try:
        parts = [float(part.replace(",", ".")) for part in text.removeprefix("-").split(":")]
    except ValueError:
        parts = []
    if not 1 <= len(parts) <= 3 or not all(math.isfinite(part) and part >= 0 for part in parts):
        raise ReadError(f"{path}, line {row.line}, column {columns[0]!r}: found {text!r}; expected seconds or hh:mm:ss")
    return sign * math.fsum(part * 60.0**i for i, part in enumerate(reversed(parts)))


def file_name(path: str) -> str:
    """File name of a path or file address of any system."""
    return path.replace("\\", "/").rpartition("/")[2]
