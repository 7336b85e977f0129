"""States that are coded by a line where they start and a line where they stop."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import replace

from facearray.errors import ReadError
from facearray.io.annotation_files.entry import Entry
from facearray.io.annotation_files.text import Row

__all__ = ["Pairing"]


class Pairing:
    """Puts starts and stops of states together, and collects them with the point events in the order of their starts.

    Parameters
    ----------
    path
        Of the file, for messages.
    """

    def __init__(self, path: str) -> None:
        self._path = path
        self._entries: list[Entry] = []
        self._open: dict[Hashable, tuple[int, Row]] = {}
        self._problems: list[str] = []

    def add(self, entry: Entry) -> None:
        """Add an annotation that is complete."""
        self._entries.append(entry)

    def start(self, key: Hashable, row: Row, entry: Entry) -> None:
        """Begin a state; it lasts until the next stop with the same key."""
        if key in self._open:
            self._problem(row, entry, f"it starts again; it has not stopped since line {self._open[key][1].line}")
        self._open[key] = len(self._entries), row
        self._entries.append(entry)

    def stop(self, key: Hashable, row: Row, entry: Entry) -> None:
        """End a state."""
        if key not in self._open:
            self._problem(row, entry, "it stops without a start")
            return
        at, _ = self._open.pop(key)
        self._entries[at] = replace(self._entries[at], end=entry.end)

    def finish(self) -> list[Entry]:
        """Return the annotations.

        Raises
        ------
        ReadError
            About all states without a start or a stop.
        """
        for at, row in self._open.values():
            self._problem(row, self._entries[at], "it does not stop")
        if self._problems:
            raise ReadError(
                f"{self._path}: found states that are not complete; expected a start and a stop of each:\n"
                + "".join(f"  - {problem}\n" for problem in self._problems)
                + "correct them in the program that the file comes from, and export it again"
            )
        return self._entries

    def _problem(self, row: Row, entry: Entry, problem: str) -> None:
        self._problems.append(f"line {row.line} ({entry.label!r}, {entry.start:g} s): {problem}")
