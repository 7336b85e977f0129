"""The workers of a cluster: how many there are, and the end of one that is stuck."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["Slots", "restart"]

logger = logging.getLogger(__name__)

#: Seconds between two looks at the workers, for each 50 of them.
LOOK_EVERY = 1.0

#: Seconds without a worker between two warnings.
WARN_EVERY = 60.0

#: Seconds to wait for a worker to come back.
RESTART_TIMEOUT = 30.0


class Slots:
    """How many rows a cluster can compute at once.

    Parameters
    ----------
    client
        Of the cluster.
    """

    def __init__(self, client: Client) -> None:
        self._client = client
        self._looked = self._warned = -WARN_EVERY
        self._n_workers = self._threads = self._gpus = 0

    @property
    def have_gpus(self) -> bool:
        """Whether there are workers that say so; then rows are for them only."""
        return self._gpus > 0

    def count(self) -> int:
        """Rows, by threads or, where there are any, by GPUs; as of the last look."""
        return self._gpus or self._threads

    def refresh(self) -> None:
        """Look at the workers, if the last look is not recent, and say so if there are none."""
        now = time.monotonic()
        if now - self._looked < LOOK_EVERY * max(1, self._n_workers // 50):
            return
        self._looked = now
        try:
            workers = self._client.scheduler_info(n_workers=-1)["workers"].values()
        except TypeError:  # versions that always give all of them
            workers = self._client.scheduler_info()["workers"].values()
        self._n_workers = len(workers)
        self._threads = sum(worker["nthreads"] for worker in workers)
        self._gpus = int(sum(worker.get("resources", {}).get("GPU", 0) for worker in workers))
        if self.count():
            self._warned = now
        elif now - self._warned >= WARN_EVERY:
            self._warned = now
            logger.warning("the cluster has no workers; waiting for some")


def restart(client: Client, worker: str) -> None:
    """Restart a worker; one that nobody watches over is asked to close."""
    try:
        client.restart_workers([worker], timeout=RESTART_TIMEOUT, raise_for_error=False)
    except (ValueError, KeyError):
        with suppress(KeyError):
            client.retire_workers([worker], close_workers=True)
