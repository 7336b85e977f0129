"""Inference of batches side by side, results in order, memory bounded."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

__all__ = ["available_cpus", "ordered_map"]

_In = TypeVar("_In")
_Out = TypeVar("_Out")


def available_cpus() -> int:
    """CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def ordered_map(
    function: Callable[[_In], _Out],
    items: Iterable[_In],
    *,
    workers: int,
    initializer: Callable[[], None] | None = None,
) -> Generator[_Out]:
    """Apply a function in threads and yield the results in the order of the items.

    At most ``workers + 1`` items are held at once, so that a slow consumer stops the producer.

    Parameters
    ----------
    function
        Called with one item, in one of the threads.
    items
        Consumed in the calling thread.
    workers
        Threads.
    initializer
        Called once in each thread before its first item.

    Yields
    ------
    object
        What the function returned, item by item; its exception is raised at the item's place.

    Examples
    --------
    >>> list(ordered_map(lambda x: 2 * x, range(5), workers=2))
    [0, 2, 4, 6, 8]
    """
    pending: deque[Future[_Out]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix="facearray-infer", initializer=initializer) as pool:
        try:
            for item in items:
                pending.append(pool.submit(function, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()
