"""How conversions are told in the notes of recordings."""

from __future__ import annotations

__all__ = ["note"]


def note(title: str, what: str, how: str) -> str:
    """Say what becomes of something in the files of a tool.

    Examples
    --------
    >>> note("OpenFace 2", "`confidence`", "`FaceScore`")
    'OpenFace 2: confidence → FaceScore'
    """
    return f"{title}: {what} → {how}".replace("`", "")
