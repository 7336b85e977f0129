"""Work in threads, so that the server goes on answering, and its result in the window that asked."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import panel as pn

from facearray.errors import FaceArrayError
from facearray.plot.viewer.pictures import UNREADABLE

__all__ = ["run_in_thread"]

_T = TypeVar("_T")


def run_in_thread(
    threads: ThreadPoolExecutor,
    work: Callable[[], _T],
    done: Callable[[_T], None],
    failed: Callable[[Exception], None],
) -> None:
    """Do some work in a thread; then call one of two functions where widgets may be changed.

    Outside of a server everything happens at once.

    Parameters
    ----------
    threads
        Where to work.
    work
        Reads and computes; changes no widget.
    done
        Takes the result.
    failed
        Takes the error, if it is one of ours or of a store that cannot be read.
    """
    document = pn.state.curdoc
    if document is None or document.session_context is None:
        _attempt(work, done, failed)()
    else:
        # what is returned changes widgets, which is for the thread of the server
        threads.submit(lambda: document.add_next_tick_callback(_attempt(work, done, failed)))


def _attempt(
    work: Callable[[], _T], done: Callable[[_T], None], failed: Callable[[Exception], None]
) -> Callable[[], None]:
    try:
        result = work()
    except (FaceArrayError, *UNREADABLE) as error:
        problem: Exception = error
        return lambda: failed(problem)
    return lambda: done(result)
