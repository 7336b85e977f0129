"""Where rows are computed: in this process, or by the workers of a Dask cluster. The task of a row is the same."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator
from contextlib import AbstractContextManager
from typing import Protocol, Self

from facearray.detection.plan import Task
from facearray.detection.task import Outcome

__all__ = ["Executor"]


class Executor(AbstractContextManager["Executor"], Protocol):
    """Computes rows; a context manager that lets go of its workers at the end."""

    def __enter__(self) -> Self: ...

    def compute(self, queue: deque[Task]) -> Generator[Outcome]:
        """Compute the rows in a queue, which the consumer may add to meanwhile, until it is empty.

        Yields
        ------
        Outcome
            As the rows end, in any order.

        Raises
        ------
        KeyboardInterrupt
            If the run was interrupted, after the rows that were in work are done, where that can be had.
        FaceArrayError
            Whatever is the fault of no row; nothing is written after that.
        """
        ...
