"""Progress of a run, for people: one bar for the videos and one for the frames, of all workers together."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

__all__ = ["Progress"]


class Progress:
    """Bars on standard error while a run is going; nothing at all where there is no terminal or notebook.

    Parameters
    ----------
    n_frames
        Row → frames that its video is expected to have, 0 where that is not known, of the rows to compute.
    enabled
        Whether anything is shown.
    """

    def __init__(self, n_frames: Mapping[int, int], *, enabled: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        console = Console(stderr=True)
        visible = enabled and bool(n_frames) and (console.is_terminal or console.is_jupyter)
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=console,
            disable=not visible,
            transient=True,
        )
        self._expected = dict(n_frames)
        self._written: dict[int, int] = {}
        self._n_total, self._n_written = sum(n_frames.values()), 0
        self._videos = self._bars.add_task("videos", total=len(n_frames), rate="")
        self._frames = self._bars.add_task("frames", total=self._n_total or None, rate="")

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def frames(self, row: int, n_written: int) -> None:
        """Say how many frames of a row are written so far; fewer than before if it was begun again."""
        self._n_written += n_written - self._written.get(row, 0)
        self._written[row] = n_written
        self._show()

    def finish(self, row: int, n_frames: int) -> None:
        """Say that a row has ended, with how many frames."""
        self._n_total += n_frames - self._expected.pop(row, 0)
        self._n_written += n_frames - self._written.pop(row, 0)
        self._bars.advance(self._videos)
        self._show()

    def _show(self) -> None:
        seconds = self._bars.tasks[self._frames].elapsed
        rate = f"{self._n_written / seconds:.1f} frames/s" if seconds else ""
        total = max(self._n_total, self._n_written) or None
        self._bars.update(self._frames, completed=self._n_written, total=total, rate=rate)
