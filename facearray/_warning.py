"""Warnings that show the line which called this package, through however many of its functions."""

from __future__ import annotations

import inspect
import os
import warnings
from pathlib import Path

__all__ = ["warn_caller"]

_PACKAGE = f"{Path(__file__).parent}{os.sep}"


def warn_caller(message: str) -> None:
    """Warn of a call, at the line outside of this package that it came from."""
    frame, level = inspect.currentframe(), 1
    while frame is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
