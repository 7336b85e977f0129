"""A run: many videos into one store, in this process or on workers."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from facearray._secrets import mask_secrets
from facearray._words import counted
from facearray.detection.contract import load_networks
from facearray.detection.detector import Detector
from facearray.detection.executors import Executor
from facearray.detection.executors.reach import check_reachable, for_workers
from facearray.detection.executors.sequential import SequentialExecutor
from facearray.detection.options import RunOptions
from facearray.detection.plan import Plan, plan_rows
from facearray.detection.progress import Progress
from facearray.detection.report import RunReport, Tally
from facearray.detection.row import RowOptions
from facearray.detection.sources import Source, Videos, find_videos, none_exists
from facearray.detection.task import Workplace
from facearray.errors import ClusterError, FaceArrayError, InputError
from facearray.io.journal import ROWS_PER_PART, Journal
from facearray.io.lease import Lease, Part, read_holders
from facearray.io.location import check_options, same_kind
from facearray.io.store import Layout, Store, StoreLike, frame_capacity

__all__ = ["RunOptions", "RunReport", "run"]

logger = logging.getLogger(__name__)


def run(videos: Videos, store: StoreLike, options: RunOptions, *, stop: threading.Event | None = None) -> RunReport:
    """Do what :func:`facearray.detect` does, and say what became of each video.

    Parameters
    ----------
    videos, store
        As for :func:`facearray.detect`.
    options
        Its other arguments.
    stop
        Ends a run on workers as Ctrl-C does, from another thread.
    """
    sources = find_videos(videos, partial(options.of_video, store=store))
    of_videos = [source.path for source in sources if options.video_options is None and same_kind(source.path, store)]
    check_options(options.storage_options, store, options.journal, *of_videos)
    journal = Journal.beside(store, journal=options.journal, storage_options=options.storage_options)
    if options.client is not None:
        check_reachable(store, journal, options.client)
        options = for_workers(options)
    target = None
    if Store.exists(store, storage_options=options.storage_options) and not options.overwrite:
        target = Store.open(store, storage_options=options.storage_options)
    if not any(source.exists for source in sources) and not (target and _holds_any(target, sources)):
        raise none_exists(sources)
    detector = options.load_detector()
    layout = options.layout(detector)
    # What can be refused at once is refused before anything is written, the lease included.
    if target is not None:
        target.check(layout)
    if options.client is None:
        load_networks(detector)
    work = _Run(store, sources, options, journal, detector, layout, stop)
    return work.whole() if options.part is None else work.one_part(options.part)


def _holds_any(target: Store, sources: Sequence[Source]) -> bool:
    """Whether a store has one of some videos already, under its label or read from its place."""
    known = {*target.labels, *target.sources}
    return any(source.label in known or source.location in known for source in sources)


@dataclass(frozen=True, slots=True)
class _Run:
    """A run whose arguments are good."""

    store: StoreLike
    sources: Sequence[Source]
    options: RunOptions
    journal: Journal
    detector: Detector
    layout: Layout
    stop: threading.Event | None

    def whole(self) -> RunReport:
        """Compute everything, under the lease of the store."""
        with Lease(self.journal, take_over=self.options.take_over) as lease:
            target, plan = self._plan(lease)
            try:
                tally = self._compute(plan, target, lease, grow=nullcontext)
            except (KeyboardInterrupt, InputError, ClusterError):
                # What workers bring from now on comes too late for the store that is finished here.
                lease.revoke()
                target.finalize(self.journal)
                raise
            lease.check()
            target.finalize(self.journal)
            return self._report(plan, target, tally)

    def one_part(self, part: Part) -> RunReport:
        """Compute the part's rows under a lease of its own; the last part to end finishes the store.

        The lease of the store is held too while the store is planned, grown and finished, and by one part at a time.
        """

        def store_lease() -> Lease:
            return Lease(self.journal, take_over=self.options.take_over, part=part, planning=True)

        with ExitStack() as until_done:
            with store_lease():
                lease = Lease(self.journal, take_over=self.options.take_over, part=part)
                until_done.enter_context(lease)
                target, plan = self._plan(lease, part)
            tally = self._compute(plan, target, lease, grow=store_lease)
            with store_lease() as whole:
                until_done.close()
                others = [holder for holder in read_holders(self.journal).values() if holder.token != whole.grant.token]
                if not others and len(target.states(self.journal)) == target.n_rows:
                    target.finalize(self.journal)
                return self._report(plan, target, tally)

    def _plan(self, lease: Lease, part: Part | None = None) -> tuple[Store, Plan]:
        target = self._open_or_create()
        self.journal.check_labels(target.labels)
        for problem in self.journal.repair():
            logger.warning(problem)
        plan = plan_rows(
            target,
            self.journal,
            self.sources,
            every=self.options.every,
            retry_failed=self.options.retry_failed,
            check=lease.check,
            part=part,
        )
        if plan.tasks:
            target.reopen()
        return target, plan

    def _open_or_create(self) -> Store:
        options = self.options
        if not options.overwrite and Store.exists(self.store, storage_options=options.storage_options):
            target = Store.open(self.store, storage_options=options.storage_options)
            target.check(self.layout)
            return target
        return Store.create(
            self.store,
            self.layout,
            [],
            frame_capacity(0),
            journal=options.journal,
            storage_options=options.storage_options,
            overwrite=options.overwrite,
        )

    def _compute(
        self, plan: Plan, target: Store, lease: Lease, *, grow: Callable[[], AbstractContextManager[object]]
    ) -> Tally:
        """Compute the rows of a plan; each ends with its marker, whoever computes it."""
        tasks = {task.row: task for task in plan.tasks}
        tally = Tally({row: task.source.label for row, task in tasks.items()})
        queue = deque(plan.tasks)
        n_ended = 0
        with (
            Progress({row: task.n_frames for row, task in tasks.items()}, enabled=self.options.progress) as progress,
            self._executor(target, lease, progress, tally) as executor,
            self._kept_report(tally, lease),
            closing(executor.compute(queue)) as outcomes,
        ):
            for outcome in outcomes:
                tally.add(outcome)
                if outcome.status == "needs room":
                    lease.check()
                    with grow():
                        target.resize(frame_capacity(outcome.n_frames, exact=True))
                    queue.append(tasks[outcome.row])
                    continue
                progress.finish(outcome.row, outcome.n_frames)
                if outcome.n_missing:
                    label = tasks[outcome.row].source.label
                    logger.warning("%s: %s lost to damage", label, counted(outcome.n_missing, "frame"))
                n_ended += 1
                if n_ended % ROWS_PER_PART == 0 and self.options.part is None:
                    lease.check()
                    self.journal.compact()
        return tally

    def _executor(self, target: Store, lease: Lease, progress: Progress, tally: Tally) -> Executor:
        options = RowOptions(
            every=self.options.every,
            batch_size=self.options.batch_size,
            max_faces=self.options.max_faces,
            slots=self.options.slot_rule,
            landmarks=self.layout.n_landmarks is not None,
            embedding=self.layout.n_components is not None,
            threads=None if self.options.client is None else 1,
            time_limit=self.options.time_limit,
        )
        if self.options.client is None:
            workplace = Workplace(target, self.journal, self.detector, options)
            return SequentialExecutor(workplace, lease.check, progress)
        from facearray.detection.executors.dask import dask_executor

        # Workers use what the client does, or say that they cannot.
        given = replace(self.options, runtime=getattr(self.detector, "runtime", self.options.runtime))
        return dask_executor(given, self.store, lease, self.layout, options, progress, tally, self.stop)

    @contextmanager
    def _kept_report(self, tally: Tally, lease: Lease) -> Iterator[None]:
        """Store the run's report beside the markers, however it ends, unless the store is another run's by now."""
        end = "complete"
        try:
            yield
        except KeyboardInterrupt:
            end = "interrupted"
            raise
        except Exception as error:
            end = mask_secrets(f"{type(error).__name__}: {error}")
            raise
        finally:
            if tally.labels:
                with suppress(FaceArrayError):
                    lease.check()
                    summary = tally.summary(end)
                    stamp = summary.started.replace("-", "").replace(":", "").partition("+")[0]
                    self.journal.report(f"{stamp}-{lease.grant.token[:8]}", summary.to_dict())

    def _report(self, plan: Plan, target: Store, tally: Tally) -> RunReport:
        rows = sorted([*plan.done, *plan.failed, *(task.row for task in plan.tasks)])
        places = target.sources if plan.missing else []
        return RunReport(
            records=_records(target, self.journal, rows),
            computed=frozenset(tally.labels.values()),
            missing={
                task.source.label: f"found no file {task.source.location}; the store holds this video from an earlier "
                f"run, read from {places[task.row]}"
                for task in plan.missing
            },
            summary=tally.summary("complete"),
        )


def _records(target: Store, journal: Journal, rows: Sequence[int]) -> dict[str, Mapping[str, Any]]:
    """Return label → record; of rows from before the journal there is only what is stored."""
    records = journal.records()
    stored = target.coordinates(journal) if any(row not in records for row in rows) else {}
    return {
        target.labels[row]: records.get(row)
        or {
            "status": str(stored["status"][row]),
            "error": str(stored["error"][row]),
            "n_frames": int(stored["n_frames"][row]),
            "n_faces_found": None,
        }
        for row in rows
    }
