"""Which rows of which store a run has to compute: create, append, resume or refuse."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from facearray._words import counted
from facearray.detection.sources import Source
from facearray.detection.video import MIN_FRAME_BYTES, probe
from facearray.errors import MismatchError, VideoError
from facearray.io.journal import Journal
from facearray.io.lease import Part
from facearray.io.store import Store, frame_capacity

__all__ = ["Plan", "Task", "expected_frames", "plan_rows"]

logger = logging.getLogger(__name__)

#: Headers read at the same time; each is one short-lived decoder process.
PROBE_THREADS = 4

#: Videos that a message names.
SHOWN = 10


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
    """Estimate the stored frames of each source from its header; 0 where it cannot be read, or only through a network.

    No estimate is more than the file has room for: a header can promise any number of frames, and of what is reserved
    for the longest video every row has its share. Where it was too few, the store grows.

    The row of an unreadable source fails with the reason when it is decoded. A remote one is not fetched to plan
    with: its row asks for room when it is computed.
    """

    def estimate(source: Source) -> int:
        if source.is_remote:
            return 0
        try:
            room = max(1, Path(source.path).stat().st_size // MIN_FRAME_BYTES)
            return -(-min(probe(source.path).n_frames, room) // every)
        except (VideoError, OSError):
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
    part: Part | None = None,
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
    part
        The part of a run that the plan is for: its rows only are in the plan, but all that are new are appended, so
        that the store is the same whichever part comes first.

    Raises
    ------
    MismatchError
        If the store holds another recording under one of the labels.
    """
    row_of = {label: row for row, label in enumerate(store.labels)}
    states, fingerprints, places = store.states(journal), journal.fingerprints(), store.sources
    sources = _under_stored_labels(sources, store.labels, places, fingerprints)
    known = [s for s in sources if s.label in row_of]
    new = [s for s in sources if s.label not in row_of]
    _refuse_other_recordings(known, row_of, states, fingerprints, places)

    def owns(row: int) -> bool:
        return part is None or part.owns(row)

    wanted = {row_of[s.label]: s for s in known if owns(row_of[s.label])}
    done = tuple(sorted(row for row in wanted if states.get(row) == "done"))
    failed = tuple(sorted(row for row in wanted if states.get(row) == "failed" and not retry_failed))
    missing = tuple(Task(row, wanted[row], 0) for row in done if not wanted[row].exists)
    finished = {*done, *failed}
    again = {row: s for row, s in wanted.items() if row not in finished}
    first = store.n_rows
    forgotten = list(again)
    moved = {row: source.location for row, source in again.items() if source.location != places[row]}
    again |= {first + i: source for i, source in enumerate(new)}
    rows = sorted(again)
    counts = expected_frames([again[row] for row in rows], every=every)
    _tell_unknown([store.labels[row] for row in done if row not in fingerprints])
    _tell_copies(new, dict(zip(store.labels, places, strict=True)), fingerprints, store.labels)
    # Reading many headers takes a while.
    check()
    if forgotten:
        journal.forget(forgotten)
    if moved:
        store.set_sources(moved)
    if new:
        store.append([(s.label, s.location) for s in new], capacity=max(map(frame_capacity, counts)))
    if again:
        journal.record({row: (again[row].label, again[row].fingerprint if again[row].exists else None) for row in rows})
    tasks = tuple(Task(row, again[row], count) for row, count in zip(rows, counts, strict=True) if owns(row))
    return Plan(tasks, done, failed, missing)


def _under_stored_labels(
    sources: Sequence[Source], labels: Sequence[str], places: Sequence[str], fingerprints: Mapping[int, str]
) -> list[Source]:
    """Give every source the label it is stored under: what it would be called depends on what it is given with."""
    by_place: dict[str, list[int]] = defaultdict(list)
    for row, place in enumerate(places):
        by_place[place].append(row)
    row_of = {label: row for row, label in enumerate(labels)}
    result: dict[str, Source] = {}
    for source in sources:
        called = row_of.get(source.label)
        other = called is None or fingerprints.get(called, source.fingerprint) != source.fingerprint
        if other and (called is None or places[called] != source.location):
            for row in by_place[source.location]:
                if not source.exists or fingerprints.get(row, source.fingerprint) == source.fingerprint:
                    logger.info("%r is in the store as %r: %s", source.label, labels[row], source.location)
                    source = replace(source, label=labels[row])
                    break
        result.setdefault(source.label, source)
    return list(result.values())


def _tell_unknown(labels: Sequence[str]) -> None:
    if labels:
        logger.info(
            "%s done by a run whose journal is gone, so that nobody knows which files were read; kept as stored, and "
            "nothing is compared: %s",
            counted(len(labels), "video"),
            _shown(map(repr, labels)),
        )


def _tell_copies(
    new: Sequence[Source], places: Mapping[str, str], fingerprints: Mapping[int, str], labels: Sequence[str]
) -> None:
    """Name new videos whose content the store has already, or will have twice: they count twice in every statistic."""
    first = {fingerprint: (labels[row], places[labels[row]]) for row, fingerprint in fingerprints.items()}
    copies = []
    for source in new:
        label, place = first.setdefault(source.fingerprint, (source.label, source.location))
        if source.exists and place != source.location:
            copies.append(f"{source.label!r} ({source.location}) has the content of {label!r} ({place})")
    if copies:
        logger.warning("%s stored twice: %s", counted(len(copies), "video"), _shown(copies))


def _shown(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return "; ".join(texts[:SHOWN]) + more


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
        raise MismatchError(
            "the store holds other recordings under these labels:\n"
            + "".join(f"  - {p}\n" for p in sorted(problems))
            + "rename the new files (or give them labels of their own from Python: a mapping label → path), write to "
            "another store, or start again with overwrite (overwrite=True, --overwrite)"
        )
