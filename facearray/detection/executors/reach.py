"""Whether the workers of a client can get at what a run needs, and how this process gets at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from facearray.detection.executors.workers import Slots
from facearray.io.journal import Journal
from facearray.io.location import StoreLike, check_shared

if TYPE_CHECKING:
    from distributed import Client

    from facearray.detection.options import RunOptions

__all__ = ["check_reachable", "for_workers", "synchronous"]


def check_reachable(store: StoreLike, journal: Journal, client: Client) -> None:
    """Make sure that a client's workers see what is written into a store and its journal.

    Raises
    ------
    InputError
        If one of them is in memory that the workers do not share.
    """
    in_process = client.scheduler_info()["address"].startswith("inproc:")
    for place in (store, journal.url):
        check_shared(place, what="workers", in_process=in_process)


def for_workers(options: RunOptions) -> RunOptions:
    """Decide on what only the workers' machines tell: where they have GPUs, torch computes, whatever is here."""
    slots = Slots(options.client)
    slots.refresh()
    if options.runtime == "auto" and isinstance(options.detector, str) and slots.have_gpus:
        return replace(options, runtime="torch")
    return options


@contextmanager
def synchronous(client: Client) -> Iterator[Client]:
    """Make a synchronous client of the cluster of an asynchronous one, for a thread beside its event loop."""
    from distributed import Client

    with Client(client.scheduler_info()["address"], security=client.security, set_as_default=False) as own:
        yield own
