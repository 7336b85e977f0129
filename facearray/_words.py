"""Words of messages that depend on how many there are of something."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

__all__ = ["counted", "plain", "some"]


def counted(n: int, thing: str, *, form: str = "") -> str:
    """Say how many there are of a thing whose plural ends in s; the number is written in a format.

    Examples
    --------
    >>> counted(1, "video"), counted(0, "frame"), counted(1200, "pair", form=",")
    ('1 video', '0 frames', '1,200 pairs')
    """
    return f"{n:{form}} {thing}{'' if n == 1 else 's'}"


def plain(number: float) -> str:
    """Write a finite number with three digits that count, and without a power of ten.

    Examples
    --------
    >>> plain(3311.3), plain(3.3333), plain(1.25e-5)
    ('3,310', '3.33', '0.0000125')
    """
    rounded = Decimal(f"{number:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 1000 else f"{rounded:f}"


def some(names: Iterable[Any], *, separator: str = ", ") -> str:
    """Write names one after the other, the first ten.

    Examples
    --------
    >>> some(["a", "b"]), some(range(12))
    ('a, b', '0, 1, 2, 3, 4, 5, 6, 7, 8, 9 and 2 more')
    """
    shown = [str(name) for name in names]
    return separator.join(shown[:10]) + (f" and {len(shown) - 10} more" if len(shown) > 10 else "")
