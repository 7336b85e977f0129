"""Making items ahead of their use, in another thread."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from typing import TypeVar, cast

from facearray.errors import InputError

__all__ = ["prefetch"]

T = TypeVar("T")


@contextmanager
def prefetch(items: Iterable[T], *, depth: int) -> Iterator[Iterator[T]]:
    """Iterate over items in their order, while one thread makes up to `depth` of them ahead.

    Parameters
    ----------
    items
        What is iterated over, in the thread. If it is a generator, it is closed with the context; both wait until
        the item in work is made.
    depth
        Items that are made ahead. At most ``depth + 1`` exist at a time beside those that the consumer keeps.

    Yields
    ------
    iterator
        Over the items. An exception of the iterable is raised in the place of its item.

    Raises
    ------
    InputError
        If `depth` is less than 1.

    Examples
    --------
    >>> with prefetch(range(4), depth=2) as ahead:
    ...     print(list(ahead))
    [0, 1, 2, 3]
    """
    if depth < 1:
        raise InputError(f"depth: found {depth}; expected at least 1")
    with closing(_prefetched(items, depth)) as ahead:
        yield ahead


def _prefetched(items: Iterable[T], depth: int) -> Generator[T, None, None]:
    iterator = iter(items)
    end = object()
    ahead: deque[Future[object]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="facearray-prefetch") as pool:
        try:
            ahead.extend(pool.submit(next, iterator, end) for _ in range(depth))
            while (item := ahead.popleft().result()) is not end:
                ahead.append(pool.submit(next, iterator, end))
                yield cast(T, item)
                del item
        finally:
            for future in ahead:
                future.cancel()
            if isinstance(iterator, Generator):
                pool.submit(iterator.close).result()
