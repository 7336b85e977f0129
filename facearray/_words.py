"""Words of messages that depend on numbers."""

from __future__ import annotations

__all__ = ["counted"]


def counted(n: int, thing: str) -> str:
    """Say how many there are of a thing whose plural ends in s.

    Examples
    --------
    >>> counted(1, "video"), counted(0, "frame"), counted(2, "file")
    ('1 video', '0 frames', '2 files')
    """
    return f"{n} {thing}{'' if n == 1 else 's'}"
