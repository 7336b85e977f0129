"""Progress of a run, for people: one bar for the videos and one for the frames of the current one."""

from __future__ import annotations

from types import TracebackType
from typing import Self

__all__ = ["Progress"]


class Progress:
    """Bars on standard error while a run is going; nothing at all where there is no terminal or notebook.

    Parameters
    ----------
    n_videos
        Videos to compute.
    enabled
        Whether anything is shown.
    """

    def __init__(self, n_videos: int, *, enabled: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        console = Console(stderr=True)
        visible = enabled and n_videos > 0 and (console.is_terminal or console.is_jupyter)
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
        self._videos = self._bars.add_task("videos", total=n_videos, rate="")
        self._frames = self._bars.add_task("frames", total=None, rate="", visible=False)

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def start(self, label: str, n_frames: int) -> None:
        """Show the bar of a video with this many frames (0: unknown)."""
        self._bars.reset(self._frames, description=label, total=n_frames or None, rate="", visible=True)

    def advance(self, n_frames: int) -> None:
        """Count frames of the current video."""
        self._bars.advance(self._frames, n_frames)
        task = self._bars.tasks[self._frames]
        self._bars.update(self._frames, rate=f"{task.completed / task.elapsed:.1f} frames/s" if task.elapsed else "")

    def finish(self) -> None:
        """Count the current video."""
        self._bars.advance(self._videos)
