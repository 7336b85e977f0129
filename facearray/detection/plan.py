"""Which rows of which store a run has to compute: create, append, resume or refuse."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from facearray.detection.sources import Source
from facearray.detection.video import probe
from facearray.errors import StructureError, VideoError
from facearray.io.journal import Journal
from facearray.io.store import Store, frame_capacity

__all__ = ["Plan", "Task", "expected_frames", "plan_rows"]

#: Headers read at the same time; each is one short-lived decoder process.
PROBE_THREADS = 4


@dataclass(frozen=True, slots=True)
class Task:
    """One row to compute."""

    row: int
    source: Source
    n_frames: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run has to do.

    Attributes
    ----------
    tasks
        Rows to compute, in order.
    done, failed
        Rows that were asked for and need nothing more, because an earlier run finished them or because they failed
        and were not to be tried again.
    missing
        Those of the done rows whose source does not exist now, so that nobody can tell whether it is the same.
    """

    tasks: tuple[Task, ...]
    done: tuple[int, ...]
    failed: tuple[int, ...]
    missing: tuple[Task, ...]


def expected_frames(sources: Sequence[Source], *, every: int) -> list[int]:
    """Estimate the stored frames of each source from its header; 0 where the header cannot be read.

    The row of an unreadable source fails with the reason when it is decoded.
    """

    def estimate(source: Source) -> int:
        try:
            return -(-probe(source.path).n_frames // every)
        except VideoError:
            return 0

    with ThreadPoolExecutor(PROBE_THREADS) as pool:
        return list(pool.map(estimate, sources))


def plan_rows(
    store: Store,
    journal: Journal,
    sources: Sequence[Source],
    *,
    every: int,
    retry_failed: bool,
    check: Callable[[], object],
) -> Plan:
    """Compare what is asked for with what the store and its journal hold, and append what is new.

    Parameters
    ----------
    store
        The store; rows are appended to it for unknown labels.
    journal
        Its journal.
    sources
        The videos asked for.
    every
        Every how many frames of the source one is taken.
    retry_failed
        Whether rows that failed are computed again.
    check
        Raises if this process may not write any more; called before anything is written.

    Raises
    ------
    StructureError
        If the store holds another recording under one of the labels.
    """
    row_of = {label: row for row, label in enumerate(store.labels)}
    states = journal.states()
    known = [s for s in sources if s.label in row_of]
    new = [s for s in sources if s.label not in row_of]
    _refuse_other_recordings(known, row_of, states, journal.fingerprints(), store.sources)

    wanted = {row_of[s.label]: s for s in known}
    done = tuple(sorted(row for row in wanted if states.get(row) == "done"))
    failed = tuple(sorted(row for row in wanted if states.get(row) == "failed" and not retry_failed))
    missing = tuple(Task(row, wanted[row], 0) for row in done if not wanted[row].exists)
    again = {row: s for row, s in wanted.items() if row not in {*done, *failed}}
    first = store.n_rows
    forgotten = list(again)
    again |= {first + i: source for i, source in enumerate(new)}
    rows = sorted(again)
    counts = expected_frames([again[row] for row in rows], every=every)
    # Reading many headers takes a while.
    check()
    if forgotten:
        journal.forget(forgotten)
    if new:
        store.append([(s.label, s.location) for s in new], capacity=max(map(frame_capacity, counts)))
    if again:
        journal.record({row: (again[row].label, again[row].fingerprint if again[row].exists else None) for row in rows})
    tasks = tuple(Task(row, again[row], count) for row, count in zip(rows, counts, strict=True))
    return Plan(tasks, done, failed, missing)


def _refuse_other_recordings(
    known: Sequence[Source],
    row_of: Mapping[str, int],
    states: Mapping[int, str],
    fingerprints: Mapping[int, str],
    sources: Sequence[str],
) -> None:
    problems = []
    for source in known:
        row = row_of[source.label]
        stored = fingerprints.get(row)
        replaceable = states.get(row) == "failed" or stored is None or not source.exists
        if stored != source.fingerprint and not replaceable:
            problems.append(
                f"{source.label!r}: found {source.location} (fingerprint {source.fingerprint}); "
                f"expected what was read from {sources[row]} (fingerprint {stored})"
            )
    if problems:
        raise StructureError(
            "the store holds other recordings under these labels:\n"
            + "".join(f"  - {p}\n" for p in sorted(problems))
            + "rename the new files (or give them labels of their own from Python: a mapping label → path), write to "
            "another store, or start again with overwrite (overwrite=True, --overwrite)"
        )
