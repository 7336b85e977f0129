"""The installed version."""

from __future__ import annotations

from functools import cache
from importlib.metadata import version

__all__ = ["package_version"]


@cache
def package_version() -> str:
    """Return the version of the package; looking it up takes longer than many a result that states it."""
    return version("facearray")
