"""The lease: one run at a time writes into a store."""

from __future__ import annotations

import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil
from filelock import FileLock
from zarr.abc.store import Store as ZarrStore

from facearray.errors import FaceArrayError, InputError, LeaseError, StructureError
from facearray.io.journal import Journal
from facearray.io.location import StoreLike, address, nearby_names

__all__ = ["HEARTBEAT", "STALE_AFTER", "Holder", "Lease", "no_store", "not_made", "read_holder"]

#: Seconds between two heartbeats.
HEARTBEAT = 5.0

#: Seconds without a heartbeat after which the lease of a run on another machine may be taken.
STALE_AFTER = 60.0

_FILE = "lease.json"


@dataclass(frozen=True, slots=True)
class Holder:
    """The run that holds a lease.

    Attributes
    ----------
    token
        Random, and different for every run.
    host, pid
        Where it runs.
    machine
        Boot of the machine and namespace of the process ids: a pid means something only within these.
    started
        Start of the process: tells it from a later one of the same pid.
    since, heartbeat
        Seconds since 1970 of taking the lease, and of the last sign of life.
    """

    token: str
    host: str
    pid: int
    machine: str
    started: str
    since: float
    heartbeat: float

    @classmethod
    def this_process(cls) -> Holder:
        """Describe the calling process as a holder from now on."""
        now, pid = time.time(), os.getpid()
        return cls(uuid.uuid4().hex, socket.gethostname(), pid, _machine(), _process_start(pid) or "", now, now)

    @property
    def is_here(self) -> bool:
        """Whether it runs where its process can be seen from here."""
        return self.machine == _machine()

    @property
    def is_alive(self) -> bool:
        """Whether it still runs: known at once on this machine, by its heartbeat elsewhere."""
        if self.is_here:
            return _process_start(self.pid) == self.started
        return time.time() - self.heartbeat < STALE_AFTER

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        silent = max(0, round(time.time() - self.heartbeat))
        return f"process {self.pid} on {self.host}, since {since}, last sign of life {silent} s ago"


def read_holder(journal: Journal) -> Holder | None:
    """Return the run that holds the lease, dead or alive; None if there is none or its file is damaged."""
    try:
        content = json.loads(journal.folder.read(_FILE))
        return Holder(**content)
    except (FileNotFoundError, ValueError, TypeError):
        return None


class Lease:
    """The right to write into a store; a context manager that gives it back at the end.

    A run that died on this machine is replaced at once; one elsewhere after it has given no sign of life for a
    minute. A daemon thread gives the signs of life.

    Parameters
    ----------
    journal
        The store's journal.
    take_over
        Whether to take the lease even if its holder seems to be alive; that run stops at its next check.

    Raises
    ------
    LeaseError
        On entering, if another run holds the lease; it says which.
    """

    def __init__(self, journal: Journal, *, take_over: bool = False) -> None:
        self._journal = journal
        self._take_over = take_over
        self._holder: Holder | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        mine = Holder.this_process()
        watched = None if self._take_over else self._watch()
        with self._locked():
            other = read_holder(self._journal)
            # A sign of life since it was watched shows a run whose clock is not ours.
            if other is not None and not self._take_over and (other.is_alive or other != watched):
                raise LeaseError(
                    f"another run is writing into the store: {other} (lease in {self._journal.folder.address}); wait "
                    "until it has ended, or stop it; if you know that it is dead, take over with --take-over "
                    "(take_over=True)"
                )
            self._write(mine)
        self._holder = mine
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, args=(mine,), name="facearray-lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._locked():
            if self._is_mine(self._holder):
                self._journal.folder.remove([_FILE])
        self._holder = None

    def check(self) -> None:
        """Make sure that this run still holds the lease; call it before every commit.

        Raises
        ------
        LeaseError
            If another run took it, or its file is gone.
        """
        if not self._is_mine(self._holder):
            other = read_holder(self._journal)
            found = "no lease" if other is None else f"the lease of {other}"
            raise LeaseError(
                f"this run lost its lease: found {found} in {self._journal.folder.address}; it stops here, so that "
                "two runs do not write into one store; start it again when the other has ended"
            )

    def _watch(self) -> Holder | None:
        """Return the holder; one that seems to be dead elsewhere is given the time for a sign of life first."""
        holder = read_holder(self._journal)
        if holder is not None and not holder.is_here and not holder.is_alive:
            time.sleep(2 * HEARTBEAT)
        return holder

    def _is_mine(self, mine: Holder | None) -> bool:
        found = read_holder(self._journal)
        return mine is not None and found is not None and found.token == mine.token

    def _write(self, holder: Holder) -> None:
        self._journal.folder.write(_FILE, json.dumps(asdict(holder)).encode())

    def _beat(self, mine: Holder) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                with self._locked():
                    if not self._is_mine(mine):
                        return
                    self._write(replace(mine, heartbeat=time.time()))
            except OSError:
                continue  # a disk or network that fails for a moment; a minute of it makes the lease stale

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep others of this machine from reading the lease until it is written."""
        if not self._journal.folder.is_local:
            # Object stores have no locks: of two who write at once the second wins, the first sees it at its check.
            yield
            return
        path = Path(self._journal.folder.path("lease.lock"))
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path):
            yield


def no_store(
    store: StoreLike,
    *,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> FaceArrayError:
    """Make the error for a place where there is no store, or none yet."""
    if _maker(store, journal, storage_options) is not None:
        return not_made(store, journal=journal, storage_options=storage_options)
    return InputError(f"no store at {address(store)}; {nearby_names(store, storage_options)}".rstrip("; "))


def not_made(
    store: StoreLike,
    *,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> FaceArrayError:
    """Make the error for a store in the middle of its creation, or of being deleted, with nothing in it."""
    holder = _maker(store, journal, storage_options)
    if holder is None:
        return StructureError(
            f"{address(store)}: found a store whose creation was interrupted, with nothing in it; make it again"
        )
    state = "is making it" if holder.is_alive else "was making it and is dead; run the same command again"
    return StructureError(f"{address(store)}: the store is not made yet: {holder}, {state}")


def _maker(
    store: StoreLike, journal: str | os.PathLike[str] | None, storage_options: Mapping[str, Any] | None
) -> Holder | None:
    if journal is None and isinstance(store, ZarrStore):
        return None
    return read_holder(Journal.beside(store, journal=journal, storage_options=storage_options))


def _machine() -> str:
    """Name the running system and its process ids; containers that share a system have pids of their own."""
    boot = Path("/proc/sys/kernel/random/boot_id")
    if boot.exists():
        return f"{boot.read_text().strip()}/{Path('/proc/self/ns/pid').readlink()}"
    return f"{uuid.getnode():x}/{round(psutil.boot_time())}"


def _process_start(pid: int) -> str | None:
    """Return when a process started, in a form to compare only; None if there is none, or only its remains."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        stat = Path(f"/proc/{pid}/stat")
        if stat.exists():
            # ticks since boot: unlike a date these do not move when somebody sets the clock
            return stat.read_text().rpartition(")")[2].split()[19]
        return f"{process.create_time():.0f}"
    except (psutil.NoSuchProcess, FileNotFoundError, ProcessLookupError):
        return None
