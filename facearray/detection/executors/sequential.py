"""Rows one after the other, in this process."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Self

from facearray.detection.plan import Task
from facearray.detection.progress import Progress
from facearray.detection.task import Outcome, Workplace, compute_row

__all__ = ["SequentialExecutor"]


class SequentialExecutor:
    """Computes rows in this process, batches of frames side by side.

    Parameters
    ----------
    workplace
        What to compute with.
    check
        Raises if this run may not write any more.
    progress
        Told of every frame.
    """

    def __init__(self, workplace: Workplace, check: Callable[[], object], progress: Progress) -> None:
        self._workplace = workplace
        self._check = check
        self._progress = progress

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return

    def compute(self, queue: deque[Task]) -> Generator[Outcome]:
        """Compute the rows in order."""
        while queue:
            task = queue.popleft()
            yield compute_row(task, self._workplace, check=self._check, on_frames=_counter(self._progress, task.row))


def _counter(progress: Progress, row: int) -> Callable[[int], None]:
    n_written = 0

    def count(n_frames: int) -> None:
        nonlocal n_written
        n_written += n_frames
        progress.frames(row, n_written)

    return count
