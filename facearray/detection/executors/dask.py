"""Rows on the workers of a Dask cluster, through a window that follows the workers as they come and go."""

from __future__ import annotations

import logging
import queue as queues
import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from types import FrameType, TracebackType
from typing import TYPE_CHECKING, Any, Self

from zarr.abc.store import Store as ZarrStore

from facearray import assets
from facearray._secrets import mask_secrets
from facearray.detection.executors.workers import Slots, restart
from facearray.detection.options import RunOptions
from facearray.detection.plan import Task
from facearray.detection.progress import Progress
from facearray.detection.report import Tally
from facearray.detection.row import RowOptions
from facearray.detection.task import Outcome
from facearray.errors import ClusterError, FaceArrayError, InputError, LeaseError, StoreError, StructureError
from facearray.io.claims import count_attempts, drop_claim, take_claim
from facearray.io.lease import Lease
from facearray.io.location import resolve
from facearray.io.store import Layout, StoreLike

if TYPE_CHECKING:
    from distributed import Client, Future, Variable

    from facearray.detection.executors.plugin import Job, RunPlugin

__all__ = ["DaskExecutor", "dask_executor"]

logger = logging.getLogger(__name__)

#: Rows in the hands of the cluster for each that it can compute at once: the next waits where the last one ends.
ROWS_PER_SLOT = 2

#: Seconds between two looks at the time limits and the connection.
POLL = 1.0

#: Seconds beyond its time limit after which a row is taken for stuck: its worker should have given up itself.
GRACE = 30.0

#: Times that a row may be lost with a worker that had not begun it, beyond its own attempts.
NEVER_BEGUN = 10

#: Reports on frames that all workers together send in a second.
REPORTS_PER_SECOND = 50


class DaskExecutor:
    """Computes rows on a cluster: one task a row, no more of them submitted than are needed to keep it busy.

    What is queued is queued here, so that workers that join take their part, and those that leave take little along.

    Parameters
    ----------
    client
        A synchronous client of the cluster.
    job
        What the rows have in common.
    check
        Raises if this run may not write any more.
    progress
        Told of frames.
    tally
        Told of attempts that ended without an answer and are made again.
    window
        Rows in the hands of the cluster; None for twice as many as it can compute at once.
    stop
        Set to end the run as Ctrl-C does.
    """

    def __init__(
        self,
        client: Client,
        job: Job,
        check: Callable[[], object],
        progress: Progress,
        tally: Tally,
        *,
        window: int | None = None,
        stop: threading.Event | None = None,
    ) -> None:
        self._client = client
        self._job = job
        self._check = check
        self._progress = progress
        self._window = window
        self._stop = stop or threading.Event()
        self._abort = False
        self._tally = tally
        self._running: dict[Future[Outcome | None], Task] = {}
        self._began: dict[int, tuple[float, str]] = {}
        self._ended: queues.SimpleQueue[Future[Outcome | None]] = queues.SimpleQueue()
        self._events: queues.SimpleQueue[dict[str, Any]] = queues.SimpleQueue()
        self._n_submitted: Counter[int] = Counter()
        self._slots = Slots(client)

    def __enter__(self) -> Self:
        from distributed.protocol.pickle import dumps

        from facearray.detection.executors.plugin import TOPIC, RunPlugin, file_variable, job_variable

        with _cluster_errors():
            for name in self._job.files:
                self._variable(file_variable(self._job.name, name)).set(assets.path(name).read_bytes())
            self._variable(job_variable(self._job.name)).set(dumps(self._job))
            self._prepare(RunPlugin(self._job.name))
            self._client.subscribe_topic(TOPIC, self._on_event)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        from facearray.detection.executors.plugin import TOPIC, file_variable, job_variable

        # The cluster may be gone, and what is left on it is small; the error that ended the run counts.
        with suppress(Exception):
            if self._running:
                self._client.cancel(list(self._running), force=True)
            self._running.clear()
            if self._client.status == "running":
                self._client.unsubscribe_topic(TOPIC)
                self._client.unregister_worker_plugin(self._job.name)
                self._variable(job_variable(self._job.name)).delete()
                for name in self._job.files:
                    self._variable(file_variable(self._job.name, name)).delete()

    def compute(self, queue: deque[Task]) -> Generator[Outcome]:
        """Compute the rows, the longest first, so that none is left to a single worker at the end."""
        longest_first = sorted(queue, key=lambda task: -task.n_frames)
        queue.clear()
        queue.extend(longest_first)
        with self._interrupts(), _cluster_errors():
            while queue or self._running:
                self._look_after()
                if self._stop.is_set():
                    self._drain(queue)
                while queue and len(self._running) < self._wanted():
                    self._submit(queue.popleft())
                yield from self._stuck()
                try:
                    future = self._ended.get(timeout=POLL)
                except queues.Empty:
                    continue
                outcome = self._settle(future, queue)
                if outcome is not None:
                    yield outcome
            if self._stop.is_set():
                raise KeyboardInterrupt

    def _prepare(self, plugin: RunPlugin) -> None:
        try:
            self._client.register_plugin(plugin)
        except OSError:
            raise
        except Exception as error:  # whatever importing raises there
            raise ClusterError(
                f"the workers cannot be prepared ({error}); expected facearray {plugin.version} on all machines"
            ) from error

    def _variable(self, name: str) -> Variable:
        from distributed import Variable

        return Variable(name, client=self._client)

    def _wanted(self) -> int:
        slots = self._slots.count()
        return min(self._window or ROWS_PER_SLOT * slots, ROWS_PER_SLOT * slots) if slots else 0

    def _submit(self, task: Task) -> None:
        from facearray.detection.executors.plugin import Assignment, compute_on_worker

        self._n_submitted[task.row] += 1
        future = self._client.submit(
            compute_on_worker,
            Assignment(self._job.name, task),
            key=f"detect-{task.row}-{self._job.grant.token[:8]}{self._n_submitted[task.row]:x}",
            pure=False,
            resources={"GPU": 1} if self._slots.have_gpus else None,
        )
        self._running[future] = task
        future.add_done_callback(self._ended.put)

    def _settle(self, future: Future[Outcome | None], queue: deque[Task]) -> Outcome | None:
        """Take what a task left: an outcome, or an error after which its row is put back, failed, or all ends."""
        task = self._running.pop(future, None)
        if task is None:
            return None
        self._began.pop(task.row, None)
        if future.status == "finished":
            outcome = future.result()
            if outcome is None:
                self._again(task, queue)
            return outcome
        if future.cancelled():
            raise ClusterError(
                "the Dask scheduler gave up a row that was not cancelled: the connection to it was lost; what was "
                "finished is kept: run the same command again to go on"
            )
        return self._settle_error(task, future.exception(), queue)

    def _settle_error(self, task: Task, error: BaseException | None, queue: deque[Task]) -> Outcome | None:
        from distributed import KilledWorker

        if isinstance(error, LeaseError):
            self._check()
            raise StoreError(
                f"a worker does not see the lease that this run holds ({error}); expected a store and a journal on a "
                "disk that all machines share, or on an object store"
            ) from error
        if isinstance(error, InputError | StructureError):
            raise error
        attempts = count_attempts(self._job.grant.journal, task.row, run=self._job.grant.token)
        attempts = max(attempts, self._n_submitted[task.row] - NEVER_BEGUN)
        if attempts <= self._job.retries:
            logger.warning("%s: tried again: %s", task.source.label, _reason(error))
            self._again(task, queue)
            return None
        if isinstance(error, KilledWorker):
            from facearray.detection.executors.plugin import tried_too_often

            return self._fail(task, tried_too_often(attempts), worker=error.last_worker.address)
        if isinstance(error, MemoryError):
            problem = f"found too little memory on its worker, {attempts} times; expected enough for one video"
            return self._fail(task, problem, worker="")
        raise error or AssertionError("a task failed without an error")

    def _again(self, task: Task, queue: deque[Task]) -> None:
        self._tally.n_again += 1
        self._progress.frames(task.row, 0)
        queue.appendleft(task)

    def _fail(self, task: Task, problem: str, *, worker: str) -> Outcome:
        """Mark a row as failed for a worker that cannot, and that may yet come back."""
        journal = self._job.grant.journal
        self._check()
        take_claim(journal, task.row, run=self._job.grant.token)
        journal.mark_failed(task.row, problem, {"seconds": None})
        drop_claim(journal, task.row)
        return Outcome(task.row, "failed", worker=worker, error=problem)

    def _stuck(self) -> Iterator[Outcome]:
        """Fail rows whose workers did not keep the time limit, and restart these workers."""
        limit = self._job.options.time_limit
        if limit is None:
            return
        late = {row for row, (since, _) in self._began.items() if time.monotonic() - since > limit + GRACE}
        for future, task in [(f, t) for f, t in self._running.items() if t.row in late]:
            _, worker = self._began.pop(task.row)
            del self._running[future]
            problem = f"found it stuck {GRACE:g} s after its time limit of {limit:g} s; its worker was restarted"
            yield self._fail(task, problem, worker=worker)
            self._client.cancel([future], force=True)
            restart(self._client, worker)

    def _look_after(self) -> None:
        """Take in what happened meanwhile: frames written, workers that came and went, a connection that was lost."""
        rows = {task.row for task in self._running.values()}
        while True:
            try:
                event = self._events.get_nowait()
            except queues.Empty:
                break
            if event["row"] in rows:
                if event["frames"] == 0:
                    self._began[event["row"]] = (time.monotonic(), event["worker"])
                self._progress.frames(event["row"], event["frames"])
        self._check_connection()
        self._slots.refresh()

    def _check_connection(self) -> None:
        if self._client.status != "running":
            raise ClusterError(
                f"the connection to the Dask scheduler is lost (the client is {self._client.status}); what was "
                "finished is kept: run the same command again to go on"
            )

    def _on_event(self, event: tuple[float, Any]) -> None:
        message = event[1]
        if message.get("run") == self._job.name:
            self._events.put(message)

    def _drain(self, queue: deque[Task]) -> None:
        """Take back what has not begun; what has, ends."""
        if self._abort:
            raise KeyboardInterrupt
        queue.clear()
        waiting = [future for future, task in self._running.items() if task.row not in self._began]
        for future in waiting:
            del self._running[future]
        if waiting:
            self._client.cancel(waiting, force=True)

    @contextmanager
    def _interrupts(self) -> Iterator[None]:
        """Let Ctrl-C end the run when the rows in work are done, and a second one at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def on_interrupt(_number: int, _frame: FrameType | None) -> None:
            self._abort = self._stop.is_set()
            if self._abort:
                raise KeyboardInterrupt
            self._stop.set()
            logger.warning("interrupted: waiting for the rows in work to end; once more ends at once")

        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)


@contextmanager
def _cluster_errors() -> Iterator[None]:
    """Name the scheduler in errors of the connection to it."""
    from distributed.comm.core import CommClosedError

    try:
        yield
    except FaceArrayError:
        raise
    except (CommClosedError, TimeoutError, OSError) as error:
        raise ClusterError(
            f"the Dask scheduler cannot be reached ({error}); what was finished is kept: run the same command again to "
            "go on"
        ) from error


def _reason(error: BaseException | None) -> str:
    if isinstance(error, FaceArrayError):
        return str(error)
    return mask_secrets(f"{type(error).__name__}: {error}")


def dask_executor(
    options: RunOptions,
    store: StoreLike,
    lease: Lease,
    layout: Layout,
    row_options: RowOptions,
    progress: Progress,
    tally: Tally,
    stop: threading.Event | None,
) -> DaskExecutor:
    """Make the executor of a run on the cluster of its client."""
    from facearray.detection.executors.plugin import Job

    client = options.client
    n_workers = len(client.nthreads())
    job = Job(
        name=f"facearray-{lease.grant.token}",
        # The client's working folder is not the workers'.
        store=store if isinstance(store, ZarrStore) else resolve(store, options.storage_options),
        storage_options=dict(options.storage_options) if options.storage_options else None,
        grant=lease.grant,
        load_detector=replace(options, client=None, window=None).load_detector,
        layout=layout,
        options=row_options,
        files=tuple(name for name in layout.assets if name in assets.ASSETS),
        retries=options.retries,
        interval=max(1.0, n_workers / REPORTS_PER_SECOND),
    )
    return DaskExecutor(client, job, lease.check, progress, tally, window=options.window, stop=stop)
