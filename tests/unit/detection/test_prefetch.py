from __future__ import annotations

import threading

import pytest

from facearray.detection.prefetch import prefetch
from facearray.errors import InputError


@pytest.mark.parametrize("depth", [1, 3, 50])
def test_prefetch__keeps_the_order(depth):
    with prefetch(iter(range(20)), depth=depth) as ahead:
        assert list(ahead) == list(range(20))


def test_prefetch__makes_items_in_another_thread_ahead_of_use():
    made = threading.Semaphore(0)
    threads = set()

    def items():
        for i in range(10):
            threads.add(threading.get_ident())
            made.release()
            yield i

    with prefetch(items(), depth=3) as ahead:
        assert next(ahead) == 0
        # The item taken and three ahead, without any further request.
        assert all(made.acquire(timeout=10) for _ in range(4))
    assert threads.isdisjoint({threading.get_ident()})
    assert len(threads) == 1


def test_prefetch__is_bounded():
    made = 0

    def items():
        nonlocal made
        for i in range(100):
            made += 1
            yield i

    with prefetch(items(), depth=2) as ahead:
        for taken, item in enumerate(ahead, 1):
            assert item == taken - 1
            assert made <= taken + 2


@pytest.mark.parametrize("depth", [1, 2, 5])
def test_prefetch__exception_comes_in_its_place(depth):
    def items():
        yield from range(3)
        raise KeyError("broken")

    taken = []
    with pytest.raises(KeyError, match="broken"), prefetch(items(), depth=depth) as ahead:
        taken.extend(ahead)
    assert taken == [0, 1, 2]


@pytest.mark.parametrize("leave", ["break", "raise"])
def test_prefetch__leaving_stops_the_producer(leave):
    closed = threading.Event()
    made = []

    def items():
        try:
            for i in range(1000):
                made.append(i)
                yield i
        finally:
            closed.set()

    before = threading.active_count()
    try:
        with prefetch(items(), depth=2) as ahead:
            for _ in ahead:
                if leave == "break":
                    break
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert leave == "raise"
    assert closed.is_set()
    assert len(made) <= 3
    assert threading.active_count() == before


def test_prefetch__unused():
    with prefetch(range(3), depth=2):
        pass


def test_prefetch__bad_depth():
    with pytest.raises(InputError, match="depth: found 0; expected at least 1"), prefetch([], depth=0):
        pass
