"""One annotation, whatever program it was made with."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Entry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An annotated interval in seconds of a video; the fields are the columns of the table."""

    video: str
    start: float
    end: float
    label: str
    tier: str
    subject: str = ""
    modifier: str = ""
    category: str = ""
    comment: str = ""
