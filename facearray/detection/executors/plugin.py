"""What a Dask worker holds for a run: where the store is, and the detector, loaded when its first row comes.

Loaded only by those that use Dask, because it imports distributed.
"""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from distributed import Worker, get_worker
from distributed.diagnostics.plugin import WorkerPlugin
from distributed.utils import sync

import facearray
from facearray import assets
from facearray.detection.contract import load_networks
from facearray.detection.detector import Detector
from facearray.detection.plan import Task
from facearray.detection.row import RowOptions
from facearray.detection.task import Outcome, Workplace, compute_row
from facearray.errors import AssetError, ClusterError, InputError, StoreError, StructureError
from facearray.io.claims import ClaimLostError, drop_claim, take_claim
from facearray.io.lease import Grant
from facearray.io.store import Layout, Store, StoreLike

__all__ = ["TOPIC", "Assignment", "Job", "RunPlugin", "compute_on_worker", "file_variable", "job_variable"]

#: Topic of the events that tell how many frames are written.
TOPIC = "facearray-progress"

#: Seconds to wait for something that the client has left with the scheduler.
FETCH_TIMEOUT = 60.0


@dataclass(frozen=True, kw_only=True)
class Job:
    """What the rows of a run have in common, for workers.

    Attributes
    ----------
    name
        Of the run, on its cluster.
    store, storage_options
        The store, as the workers find it. Options are shown nowhere: they may be credentials.
    grant
        The run's right to write.
    load_detector
        Makes the detector.
    layout
        What the store was made for: a worker whose detector gives something else writes nothing.
    options
        How rows are computed.
    files
        Names of the model files, which workers without them are given by the client.
    retries
        Times that a row is tried again after an attempt without an answer.
    interval
        Seconds between two reports of a worker on its frames.
    """

    name: str
    store: StoreLike = field(repr=False)
    storage_options: dict[str, Any] | None = field(repr=False)
    grant: Grant = field(repr=False)
    load_detector: Callable[[], Detector] = field(repr=False)
    layout: Layout = field(repr=False)
    options: RowOptions
    files: tuple[str, ...]
    retries: int
    interval: float


@dataclass(frozen=True, slots=True)
class Assignment:
    """A row for a worker. What it is read from is not shown: Dask writes arguments into its logs."""

    run: str
    task: Task = field(repr=False)


class RunPlugin(WorkerPlugin):
    """Holds what a worker needs for the rows of a run; workers that join later have it too.

    It holds nothing when it is sent: Dask writes what it cannot unpack into its logs. The job waits with the scheduler.

    Parameters
    ----------
    name
        Of the run, on its cluster.
    """

    idempotent = True

    def __init__(self, name: str) -> None:
        self.name = name
        self.version = facearray.__version__

    def setup(self, worker: Worker) -> None:
        """Prepare a lock; nothing heavy, because all of the worker waits for it."""
        self._worker = worker
        self._lock = threading.Lock()
        self._job: Job | None = None
        self._workplace: Workplace | None = None

    def compute(self, task: Task) -> Outcome:
        """Compute a row, unless it was tried too often."""
        job, address = self.job(), self._worker.address
        journal = job.grant.journal
        job.grant.check()
        claim = take_claim(journal, task.row, run=job.grant.token)
        tell = _Reporter(self._worker, job, task.row)

        def check() -> None:
            job.grant.check()
            claim.check()

        started = time.perf_counter()
        if claim.attempt > job.retries + 1:
            error = tried_too_often(claim.attempt - 1)
            journal.mark_failed(task.row, error, {"seconds": None})
            outcome = Outcome(task.row, "failed", worker=address, error=error)
        else:
            outcome = compute_row(task, self.workplace(job), check=check, on_frames=tell.add, worker=address)
        check()
        drop_claim(journal, task.row)
        # The first row waits for the detector.
        return replace(outcome, seconds=round(time.perf_counter() - started, 3))

    def job(self) -> Job:
        """Fetch what the rows have in common.

        Raises
        ------
        StructureError
            If there is another version of facearray here than with the client.
        ClusterError
            If the scheduler has nothing: the run has ended.
        """
        with self._lock:
            if self._job is None:
                if self.version != facearray.__version__:
                    raise StructureError(
                        f"worker {self._worker.address}: found facearray {facearray.__version__}; expected "
                        f"{self.version}, as with the client; install the same version on all machines"
                    )
                try:
                    content = _left_with_scheduler(self._worker, job_variable(self.name))
                except TimeoutError:
                    raise ClusterError(f"found no run {self.name} with the scheduler; it has ended") from None
                self._job = pickle.loads(content)  # noqa: S301  (from the client, as every task of Dask is)
            return self._job

    def workplace(self, job: Job) -> Workplace:
        """Load the detector and open the store once, whatever the number of threads.

        Raises
        ------
        StoreError
            If the store that the client sees is not to be seen from here.
        StructureError
            If the detector is another here than with the client.
        AssetError
            If a model file cannot be had.
        InputError, DetectorError
            If the detector cannot be loaded.
        """
        with self._lock:
            if self._workplace is None:
                _fetch_files(self._worker, job)
                try:
                    detector = job.load_detector()
                except InputError as error:
                    raise InputError(f"worker {self._worker.address}: {error}") from error
                problems = job.layout.differences(Layout.from_detector(detector, **_like(job.layout)))
                if problems:
                    raise StructureError(
                        f"worker {self._worker.address}: the detector is not the client's:\n"
                        + "".join(f"  - {p}\n" for p in problems)
                        + "install the same version of facearray on all machines"
                    )
                load_networks(detector)
                store = Store.open(job.store, storage_options=job.storage_options)
                self._workplace = Workplace(store, job.grant.journal, detector, job.options)
            return self._workplace


def compute_on_worker(assignment: Assignment) -> Outcome | None:
    """Compute a row on a worker; None if another attempt at it has begun since.

    Raises
    ------
    StoreError
        If the worker has no such run.
    """
    worker = get_worker()
    plugin = worker.plugins.get(assignment.run)
    if not isinstance(plugin, RunPlugin):
        raise StoreError(f"worker {worker.address}: found no run {assignment.run}; expected its plugin on all workers")
    try:
        return plugin.compute(assignment.task)
    except ClaimLostError:
        return None


def tried_too_often(attempts: int) -> str:
    """Say why a row is given up whose attempts ended without an answer."""
    return (
        f"found {attempts} attempts that ended with their worker: it crashed, was killed for its memory, or could not "
        "be reached; expected an answer; look at the workers' logs, then try again with retry_failed=True "
        "(--retry-failed)"
    )


def job_variable(run: str) -> str:
    """Name the variable on the scheduler that holds the job, pickled."""
    return f"{run}-job"


def file_variable(run: str, name: str) -> str:
    """Name the variable on the scheduler that holds a model file."""
    return f"{run}-{name}"


def _left_with_scheduler(worker: Worker, name: str) -> bytes:
    """Return what the client has put into a variable; without a client of the worker's own, of a thousand workers."""
    answer = sync(worker.loop, worker.scheduler.variable_get, name=name, client=worker.id, timeout=FETCH_TIMEOUT)
    content: bytes = answer["value"]
    return content


def _fetch_files(worker: Worker, job: Job) -> None:
    """Take model files that are not on this machine from the scheduler, where the client has put them."""
    missing = assets.missing(job.files)
    if not missing:
        return
    contents = {}
    for name in missing:
        try:
            contents[name] = _left_with_scheduler(worker, file_variable(job.name, name))
        except TimeoutError:
            raise AssetError(
                f"found no {name} in the cache of this worker, and none with the scheduler; expected the client's; "
                "run `facearray models pull` on the workers"
            ) from None
    assets.install(contents)


def _like(layout: Layout) -> dict[str, Any]:
    return {
        "max_faces": layout.max_faces,
        "options": layout.options,
        "landmarks": layout.n_landmarks is not None,
        "embedding": layout.n_components is not None,
    }


class _Reporter:
    """Tells the client how many frames of a row are written, seldom enough for a thousand workers."""

    def __init__(self, worker: Worker, job: Job, row: int) -> None:
        self._worker, self._job, self._row = worker, job, row
        self._n_frames = 0
        self._told = 0.0
        self._tell()

    def add(self, n_frames: int) -> None:
        self._n_frames += n_frames
        if time.monotonic() - self._told >= self._job.interval:
            self._tell()

    def _tell(self) -> None:
        self._told = time.monotonic()
        message = {"run": self._job.name, "row": self._row, "frames": self._n_frames, "worker": self._worker.address}
        self._worker.log_event(TOPIC, message)
