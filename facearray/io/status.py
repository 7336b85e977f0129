"""How far a store is: read from its journal and lease, while a run is going, after it died, after it ended."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any

from facearray._words import counted
from facearray.io.journal import Journal
from facearray.io.lease import Holder, Lease, read_holders
from facearray.io.location import StoreLike, address, check_options
from facearray.io.store import Store

__all__ = ["StoreStatus", "finalize_store", "run_state", "store_status"]

#: What to do about a store that is not complete.
GO_ON = "to go on, run detect again with the same arguments"

#: Pending videos that are named.
SHOWN = 100

#: Parts of a run that are named.
SHOWN_HOLDERS = 3


@dataclass(frozen=True, slots=True)
class StoreStatus:
    """How far a store is.

    Attributes
    ----------
    store
        Its address.
    run
        ``"running"``, ``"interrupted"`` (the run that was writing is dead) or ``"ended"``.
    holder
        The run that is writing, or was when it died, or its parts; None if there is none.
    n_videos, n_done, n_failed, n_pending
        Videos in the store and in each state.
    failures
        Label → reason of every failed video.
    pending
        Labels of the first pending videos, at most 100.
    problems
        A sentence for every file of the journal that cannot be used.
    """

    store: str
    run: str
    holder: str | None
    n_videos: int
    n_done: int
    n_failed: int
    n_pending: int
    failures: dict[str, str]
    pending: tuple[str, ...]
    problems: tuple[str, ...]

    @property
    def complete(self) -> bool:
        """Whether every video is done, and nobody is writing or died while writing."""
        return self.run == "ended" and self.n_done == self.n_videos

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return asdict(self)

    def sentence(self) -> str:
        """Say it in one line."""
        counts = f"{counted(self.n_videos, 'video')}: {self.n_done} done, {self.n_failed} failed, "
        counts += f"{self.n_pending} pending"
        if self.run == "running":
            return f"{counts}; running ({self.holder})"
        if self.run == "interrupted":
            return f"{counts}; interrupted ({self.holder}); {GO_ON}"
        return f"{counts}; {GO_ON}" if self.n_pending else counts


def store_status(
    store: StoreLike,
    *,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> StoreStatus:
    """Say how far a store is. No measurement is read, and nothing is written.

    Parameters
    ----------
    store
        Path or URL of the store, or a Zarr store object.
    journal
        Path or URL of its journal; by default ``<store>.run``.
    storage_options
        Options of the file system that a URL names.

    Raises
    ------
    InputError
        If there is nothing at this place, or there are options but no URL.
    StructureError
        If there is something else than a store.
    """
    check_options(storage_options, store, journal)
    notes = Journal.beside(store, journal=journal, storage_options=storage_options)
    holders = list(read_holders(notes).values())
    run, holder = _run(holders), _holder(holders)
    if holders and not Store.exists(store, storage_options=storage_options):
        return StoreStatus(address(store), run, holder, 0, 0, 0, 0, {}, (), ())
    opened = Store.open(store, storage_options=storage_options)
    coordinates = opened.coordinates(notes)
    states = [str(state) for state in coordinates["status"]]
    count = Counter(states)
    return StoreStatus(
        store=address(store),
        run=run,
        holder=holder,
        n_videos=len(states),
        n_done=count["done"],
        n_failed=count["failed"],
        n_pending=count["pending"],
        failures={
            label: str(error)
            for label, state, error in zip(opened.labels, states, coordinates["error"], strict=True)
            if state == "failed"
        },
        pending=tuple(
            islice((label for label, state in zip(opened.labels, states, strict=True) if state == "pending"), SHOWN)
        ),
        problems=notes.records().problems,
    )


def run_state(
    store: StoreLike,
    *,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> str:
    """Say whether a run is ``"running"``, ``"interrupted"`` or ``"ended"``, without opening the store.

    Parameters
    ----------
    store, journal, storage_options
        As for :func:`store_status`.
    """
    notes = Journal.beside(store, journal=journal, storage_options=storage_options)
    return _run(list(read_holders(notes).values()))


def _run(holders: Sequence[Holder]) -> str:
    if not holders:
        return "ended"
    return "running" if any(holder.is_alive for holder in holders) else "interrupted"


def _holder(holders: Sequence[Holder]) -> str | None:
    """Name the holders, those that are alive first."""
    named = [str(holder) for holder in sorted(holders, key=lambda holder: not holder.is_alive)]
    more = len(named) - SHOWN_HOLDERS
    return "; ".join(named[:SHOWN_HOLDERS]) + (f"; and {more} more" if more > 0 else "") or None


def finalize_store(
    store: StoreLike,
    *,
    journal: str | os.PathLike[str] | None = None,
    take_over: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> None:
    """Write the per-video coordinates of a store that a run left unfinished, and consolidate its metadata.

    Any Zarr reader then sees what is done; the run can still be gone on with.

    Parameters
    ----------
    store, journal, storage_options
        As for :func:`store_status`.
    take_over
        Whether to go on although a run on another machine, known to be dead, seems to be writing.

    Raises
    ------
    InputError
        If there is nothing at this place, or there are options but no URL.
    LeaseError
        If a run is writing into the store.
    StructureError
        If there is something else than a store, or the journal belongs to another one.
    """
    check_options(storage_options, store, journal)
    opened = Store.open(store, storage_options=storage_options)
    notes = Journal.beside(store, journal=journal, storage_options=storage_options)
    with Lease(notes, take_over=take_over):
        opened.finalize(notes)
