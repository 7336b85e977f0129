"""Which tool wrote a file, and whether one that none wrote is about videos rather than of one."""

from __future__ import annotations

import re
from pathlib import Path

from facearray._columns import shown
from facearray.errors import ReadError
from facearray.io.readers import HEAD_BYTES, READERS, Reader, load_reader
from facearray.io.readers.columns import head_lines, head_names

__all__ = ["AttributesError", "recognize"]

#: Columns of tables that have a row a frame, whichever tool wrote them.
_OF_FRAMES = re.compile(
    r"frame([ _]?(no|num(ber)?|idx|index|time))?"
    r"|(video|media)?[ _]?time([ _]?stamp)?[ _]?\(?(m?s|sec(onds)?)?\)?"
    r"|au_?\d\d?(_\w+)?|face_?rect\w*|(pose_)?(pitch|yaw|roll)|(\w+_)?[xyz]_\d+",
    re.IGNORECASE,
)


class AttributesError(ReadError):
    """A file is a table about videos, persons or the like: it has no frames of a recording."""


def recognize(path: Path) -> Reader:
    """Return the reader of a file, by what it starts with.

    Raises
    ------
    AttributesError
        If no known tool writes such a file, and it is a table without anything that is of frames.
    ReadError
        If the file is empty, or none or several of the tools may have written it.
    """
    with path.open("rb") as opened:
        head = opened.read(HEAD_BYTES)
    if not head.strip():
        raise ReadError(f"{path.name}: line 1: found an empty file; expected what one of {', '.join(READERS)} writes")
    found = [name for name in READERS if load_reader(name).sniff(head, path)]
    if len(found) == 1:
        return load_reader(found[0])
    expected = f"expected one of {', '.join(READERS)}; name it with source="
    if found:
        raise ReadError(
            f"{path.name}: line 1: found a file that several tools may have written: {', '.join(found)}; {expected}"
        )
    if _is_of_attributes(head):
        raise AttributesError(
            f"{path.name}: line 1: found a table that no known tool writes, columns {shown(head_names(head))}, "
            "none of frames; expected frames of a video; if it is about the videos, join it: "
            f"ds.fex.join(pandas.read_csv({path.name!r}), key=...)"
        )
    raise ReadError(
        f"{path.name}: line 1: found a file that no known tool writes; {expected}, or, if it is about the videos, join "
        "it with ds.fex.join"
    )


def _is_of_attributes(head: bytes) -> bool:
    """Whether a file has a header of several names, none of which is one of frames, and a row below it."""
    rows = [head_names(line.encode()) for line in head_lines(head) if line.strip()][:2]
    if len(rows) < 2 or len(rows[0]) < 2 or len(rows[0]) != len(rows[1]):
        return False
    return not any(_OF_FRAMES.fullmatch(name) or _is_number(name) for name in rows[0])


def _is_number(name: str) -> bool:
    try:
        float(name)
    except ValueError:
        return False
    return True
