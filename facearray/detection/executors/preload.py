"""What every worker process of our own cluster does first; Dask calls it by name."""

from __future__ import annotations

import signal

__all__ = ["dask_setup"]


def dask_setup(_worker: object) -> None:
    """Leave Ctrl-C, which a terminal sends to every process, to the client: it waits for the rows in work."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
