"""Whether the workers of a client can get at what a run needs, and how this process gets at them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fsspec.utils import get_protocol
from zarr.storage import FsspecStore, MemoryStore

from facearray.errors import InputError
from facearray.io.journal import Journal
from facearray.io.location import StoreLike

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["check_reachable", "synchronous"]


def check_reachable(store: StoreLike, journal: Journal, client: Client) -> None:
    """Make sure that a store is not in the memory of this process, where the client's workers are others.

    Raises
    ------
    InputError
        If it is.
    """
    if isinstance(store, MemoryStore):
        raise InputError(
            "found a MemoryStore and a client; expected a store that workers can open: each of them would write into a "
            "copy of its own; use a path, or a URL"
        )
    in_memory = journal.url.startswith("memory:") or (
        "memory" in store.fs.protocol if isinstance(store, FsspecStore) else get_protocol(str(store)) == "memory"
    )
    if in_memory and not client.scheduler_info()["address"].startswith("inproc:"):
        raise InputError(
            "found a store or journal at memory:// and workers in other processes; expected one that they can reach: "
            "each process has a memory of its own; use a path or the URL of an object store, or "
            "Client(processes=False)"
        )


@contextmanager
def synchronous(client: Client) -> Iterator[Client]:
    """Make a synchronous client of the cluster of an asynchronous one, for a thread beside its event loop."""
    from distributed import Client

    with Client(client.scheduler_info()["address"], security=client.security, set_as_default=False) as own:
        yield own
