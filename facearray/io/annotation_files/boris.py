"""Events of BORIS, exported as a table: one line an event, or aggregated (one line a state).

References
----------
Friard, O., & Gamba, M. (2016). BORIS: a free, versatile open-source event-logging software for video/audio coding and
live observations. Methods in Ecology and Evolution, 7, 1325-1330; user guide, "Export events".
"""

from __future__ import annotations

from facearray.errors import ReadError
from facearray.io.annotation_files.entry import Entry
from facearray.io.annotation_files.states import Pairing
from facearray.io.annotation_files.text import Row, file_name, find_rows, seconds

__all__ = ["RECOGNIZED_BY", "read"]

_AGGREGATED = ("Behavior", "Behavior type", "Start (s)", "Stop (s)")

#: Sets of columns, of which a file of this kind has one: aggregated events; events since version 8, and before.
RECOGNIZED_BY = (_AGGREGATED, ("Behavior", "Behavior type", "Time"), ("Behavior", "Status", "Time"))


def read(path: str, content: bytes) -> list[Entry]:
    """Read all events; raises ``ReadError``."""
    for columns in RECOGNIZED_BY:
        rows = find_rows(path, content, columns)
        if rows is not None:
            _check_clock(path, rows)
            return _aggregated(path, rows) if columns is _AGGREGATED else _events(path, rows)
    raise ReadError(
        f"{path}: found no header of BORIS; expected columns {', '.join(_AGGREGATED)}, or Behavior, Behavior type and "
        "Time; export tabular or aggregated events as TSV or CSV"
    )


def _aggregated(path: str, rows: list[Row]) -> list[Entry]:
    entries = []
    for row in rows:
        start = seconds(path, row, "Start (s)")
        is_point = row.get("Behavior type").upper() == "POINT"
        end = start if is_point else seconds(path, row, "Stop (s)")
        entries.append(_entry(row, start, end, is_point=is_point))
    return entries


def _events(path: str, rows: list[Row]) -> list[Entry]:
    pairing = Pairing(path)
    for row in rows:
        time = seconds(path, row, "Time")
        what = row.get("Behavior type", "Status").upper()
        entry = _entry(row, time, time, is_point=what == "POINT")
        key = row.get("Observation id"), entry.video, entry.subject, entry.label, entry.modifier
        if what == "POINT":
            pairing.add(entry)
        elif what == "START":
            pairing.start(key, row, entry)
        elif what == "STOP":
            pairing.stop(key, row, entry)
        else:
            raise ReadError(f"{path}, line {row.line}: found an event of type {what!r}; expected POINT, START or STOP")
    return pairing.finish()


def _entry(row: Row, start: float, end: float, *, is_point: bool) -> Entry:
    modifiers = (value.strip() for name, value in row.fields.items() if name.startswith("Modifier"))
    comments = dict.fromkeys(row.get(name) for name in ("Comment", "Comment start", "Comment stop"))
    subject = row.get("Subject")
    return Entry(
        video=_medium(row),
        start=start,
        end=end,
        label=row.get("Behavior"),
        tier="point" if is_point else "state",
        subject="" if subject == "No focal subject" else subject,
        modifier="; ".join(value for value in modifiers if value and value != "None"),
        category=row.get("Behavioral category"),
        comment="; ".join(comment for comment in comments if comment),
    )


def _medium(row: Row) -> str:
    """File name of the medium; the column ``Source`` has it behind the player's number."""
    if named := row.get("Media file name", "Media file path", "Media file"):
        return file_name(named)
    return file_name(row.get("Source").split(";")[0].rpartition("#1:")[2])


def _check_clock(path: str, rows: list[Row]) -> None:
    """Make sure that times are those of the video: no offset, and no media one after the other."""
    media: dict[str, str] = {}
    for row in rows:
        if row.get("Time offset (s)", "Time offset") and seconds(path, row, "Time offset (s)", "Time offset"):
            raise ReadError(
                f"{path}, line {row.line}: found a time offset, which the times of the events include; expected times "
                "of the video; set the offset of the observation to 0 and export it again"
            )
        observation, medium = row.get("Observation id"), _medium(row)
        if media.setdefault(observation, medium) != medium:
            raise ReadError(
                f"{path}, line {row.line}: found medium {medium!r} after {media[observation]!r} in observation "
                f"{observation!r}; expected one medium, because times count from the first one; code them separately"
            )
