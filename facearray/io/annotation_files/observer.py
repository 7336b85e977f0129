"""Event logs of The Observer XT (Noldus), exported as text.

References
----------
Noldus Information Technology: The Observer XT reference manual, "Export event logs".
"""

from __future__ import annotations

from facearray.errors import ReadError
from facearray.io.annotation_files.entry import Entry
from facearray.io.annotation_files.states import Pairing
from facearray.io.annotation_files.text import Row, find_rows, seconds

__all__ = ["RECOGNIZED_BY", "read"]

#: Sets of columns, of which a file of this kind has one.
RECOGNIZED_BY = (("Behavior", "Event_Type"),)

#: The time of an event in seconds, or in hours, minutes and seconds; the first that the export has is used.
_TIMES = ("Time_Relative_sf", "Time_Relative_hmsf", "Time_Relative_hms")


def read(path: str, content: bytes) -> list[Entry]:
    """Read all events; raises ``ReadError``."""
    rows = find_rows(path, content, RECOGNIZED_BY[0])
    if rows is None:
        raise ReadError(
            f"{path}: found no header of The Observer; expected columns Behavior and Event_Type; export the event log "
            "as text"
        )
    pairing = Pairing(path)
    for row in rows:
        time = seconds(path, row, *_TIMES)
        what = " ".join(row.get("Event_Type").lower().split())
        entry = _entry(row, time, is_point="point" in what)
        key = entry.video, entry.subject, entry.label
        if what in ("point", "state point", "point event"):
            pairing.add(entry)
        elif what == "state start":
            pairing.start(key, row, entry)
        elif what == "state stop":
            pairing.stop(key, row, entry)
        else:
            raise ReadError(
                f"{path}, line {row.line}, column 'Event_Type': found {row.get('Event_Type')!r}; expected State start, "
                "State stop or Point; export the log with events of behaviours only"
            )
    return pairing.finish()


def _entry(row: Row, time: float, *, is_point: bool) -> Entry:
    modifiers = (value.strip() for name, value in row.fields.items() if name.startswith("Modifier"))
    return Entry(
        video=row.get("Observation"),
        start=time,
        end=time,
        label=row.get("Behavior"),
        tier="point" if is_point else "state",
        subject=row.get("Subject"),
        modifier="; ".join(value for value in modifiers if value),
        comment=row.get("Comment"),
    )
