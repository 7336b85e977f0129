"""What became of a run: each of its videos, and who computed how much in which time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from facearray._secrets import mask_secrets
from facearray._words import counted
from facearray.detection.task import Outcome

__all__ = ["RunReport", "RunSummary", "Share", "Tally"]

#: Failed videos that the stored report names; all of them have their markers.
SHOWN_FAILURES = 1000

#: What this process is called among workers.
THIS_PROCESS = "this process"


@dataclass(slots=True)
class Share:
    """What one worker did: rows and frames computed, and seconds spent on them."""

    rows: int = 0
    frames: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class RunSummary:
    """A run in numbers.

    Attributes
    ----------
    started
        When it began to compute, ISO 8601 in UTC.
    seconds
        From then to its end.
    end
        ``"complete"``, ``"interrupted"``, or the error that ended it.
    n_done, n_failed
        Rows that it finished, and that failed.
    n_frames
        Frames that it stored.
    n_again
        Attempts at rows that were lost, with a worker or for lack of room, and made again.
    workers
        Address of each worker → its share.
    failures
        Label → reason, of the first 1000 that failed.
    """

    started: str
    seconds: float
    end: str
    n_done: int
    n_failed: int
    n_frames: int
    n_again: int
    workers: Mapping[str, Share]
    failures: Mapping[str, str]

    @property
    def frames_per_second(self) -> float | None:
        """Frames stored a second; None if there was nothing to compute."""
        return round(self.n_frames / self.seconds, 2) if self.seconds and self.workers else None

    @property
    def overhead(self) -> float | None:
        """Part of the workers' time that was not spent on rows; None if there was nothing to compute."""
        available = self.seconds * len(self.workers)
        busy = sum(share.seconds for share in self.workers.values())
        return round(1 - busy / available, 4) if available else None

    def to_dict(self) -> dict[str, Any]:
        """Return everything as JSON values."""
        return {**asdict(self), "frames_per_second": self.frames_per_second, "overhead": self.overhead}

    def sentences(self) -> list[str]:
        """Say it in a few lines; none if there was nothing to compute."""
        if not self.workers:
            return []
        rate = self.frames_per_second
        lines = [
            f"{counted(self.n_done, 'video')} done, {self.n_failed} failed: {counted(self.n_frames, 'frame')} in "
            f"{self.seconds:.1f} s"
            + ("" if rate is None else f" ({rate:.1f} frames/s)")
            + (f"; {counted(self.n_again, 'attempt')} made again" if self.n_again else "")
        ]
        if len(self.workers) > 1:
            total = sum(share.seconds for share in self.workers.values()) or 1
            lines += [
                f"  {worker}: {counted(share.rows, 'video')}, {counted(share.frames, 'frame')}, "
                f"{share.seconds / total:.0%} of the work"
                for worker, share in self.workers.items()
            ]
        return lines


@dataclass
class Tally:
    """Counts what comes out of a run.

    Attributes
    ----------
    labels
        Row → label of the rows to compute.
    """

    labels: Mapping[int, str]
    n_again: int = 0
    _started: float = field(default_factory=time.time)
    _shares: dict[str, Share] = field(default_factory=dict)
    _failures: dict[str, str] = field(default_factory=dict)
    _n_done: int = 0

    def add(self, outcome: Outcome) -> None:
        """Count a row."""
        share = self._shares.setdefault(outcome.worker or THIS_PROCESS, Share())
        share.seconds = round(share.seconds + outcome.seconds, 3)
        if outcome.status == "needs room":
            self.n_again += 1
            return
        share.rows += 1
        if outcome.status == "failed":
            self._failures[self.labels[outcome.row]] = mask_secrets(outcome.error)
        else:
            self._n_done += 1
            share.frames += outcome.n_frames

    def summary(self, end: str) -> RunSummary:
        """Sum up."""
        return RunSummary(
            started=datetime.fromtimestamp(self._started, UTC).isoformat(timespec="seconds"),
            seconds=round(time.time() - self._started, 3),
            end=end,
            n_done=self._n_done,
            n_failed=len(self._failures),
            n_frames=sum(share.frames for share in self._shares.values()),
            n_again=self.n_again,
            workers=dict(sorted(self._shares.items())),
            failures=dict(islice(self._failures.items(), SHOWN_FAILURES)),
        )


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of the videos that a run was asked for.

    Attributes
    ----------
    records
        Label of each video → its record: ``status`` ("done", "failed", of a part also "pending"), ``n_frames``,
        ``n_faces_found``, ``seconds``, ``error`` and so on.
    computed
        Labels of those that this run computed; the others were finished before, or are other parts' rows.
    missing
        Label → reason, of videos that are done although what was asked for under their label does not exist.
    summary
        The run in numbers.
    """

    records: Mapping[str, Mapping[str, Any]]
    computed: frozenset[str]
    missing: Mapping[str, str]
    summary: RunSummary

    @property
    def failures(self) -> dict[str, str]:
        """Label → reason, of every video that is not done, or done from a file that is not there now."""
        failed = {label: record["error"] for label, record in self.records.items() if record["status"] != "done"}
        return failed | dict(self.missing)

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a video, for tables: what it is called, how it ended, what was found, how fast."""
        return [
            {
                "video": label,
                "status": record["status"],
                "n_frames": record.get("n_frames", 0),
                "n_faces_found": record.get("n_faces_found", 0),
                "seconds": record.get("seconds"),
                "computed": label in self.computed,
            }
            for label, record in self.records.items()
        ]
