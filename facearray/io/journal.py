"""The journal beside a store: what was planned, what is done, what failed.

Layout below ``<store>.run/``: ``plan/<n>.arrow`` tables of labels and fingerprints, ``done/<row // 10000>/<row>.json``
and ``failed/...`` one marker a row, ``table/<n>.arrow`` tables of finished rows whose markers are gone, ``claim/...``
which attempt at a row counts (:mod:`facearray.io.claims`), ``runs/<time>.json`` a report of every run that ended, and
the leases. Markers and claims are written by whoever computed the row, everything else by the client that holds a
lease.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from zarr.abc.store import Store as ZarrStore

from facearray.errors import InputError, StructureError
from facearray.io.columns import RowTable, arrow_bytes, arrow_columns, record_table
from facearray.io.location import Folder, StoreLike, resolve
from facearray.io.markers import PER_VIDEO, from_json, is_record, to_json
from facearray.io.records import Records, States

__all__ = ["ROWS_PER_PART", "Journal"]

#: Rows in one folder of markers and in one file of a table.
ROWS_PER_PART = 10_000

_MARKER = re.compile(r"(done|failed)/(\d+)/(\d+)\.json")
_PART = re.compile(r"(plan|table)/(\d+)\.arrow")


class Journal:
    """The journal of a store.

    Parameters
    ----------
    url
        Path or URL of the journal's folder.
    storage_options
        Options of the file system that the URL names.
    """

    def __init__(self, url: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> None:
        self.url = os.fspath(url)
        self.storage_options = storage_options
        self.folder = Folder(url, storage_options)

    @classmethod
    def beside(
        cls,
        store: StoreLike,
        *,
        journal: str | os.PathLike[str] | None = None,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Journal:
        """Return the journal of a store: ``<store>.run``, unless another place is named.

        Raises
        ------
        InputError
            If the store is a Zarr store object, which has no place beside it, and no place is named, or its path cannot
            be that of a folder.
        """
        if journal is not None:
            return cls(journal, storage_options)
        if isinstance(store, ZarrStore):
            raise InputError(
                f"found a store object {store} and no journal; expected journal=URL, because the journal of a store "
                "object has no place of its own"
            )
        return cls(resolve(store, storage_options) + ".run", storage_options)

    def record(self, rows: Mapping[int, tuple[str, str | None]]) -> None:
        """Note the label and the fingerprint of the source of rows; what was noted before about them is replaced.

        Parameters
        ----------
        rows
            Row → (label, fingerprint); None where the source has none, because it does not exist.
        """
        items = sorted(rows.items())
        number = self._next_part("plan")
        for start in range(0, len(items), ROWS_PER_PART):
            part = items[start : start + ROWS_PER_PART]
            columns = {
                "row": [row for row, _ in part],
                "label": [label for _, (label, _) in part],
                "fingerprint": [fingerprint for _, (_, fingerprint) in part],
            }
            self.folder.write(f"plan/{number:08d}.arrow", arrow_bytes(columns))
            number += 1

    def labels(self) -> dict[int, str]:
        """Label of every row that was noted."""
        return self._noted("label")

    def fingerprints(self) -> dict[int, str]:
        """Fingerprint of every row's source that was noted and has one.

        A row that is missing here was planned by a run that ended before it could note it: note it again.
        """
        return {row: fingerprint for row, fingerprint in self._noted("fingerprint").items() if fingerprint is not None}

    def check_labels(self, labels: Iterable[str]) -> None:
        """Check that the journal belongs to a store with these labels.

        Raises
        ------
        StructureError
            If rows were noted under other labels.
        """
        known = list(labels)
        noted = self.labels().items()
        wrong = sorted((row, label) for row, label in noted if 0 <= row < len(known) and known[row] != label)
        if wrong:
            shown = "; ".join(f"row {row}: found {label!r}; expected {known[row]!r}" for row, label in wrong[:10])
            raise StructureError(
                f"the journal {self.folder.address} belongs to another store ({len(wrong)} labels differ: {shown}); "
                "move the journal together with its store, or delete it if that store is gone"
            )

    def mark_done(self, row: int, record: Mapping[str, Any]) -> None:
        """Mark a row as finished, after its arrays were written.

        Parameters
        ----------
        row
            Position of the video.
        record
            ``n_frames``, ``fps``, ``width``, ``height``, ``duration``, and whatever else is worth keeping, as JSON
            values; NaN is kept as missing.

        Raises
        ------
        InputError
            If one of the five is missing.
        """
        missing = sorted(set(PER_VIDEO) - {"status", "error"} - set(record))
        if missing:
            raise InputError(f"found a record of row {row} without {', '.join(missing)}; expected all of these")
        self._mark("done", row, record)

    def mark_failed(self, row: int, error: str, record: Mapping[str, Any] | None = None) -> None:
        """Mark a row as failed.

        Parameters
        ----------
        row
            Position of the video.
        error
            The reason, for people.
        record
            Whatever else is worth keeping, as JSON values.
        """
        self._mark("failed", row, {**(record or {}), "error": error})

    def states(self) -> States:
        """List which rows are done and which failed; no marker is read."""
        # Markers before tables: those that a run compacts meanwhile are in a table by then.
        markers, empty, strange = self._markers()
        tables, problems = self._tables(numbers_only=True)
        strange += [*self._foreign("table"), *self._foreign("plan"), *empty.values()]
        states = {row: state for state, row in markers if state == "failed"}
        states |= dict.fromkeys((row for table in tables for row in table.row.tolist()), "done")
        states |= {row: state for state, row in markers if state == "done"}
        return States(states, sorted([*problems, *strange]))

    def records(self, *, numbers_only: bool = False) -> Records:
        """Read everything about done and failed rows, or only what the coordinates of their videos are made of.

        Of a million rows, what else is known takes more time to read than their numbers.
        """
        # Markers before tables, as for states; those that are gone when they are read are in a table, too.
        markers, empty, strange = self._markers()
        failed, unreadable_failed = self._read_markers(markers, "failed")
        done, unreadable_done = self._read_markers(markers, "done")
        tables, problems = self._tables(numbers_only=numbers_only)
        lost_table = bool(problems)
        planned, unreadable_plan = self._planned_rows()
        strange += [*self._foreign("table"), *self._foreign("plan"), *empty.values()]
        # A later table wins, as a marker wins over a table and done over failed.
        return Records(
            [failed, *tables, done],
            sorted([*problems, *unreadable_plan, *strange, *unreadable_failed.values(), *unreadable_done.values()]),
            planned=planned,
            unreadable={*(row for _, row in empty), *unreadable_failed, *unreadable_done},
            lost_table=lost_table,
        )

    def forget(self, rows: int | Iterable[int]) -> None:
        """Make rows pending again; give all of them at once."""
        wanted = {rows} if isinstance(rows, int) else set(rows)
        markers, empty, _ = self._markers()
        for name, content in self._read_parts("table").items():
            table = RowTable.from_bytes(content)
            if table is not None and np.isin(table.row, list(wanted)).any():
                self.folder.write(name, table.without(wanted).to_bytes())
        self.folder.remove(name for (_, row), name in markers.items() if row in wanted)
        self.folder.remove(self._marker(state, row) for state, row in empty if row in wanted)

    def repair(self) -> list[str]:
        """Delete what cannot be read, so that the rows concerned are pending and can be written again.

        Returns
        -------
        list of str
            A sentence for every file that was deleted.
        """
        markers, empty, _ = self._markers()
        damaged = {self._marker(*key): text for key, text in empty.items()}
        for state in ("done", "failed"):
            unreadable = self._read_markers(markers, state)[1]
            damaged |= {self._marker(state, row): text for row, text in unreadable.items()}
        for name, content in self._read_parts("table").items():
            if RowTable.from_bytes(content) is None:
                damaged[name] = self._damaged(name)
        self.folder.remove(damaged)
        return sorted(f"{text}; what it was about is computed again" for text in damaged.values())

    def compact(self) -> list[str]:
        """Move the markers of finished rows into tables, so that listing stays cheap.

        Interrupted at any point, nothing is lost and nothing counts twice.

        Returns
        -------
        list of str
            A sentence for every marker that cannot be read. Such a marker is deleted: its row counts as pending.
        """
        markers, _, _ = self._markers()
        names = {row: name for (state, row), name in markers.items() if state == "done"}
        table, unreadable = self._read_markers(markers, "done")
        number = self._next_part("table")
        for part in table.parts(ROWS_PER_PART):
            self.folder.write(f"table/{number:08d}.arrow", part.to_bytes())
            self.folder.remove([names[row] for row in part.row.tolist()])
            number += 1
        self.folder.remove(names[row] for row in unreadable)
        return sorted(f"{text}; its row is computed again" for text in unreadable.values())

    def erase(self) -> None:
        """Delete everything but the lease."""
        for name in ("done", "failed", "plan", "table", "claim", "runs"):
            self.folder.remove_tree(name)

    def report(self, name: str, report: Mapping[str, Any]) -> None:
        """Keep the report of a run, as JSON values without credentials.

        Parameters
        ----------
        name
            When it ended, and what tells it from others that ended then.
        report
            Its content.
        """
        self.folder.write(f"runs/{name}.json", to_json(report))

    def reports(self) -> list[dict[str, Any]]:
        """Read the reports of the runs that ended, the earliest first; those that are damaged are left out."""
        contents = self.folder.read_many(self.folder.list("runs"))
        reports = (from_json(content) for _, content in sorted(contents.items()))
        return [report for report in reports if report is not None]

    def _mark(self, state: str, row: int, record: Mapping[str, Any]) -> None:
        self.folder.write(self._marker(state, row), to_json(record))

    @staticmethod
    def _marker(state: str, row: int) -> str:
        return f"{state}/{row // ROWS_PER_PART}/{row}.json"

    def _markers(self) -> tuple[dict[tuple[str, int], str], dict[tuple[str, int], str], list[str]]:
        """Return (state, row) → file name of markers, → problem of empty ones, and a sentence for every other file."""
        found: dict[tuple[str, int], str] = {}
        empty: dict[tuple[str, int], str] = {}
        problems = []
        for name, size in (self.folder.list("done") | self.folder.list("failed")).items():
            match = _MARKER.fullmatch(name)
            if match is None or int(match[3]) // ROWS_PER_PART != int(match[2]):
                problems.append(f"{self.folder.address}: found {name}, which is no marker; delete it")
            elif size == 0:
                empty[match[1], int(match[3])] = f"{self.folder.address}: found {name} empty"
            else:
                found[match[1], int(match[3])] = name
        return found, empty, problems

    def _read_markers(self, markers: Mapping[tuple[str, int], str], state: str) -> tuple[RowTable, dict[int, str]]:
        """Return the records of one state as a table, and row → problem of those that cannot be read."""
        names = {row: name for (kind, row), name in sorted(markers.items()) if kind == state}
        contents = self.folder.read_many(names.values())
        records: dict[int, dict[str, Any]] = {}
        problems = {}
        for row, name in names.items():
            if name not in contents:
                continue
            record = from_json(contents[name])
            if record is None or not is_record(state, record):
                problems[row] = f"{self.folder.address}: found {name} half written or damaged"
            else:
                records[row] = record
        return record_table(state, records), problems

    def _tables(self, *, numbers_only: bool) -> tuple[list[RowTable], list[str]]:
        """Return the tables of finished rows, and a sentence for every one that is damaged."""
        contents = self._read_parts("table")
        found = {name: RowTable.from_bytes(content, numbers_only=numbers_only) for name, content in contents.items()}
        damaged = [self._damaged(name) for name, table in found.items() if table is None]
        return [table for table in found.values() if table is not None], damaged

    def _planned_rows(self) -> tuple[NDArray[np.int64], list[str]]:
        """Return every row that was noted, some of them more than once, and a sentence for every damaged file."""
        found = {name: arrow_columns(content, ("row",)) for name, content in self._read_parts("plan").items()}
        rows = np.concatenate(
            [np.array([], dtype=np.int64), *(columns["row"] for columns in found.values() if columns is not None)]
        )
        return rows, [self._damaged(name) for name, columns in found.items() if columns is None]

    def _noted(self, column: str) -> dict[int, Any]:
        noted: dict[int, Any] = {}
        for content in self._read_parts("plan").values():
            columns = arrow_columns(content, ("row", column))
            if columns is not None:
                noted.update(zip(columns["row"].tolist(), columns[column].to_list(), strict=True))
        return noted

    def _read_parts(self, kind: str) -> dict[str, bytes]:
        contents = self.folder.read_many(self._parts(kind))
        return {name: contents[name] for name in sorted(contents)}

    def _parts(self, kind: str) -> list[str]:
        return [name for name in self.folder.list(kind) if _PART.fullmatch(name)]

    def _damaged(self, name: str) -> str:
        return f"{self.folder.address}: found {name} damaged; what it says of its rows is not known"

    def _foreign(self, kind: str) -> list[str]:
        names = (name for name in self.folder.list(kind) if not _PART.fullmatch(name))
        return [f"{self.folder.address}: found {name}, which is no part of the journal; delete it" for name in names]

    def _next_part(self, kind: str) -> int:
        return 1 + max((int(name[len(kind) + 1 : -len(".arrow")]) for name in self._parts(kind)), default=-1)
