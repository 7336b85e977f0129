"""The lease: one run at a time writes into a store, or several parts of one run, each into rows of its own."""

from __future__ import annotations

import json
import os
import re
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
from facearray.io.location import StoreLike, address, nearby_names, store_errors

__all__ = [
    "HEARTBEAT",
    "STALE_AFTER",
    "Grant",
    "Holder",
    "Lease",
    "Part",
    "no_store",
    "not_made",
    "read_holder",
    "read_holders",
]

#: Seconds between two heartbeats.
HEARTBEAT = 5.0

#: Seconds without a heartbeat after which the lease of a run on another machine may be taken.
STALE_AFTER = 60.0

#: Seconds between two looks at whether a part has ended its planning.
PLANNING_POLL = 0.2

_FILE = "lease.json"

#: Folder of the leases of parts.
_PARTS = "lease"


@dataclass(frozen=True, slots=True)
class Part:
    """One of several processes that share the rows of a run, without knowing of one another.

    Attributes
    ----------
    number
        Which one, from 1.
    count
        How many there are.
    """

    number: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Part:
        """Read ``"2/8"``.

        Raises
        ------
        InputError
            If it is something else.

        Examples
        --------
        >>> Part.parse("2/8")
        Part(number=2, count=8)
        """
        found = re.fullmatch(r"\s*(\d+)\s*/\s*(\d+)\s*", text)
        part = cls(int(found[1]), int(found[2])) if found else cls(0, 0)
        if not 1 <= part.number <= part.count:
            raise InputError(f"found part {text!r}; expected i/N with i from 1 to N, as in 2/8")
        return part

    def owns(self, row: int) -> bool:
        """Whether a row is the part's: a matter of its position only, whatever is done already."""
        return row % self.count == self.number - 1

    def __str__(self) -> str:
        return f"part {self.number} of {self.count}"


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
    part
        Which part of a run it is; empty if it is a whole run.
    """

    token: str
    host: str
    pid: int
    machine: str
    started: str
    since: float
    heartbeat: float
    part: str = ""

    @classmethod
    def this_process(cls, part: str = "") -> Holder:
        """Describe the calling process as a holder from now on."""
        now, pid = time.time(), os.getpid()
        return cls(uuid.uuid4().hex, socket.gethostname(), pid, _machine(), _process_start(pid) or "", now, now, part)

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
        part = f"{self.part}: " if self.part else ""
        return f"{part}process {self.pid} on {self.host}, since {since}, last sign of life {silent} s ago"


def read_holder(journal: Journal, file: str = _FILE) -> Holder | None:
    """Return the run that holds the lease, dead or alive; None if there is none or its file is damaged."""
    try:
        content = json.loads(journal.folder.read(file))
        return Holder(**content)
    except (FileNotFoundError, ValueError, TypeError):
        return None


def read_holders(journal: Journal) -> dict[str, Holder]:
    """Return file name → holder of the lease, and of those of parts."""
    found = {name: read_holder(journal, name) for name in (_FILE, *journal.folder.list(_PARTS))}
    return {name: holder for name, holder in found.items() if holder is not None}


@dataclass(frozen=True, slots=True)
class Grant:
    """What another process needs to write for the run that holds a lease; it can be sent to it.

    Attributes
    ----------
    journal
        The store's journal.
    token
        The holder's.
    file
        The lease in the journal.
    """

    journal: Journal
    token: str
    file: str = _FILE

    def check(self) -> None:
        """Make sure that the run still holds the lease; call it before every commit.

        Raises
        ------
        LeaseError
            If another run took it, or its file is gone.
        """
        holder = read_holder(self.journal, self.file)
        if holder is None or holder.token != self.token:
            found = "no lease" if holder is None else f"the lease of {holder}"
            raise LeaseError(
                f"this run lost its lease: found {found} in {self.journal.folder.address}; it stops here, so that "
                "two runs do not write into one store; start it again when the other has ended"
            )


class Lease:
    """The right to write into a store; a context manager that gives it back at the end.

    A run that died on this machine is replaced at once; one elsewhere after it has given no sign of life for a
    minute. A daemon thread gives the signs of life.

    Parts of a run have leases of their own, each for its rows, and hold the lease of the store together with it while
    they plan, grow or finish the store; they wait for one another there.

    Parameters
    ----------
    journal
        The store's journal.
    take_over
        Whether to take the lease even if its holder seems to be alive; that run stops at its next check.
    part
        The part of a run that it is for; None for a whole run.
    planning
        Whether it is the store's lease, for a part that plans, grows or finishes the store.

    Raises
    ------
    LeaseError
        On entering, if another run holds the lease; it says which.
    """

    def __init__(
        self, journal: Journal, *, take_over: bool = False, part: Part | None = None, planning: bool = False
    ) -> None:
        self._journal = journal
        self._take_over = take_over
        self._part = part
        self._planning = planning
        own = part is not None and not planning
        self._file = f"{_PARTS}/part-{part.number}-of-{part.count}.json" if part is not None and own else _FILE
        self._holder: Holder | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Lease:
        mine = Holder.this_process("" if self._part is None else str(self._part))
        while not self._take(mine):
            time.sleep(PLANNING_POLL)
        self._holder = mine
        self._stop.clear()
        self._thread = threading.Thread(target=self._beat, name="facearray-lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
        with self._locked():
            if self._is_mine():
                self._journal.folder.remove([self._file])
        self._holder = None

    @property
    def grant(self) -> Grant:
        """What other processes need to write for this run.

        Raises
        ------
        LeaseError
            If the lease is not held.
        """
        if self._holder is None:
            raise LeaseError(f"found no lease in {self._journal.folder.address}; expected to be within its context")
        return Grant(self._journal, self._holder.token, self._file)

    def check(self) -> None:
        """Make sure that this run still holds the lease; call it before every commit.

        Raises
        ------
        LeaseError
            If another run took it, or its file is gone.
        """
        self.grant.check()

    def revoke(self) -> None:
        """Take the right to write back from those who were granted it, and keep it.

        Raises
        ------
        LeaseError
            If another run took the lease.
        """
        with self._locked():
            self.check()
            if self._holder is not None:
                self._holder = replace(self._holder, token=uuid.uuid4().hex)
                self._write(self._holder)

    def _take(self, mine: Holder) -> bool:
        """Write the lease; False if a part is planning just now, which does not take long."""
        watched = self._watch()
        with self._locked():
            rivals = self._rivals()
            # A sign of life since it was watched shows a run whose clock is not ours.
            alive = [h for f, h in rivals.items() if self._spares(h) and (h.is_alive or h != watched.get(f))]
            if self._planning and alive and all(holder.part for holder in alive):
                return False
            if alive:
                raise LeaseError(
                    f"another run is writing into the store: {alive[0]} (lease in {self._journal.folder.address}); "
                    "wait until it has ended, or stop it; if you know that it is dead, take over with --take-over "
                    "(take_over=True)"
                )
            self._journal.folder.remove(file for file in rivals if file != self._file)
            self._write(mine)
        return True

    def _spares(self, rival: Holder) -> bool:
        """Whether a rival is left alone while it is alive; a part that plans is waited for in any case."""
        return not self._take_over or (self._planning and bool(rival.part))

    def _rivals(self) -> dict[str, Holder]:
        """Leases that are not to be held beside this one."""
        holders = read_holders(self._journal)
        if self._part is None:
            return holders
        if self._planning:
            return {file: holder for file, holder in holders.items() if file == _FILE}
        same = f"-of-{self._part.count}.json"
        return {f: h for f, h in holders.items() if f == self._file or (f != _FILE and not f.endswith(same))}

    def _watch(self) -> dict[str, Holder]:
        """Return the rivals; those that seem to be dead elsewhere are given the time for a sign of life first."""
        rivals = {file: holder for file, holder in self._rivals().items() if self._spares(holder)}
        if any(not holder.is_here and not holder.is_alive for holder in rivals.values()):
            time.sleep(2 * HEARTBEAT)
        return rivals

    def _is_mine(self) -> bool:
        found = read_holder(self._journal, self._file)
        return found is not None and self._holder is not None and found.token == self._holder.token

    def _write(self, holder: Holder) -> None:
        self._journal.folder.write(self._file, json.dumps(asdict(holder)).encode())

    def _beat(self) -> None:
        while not self._stop.wait(HEARTBEAT):
            try:
                with self._locked():
                    if self._holder is None or not self._is_mine():
                        return
                    self._write(replace(self._holder, heartbeat=time.time()))
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
        with store_errors(self._journal.folder.address):
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
