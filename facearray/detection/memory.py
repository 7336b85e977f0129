"""Memory for batches of frames that is used again."""

from __future__ import annotations

import weakref

import numpy as np
from numpy.typing import NDArray

__all__ = ["Memory"]


class Memory:
    """Memory for batches, taken anew once nobody has a batch: memory from the system is filled with zeros first.

    Parameters
    ----------
    n_bytes
        Of one batch.

    Examples
    --------
    >>> memory = Memory(8)
    >>> memory.take().shape
    (8,)
    """

    def __init__(self, n_bytes: int) -> None:
        self._n_bytes = n_bytes
        self._idle: list[NDArray[np.uint8]] = []

    def take(self) -> NDArray[np.uint8]:
        """Return bytes that nothing else refers to."""
        memory = self._idle.pop() if self._idle else np.empty(self._n_bytes, np.uint8)
        # Views refer to this array and not to the memory, since it is made of a buffer: it lives as long as any.
        given = np.frombuffer(memory.data, np.uint8)
        weakref.finalize(given, self._idle.append, memory).atexit = False
        return given
