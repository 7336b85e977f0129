"""Arrays that wait for something that is known only at the end: in memory while they are few, then on disk."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from facearray.errors import StoreError

__all__ = ["Spool"]

#: Bytes that are kept in memory.
MAX_MEMORY = 64 * 2**20


class Spool:
    """Takes groups of arrays and gives them back in their order; a context manager.

    What does not fit memory goes to a file in the folder for temporary files (the environment variable ``TMPDIR``),
    which nobody else can read and which is gone when this process is.

    Raises
    ------
    StoreError
        If that folder has no room.

    Examples
    --------
    >>> with Spool() as spool:
    ...     spool.add(np.arange(3), None)
    ...     list(spool)
    [(array([0, 1, 2]), None)]
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=MAX_MEMORY, prefix="facearray-")  # noqa: SIM115
        self._are_there: list[tuple[bool, ...]] = []

    def add(self, *arrays: NDArray[Any] | None) -> None:
        """Put a group of arrays, some of which may be None, behind the others."""
        with _named_errors():
            for array in arrays:
                if array is not None:
                    np.save(self._file, array, allow_pickle=False)
        self._are_there.append(tuple(array is not None for array in arrays))

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Give the groups back, from the first on."""
        self._file.seek(0)
        for are_there in self._are_there:
            with _named_errors():
                group = tuple(np.load(self._file, allow_pickle=False) if is_there else None for is_there in are_there)
            yield group

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{tempfile.gettempdir()}: the folder for temporary files failed ({error.strerror or error}); expected "
            "room for what is found in one video; set the environment variable TMPDIR to another folder"
        ) from error
