"""The task of a row, wherever it is computed: arrays first, then the marker that says that they are complete."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from facearray.detection.detector import Detector
from facearray.detection.plan import Task
from facearray.detection.row import RowOptions, count_frames, detect_row
from facearray.errors import CapacityError, DetectorError, VideoError
from facearray.io.journal import Journal
from facearray.io.store import Store

__all__ = ["Outcome", "Workplace", "compute_row"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a row: a few numbers, however long the video is.

    Attributes
    ----------
    row
        Position of the video.
    status
        ``"done"`` or ``"failed"``, and the journal says so; or ``"needs room"``: the store has to grow before the row
        is computed again.
    n_frames
        Frames stored, or that there must be room for.
    n_missing
        Frames lost to damage.
    seconds
        That the task took.
    worker
        Where it ran; empty for this process.
    error
        Why it failed.
    """

    row: int
    status: Literal["done", "failed", "needs room"]
    n_frames: int = 0
    n_missing: int = 0
    seconds: float = 0.0
    worker: str = ""
    error: str = ""


@dataclass(frozen=True, slots=True)
class Workplace:
    """What a process has at hand to compute rows.

    Attributes
    ----------
    store, journal
        Where rows and their markers go.
    detector
        What describes the frames.
    options
        How rows are computed.
    """

    store: Store
    journal: Journal
    detector: Detector
    options: RowOptions


def compute_row(
    task: Task,
    workplace: Workplace,
    *,
    check: Callable[[], object],
    on_frames: Callable[[int], object],
    worker: str = "",
) -> Outcome:
    """Compute a row and commit it.

    Parameters
    ----------
    task
        The row and its source.
    workplace
        What to compute it with.
    check
        Raises if the row may not be written from here any more; called before anything is.
    on_frames
        Called with the number of frames that were just written.
    worker
        Where this is.

    Raises
    ------
    LeaseError
        If `check` raises it: nothing was written since.
    StoreError
        If the store's disk or network fails.
    InputError
        If the batches asked for do not fit memory.
    """
    started = time.perf_counter()
    store, journal, options = workplace.store, workplace.journal, workplace.options

    def outcome(status: Literal["done", "failed", "needs room"], n_frames: int = 0, **more: object) -> Outcome:
        seconds = round(time.perf_counter() - started, 3)
        return Outcome(task.row, status, n_frames, seconds=seconds, worker=worker, **more)  # type: ignore[arg-type]

    try:
        writer = store.row(task.row, check=check)
        record = detect_row(task.source, writer, workplace.detector, options, on_frames=on_frames)
    except CapacityError:
        # The container promised fewer frames than there are; only decoding tells how many.
        try:
            return outcome("needs room", count_frames(task.source, options))
        except VideoError as error:
            problem = str(error)
    except (VideoError, DetectorError) as error:
        problem = str(error)
    else:
        check()
        journal.mark_done(task.row, record)
        return outcome("done", record["n_frames"], n_missing=record["n_missing"])
    check()
    journal.mark_failed(task.row, problem, {"seconds": None})
    return outcome("failed", error=problem)
