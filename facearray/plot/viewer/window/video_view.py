"""One video: its frames, time courses, and what was measured in the frame that is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import panel as pn

from facearray.plot.viewer.drawing import Cursor, clickable_courses
from facearray.plot.viewer.pictures import Pictures
from facearray.plot.viewer.recording import Recording
from facearray.plot.viewer.window.components import FOCUS, Player, Text, Values
from facearray.plot.viewer.window.tasks import run_in_thread

__all__ = ["VideoView"]

#: What the menu of intervals calls none.
_NONE = "none"

#: What the menu of features calls all.
_ALL = "all"

#: Groups that are shown first, where there are any.
_FIRST = ("aus", "emotions", "blendshapes")


class VideoView:
    """The player, and the time courses that it is linked to."""

    def __init__(self, pictures: Pictures) -> None:
        self._pictures = pictures
        self._recording: Recording | None = None
        self._row = -1
        self._asked = 0
        self._cursor = Cursor()
        self._heading = Text(text="Choose a video in the list.", heading=True)
        self._player = Player(visible=False)
        self._values = Values()
        self._group = pn.widgets.Select(label="Time courses of", options=[], stylesheets=[FOCUS], width=160)
        self._face = pn.widgets.Select(label="Face", options=[0], stylesheets=[FOCUS], width=80, visible=False)
        self._intervals = pn.widgets.Select(
            label="Intervals", options=[_NONE], stylesheets=[FOCUS], width=140, visible=False
        )
        self._courses = pn.Column(sizing_mode="stretch_width")
        self._problem = Text()
        self._feature = pn.widgets.Select(label="Feature", options=[_ALL], stylesheets=[FOCUS], width=160)
        self._group.param.watch(lambda _: self._offer_features(), "value")
        for widget in (self._feature, self._face, self._intervals):
            widget.param.watch(lambda _: self._draw(), "value")
        self._face.param.watch(self._choose_face, "value")
        # a frame is there sooner if time courses are drawn after it
        self._player.param.watch(lambda _: self._draw(), "drawn")
        self._player.param.watch(lambda _: self._show_values(), "position")
        self._menus = pn.FlexBox(self._group, self._feature, self._face, self._intervals, visible=False)
        self.root = pn.Column(
            self._heading,
            self._player,
            self._menus,
            self._problem,
            self._courses,
            self._values,
            sizing_mode="stretch_width",
        )

    def open(self, row: int) -> None:
        """Show a video."""
        self._row = row
        self._asked += 1
        asked = self._asked
        catalog = self._pictures.catalog

        def read() -> Recording:
            recording = catalog.recording(row)
            recording.ds  # noqa: B018  (read here, not where widgets are changed)
            return recording

        def done(recording: Recording) -> None:
            if asked == self._asked:
                self._take(recording)

        def failed(error: Exception) -> None:
            if asked == self._asked:
                self._take(None, f"{catalog.labels[row]} cannot be shown: {self._pictures.shown(error)}")

        run_in_thread(self._pictures.work_threads, read, done, failed)

    def renew(self) -> None:
        """Show the video as it is now, if it was not done before."""
        if self._row >= 0 and (self._recording is None or self._recording.status != "done"):
            self.open(self._row)

    def _take(self, recording: Recording | None, problem: str = "") -> None:
        self._recording, self._courses.objects = None, []
        self._problem.text = problem
        self._player.visible = self._menus.visible = recording is not None
        self._heading.text = recording.label if recording else self._pictures.catalog.labels[self._row]
        if recording is not None:
            groups = [name for name in recording.groups if name not in ("facebox",)] or list(recording.groups)
            chosen = self._group.value if self._group.value in groups else _preferred(groups)
            self._group.param.update(options=groups, value=chosen)
            n_faces = recording.ds.sizes["face"]
            self._face.param.update(options=list(range(n_faces)), value=0, visible=n_faces > 1)
            names = recording.interval_names
            self._intervals.param.update(
                options=[_NONE, *names], value=names[0] if names else _NONE, visible=bool(names)
            )
        self._recording = recording
        self._player.param.update(
            row=self._row,
            label=recording.label if recording else "",
            seconds=recording.seconds.tolist() if recording else [],
            source_width=recording.width if recording else 0,
            source_height=recording.height if recording else 0,
            message=_state(recording) if recording else problem,
            position=0,
            face=0 if recording and {"aus", "blendshapes"} & recording.groups.keys() else -1,
            revision=self._player.revision + 1,
        )
        self._offer_features()

    def _choose_face(self, event: Any) -> None:
        if self._player.face >= 0:
            self._player.face = event.new

    def _offer_features(self) -> None:
        if self._recording is None or self._group.value is None:
            return
        options = [_ALL, *self._recording.groups[self._group.value]]
        if self._feature.options == options:
            self._draw()
        else:
            # the watcher draws, if the value is another one
            value = self._feature.value if self._feature.value in options else _ALL
            changes = value != self._feature.value
            self._feature.param.update(options=options, value=value)
            if not changes:
                self._draw()

    @property
    def _names(self) -> list[str]:
        """Features that are shown."""
        if self._recording is None or self._group.value is None:
            return []
        names = self._recording.groups[self._group.value]
        return [self._feature.value] if self._feature.value in names else names

    def _draw(self) -> None:
        recording = self._recording
        self._show_values()
        if self._player.drawn != self._player.revision:
            return
        if recording is None or not recording.n_frames or not recording.has_times or self._group.value is None:
            self._courses.objects = []
            if recording is not None and recording.n_frames and not recording.has_times:
                self._problem.text = "Its frames have no times: read its file with fps= (--fps) to see time courses."
            return
        self._problem.text = ""
        intervals = None if self._intervals.value == _NONE else self._intervals.value
        ds = recording.ds.isel(face=[self._face.value])
        self._cursor.reset(float(recording.seconds[self._player.position]))
        panels = clickable_courses(ds, self._names, cursor=self._cursor, intervals=intervals)
        self._courses.objects = [
            pn.pane.HoloViews(panel, backend="bokeh", sizing_mode="stretch_width") for panel in panels
        ]

    def _show_values(self) -> None:
        recording, at = self._recording, self._player.position
        if recording is None or not 0 <= at < recording.n_frames or self._group.value is None:
            self._values.param.update(caption="", values=[])
            return
        values = recording.values_at(at, self._names, self._face.value)
        labels = recording.interval_at(at)
        self._values.param.update(
            caption=f"Frame {at + 1}, {recording.seconds[at]:.3f} s",
            values=[
                *([name, text] for name, text in labels.items()),
                *([name, f"{value:.3f}" if np.isfinite(value) else "-"] for name, value in values.items()),
            ],
        )


def _preferred(groups: list[str]) -> str:
    return next((name for name in _FIRST if name in groups), groups[0])


def _state(recording: Recording) -> str:
    """Say why a video is not, or not completely, there."""
    if recording.status == "failed":
        return f"This video failed: {recording.error}"
    if recording.status == "pending":
        return "This video has not been computed yet."
    return "" if recording.n_frames else "No frame of this video is stored."
