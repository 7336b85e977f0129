"""Words of messages that depend on how many there are of something."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

__all__ = ["counted", "some"]


def counted(n: int, thing: str, *, form: str = "") -> str:
    """Say how many there are of a thing whose plural ends in s; the number is written in a format.

    Examples
    --------
    >>> counted(1, "video"), counted(0, "frame"), counted(1200, "pair", form=",")
    ('1 video', '0 frames', '1,200 pairs')
    """
    return f"{n:{form}} {thing}{'' if n == 1 else 's'}"


def some(names: Iterable[Any], *, separator: str = ", ") -> str:
    """Write names one after the other, the first ten.

    Examples
    --------
    >>> some(["a", "b"]), some(range(12))
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more')
    """
    shown = [str(name) for name in names]
    return separator.join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
