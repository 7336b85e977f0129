"""Claims: which of several attempts at a row, on workers that may be lost and come back, may write it."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass

from facearray.errors import LeaseError
from facearray.io.journal import ROWS_PER_PART, Journal

__all__ = ["Claim", "ClaimLostError", "count_attempts", "drop_claim", "take_claim"]


class ClaimLostError(LeaseError):
    """Another attempt at the row was started since, and writes it now."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right of one attempt to write a row. Made by :func:`take_claim`.

    A worker that was paused, or cut off, is given up after a while and its row is computed by another. When it comes
    back it must neither write nor delete: it finds the other's claim.

    Attributes
    ----------
    journal
        The store's journal.
    row
        Position of the video.
    token
        Different for every attempt.
    attempt
        How many attempts the run has made at the row, this one included.
    """

    journal: Journal
    row: int
    token: str
    attempt: int

    def check(self) -> None:
        """Make sure that no other attempt has begun; call it before every commit.

        Raises
        ------
        ClaimLostError
            If one has.
        """
        if _read(self.journal, self.row).get("token") != self.token:
            raise ClaimLostError(f"row {self.row}: found the claim of another attempt; this one ends here")


def take_claim(journal: Journal, row: int, *, run: str) -> Claim:
    """Claim a row, whoever had it.

    Parameters
    ----------
    journal
        The store's journal.
    row
        Position of the video.
    run
        Token of the run: attempts of earlier runs do not count.
    """
    claim = Claim(journal, row, uuid.uuid4().hex, count_attempts(journal, row, run=run) + 1)
    content = {"token": claim.token, "run": run, "attempt": claim.attempt}
    journal.folder.write(_name(row), json.dumps(content).encode())
    return claim


def count_attempts(journal: Journal, row: int, *, run: str) -> int:
    """Count the attempts that a run has made at a row since it was last done, failed or put back."""
    found = _read(journal, row)
    attempt = found.get("attempt")
    return attempt if found.get("run") == run and isinstance(attempt, int) else 0


def drop_claim(journal: Journal, row: int) -> None:
    """Forget who claimed a row, once it is done, failed or put back."""
    journal.folder.remove([_name(row)])


def _name(row: int) -> str:
    return f"claim/{row // ROWS_PER_PART}/{row}.json"


def _read(journal: Journal, row: int) -> dict[str, object]:
    try:
        content = json.loads(journal.folder.read(_name(row)))
    except (FileNotFoundError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
