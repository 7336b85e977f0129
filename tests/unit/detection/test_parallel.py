from __future__ import annotations

import threading

import pytest

from facearray.detection.parallel import available_cpus, ordered_map


def test_available_cpus__at_least_one():
    assert available_cpus() >= 1


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_ordered_map__keeps_order_when_later_items_finish_first(workers):
    late = threading.Event()

    def slow_first(i):
        if i == 0 and workers > 1:
            late.wait(10)
        else:
            late.set()
        return i

    assert list(ordered_map(slow_first, range(20), workers=workers)) == list(range(20))


def test_ordered_map__never_holds_more_than_workers_plus_one():
    taken = []

    def items():
        for i in range(50):
            taken.append(i)
            yield i

    for n_out, _ in enumerate(ordered_map(lambda i: i, items(), workers=2), start=1):
        assert len(taken) - n_out <= 2


def test_ordered_map__raises_at_the_items_place_and_runs_no_more():
    calls = []

    def fail_at_three(i):
        calls.append(i)
        if i == 3:
            raise ValueError("three")
        return i

    results = ordered_map(fail_at_three, range(1000), workers=2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
    assert max(calls) <= 6


def test_ordered_map__exception_of_the_items_is_passed_on():
    def items():
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(ordered_map(lambda i: i, items(), workers=2))


def test_ordered_map__initializer_runs_in_every_thread():
    seen = set()
    barrier = threading.Barrier(2, timeout=10)

    def meet(i):
        if i < 2:
            barrier.wait()
        return threading.get_ident() in seen

    assert all(ordered_map(meet, range(4), workers=2, initializer=lambda: seen.add(threading.get_ident())))


def test_ordered_map__closing_early_stops_the_threads():
    results = ordered_map(lambda i: i, range(10**6), workers=2)
    next(results)
    results.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("facearray-infer")]
