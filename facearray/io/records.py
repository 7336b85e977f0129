"""What a journal says about rows: their states, and what is known about each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.io.columns import RowTable

__all__ = ["Records", "States"]


class States(Mapping[int, str]):
    """``"done"`` or ``"failed"`` by row; rows that are neither are not in it.

    Attributes
    ----------
    problems
        A sentence for every file of the journal that is not what it should be.
    """

    def __init__(self, states: Mapping[int, str], problems: Iterable[str]) -> None:
        self._states = states
        self.problems = tuple(problems)

    def __getitem__(self, row: int) -> str:
        return self._states[row]

    def __iter__(self) -> Iterator[int]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)


class Records(Mapping[int, Mapping[str, Any]]):
    """What is known about every done or failed row: ``status`` and what its marker holds.

    Attributes
    ----------
    problems
        A sentence for every file of the journal that cannot be used.
    """

    def __init__(
        self,
        tables: Iterable[RowTable],
        problems: Iterable[str] = (),
        *,
        planned: NDArray[np.int64] | None = None,
        unreadable: Iterable[int] = (),
        lost_table: bool = False,
    ) -> None:
        self._tables = tuple(tables)
        self.problems = tuple(problems)
        self._planned = np.array([], dtype=np.int64) if planned is None else planned
        self._unreadable = frozenset(unreadable)
        self._lost_table = lost_table

    @cached_property
    def _where(self) -> dict[int, tuple[int, int]]:
        return {row: (t, i) for t, table in enumerate(self._tables) for i, row in enumerate(table.row.tolist())}

    def __getitem__(self, row: int) -> Mapping[str, Any]:
        table, i = self._where[row]
        return self._tables[table].record(i)

    def __iter__(self) -> Iterator[int]:
        return iter(self._where)

    def __len__(self) -> int:
        return len(self._where)

    def noted_rows(self, n_rows: int) -> NDArray[np.intp]:
        """Rows of a store of so many that were noted, and of which the journal says what became, be it nothing yet.

        Those whose marker cannot be read are left out.
        """
        is_noted = np.zeros(n_rows, dtype=bool)
        is_noted[self._planned[(self._planned >= 0) & (self._planned < n_rows)]] = True
        noted = np.flatnonzero(is_noted)
        if not (self._lost_table or self._unreadable):
            return noted
        known = np.isin(noted, np.concatenate([[], *(table.row for table in self._tables)]))
        return noted[known if self._lost_table else known | ~np.isin(noted, list(self._unreadable))]

    def overlay(self, name: str, values: NDArray[Any]) -> None:
        """Put what the records say about a per-video coordinate into an array over all rows."""
        for table in self._tables:
            values[table.place] = table.column(name)
