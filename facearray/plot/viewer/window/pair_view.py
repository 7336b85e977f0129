"""Correlations between the videos of a search, and the time courses of the two of a pair."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import panel as pn
import xarray as xr
from numpy.typing import NDArray

from facearray.combine import concat
from facearray.plot.viewer.comparing import Sample, pair_correlations
from facearray.plot.viewer.drawing import clickable_courses, clickable_matrix
from facearray.plot.viewer.pictures import Pictures
from facearray.plot.viewer.window.components import FOCUS, Text
from facearray.plot.viewer.window.tasks import run_in_thread

__all__ = ["PairView"]


class PairView:
    """A matrix of correlations; a cell, or two menus, choose the pair below it."""

    def __init__(
        self, pictures: Pictures, rows: Callable[[], NDArray[np.intp]], open_video: Callable[[int], None]
    ) -> None:
        self._pictures, self._rows, self._open = pictures, rows, open_video
        features = [str(name) for name in pictures.catalog.ds["feature"].to_numpy().tolist()]
        preferred = next(
            (name for name in ("AU12", "happiness") if name in features), features[0] if features else None
        )
        self._feature = pn.widgets.Select(
            label="Feature", options=features, value=preferred, stylesheets=[FOCUS], width=180
        )
        ask = pn.widgets.Button(label="Correlate the search", stylesheets=[FOCUS], align="end")
        ask.on_click(lambda _: self._ask())
        self._said = Text(text="Correlations of time courses between the videos of the search, computed when you ask.")
        self._matrix = pn.Column(sizing_mode="stretch_width")
        self._one, self._other = (
            pn.widgets.Select(label=name, options={}, stylesheets=[FOCUS], width=220) for name in ("Pair", "and")
        )
        self._open_one, self._open_other = (
            pn.widgets.Button(label=name, stylesheets=[FOCUS], align="end")
            for name in ("Open the first", "Open the second")
        )
        self._open_one.on_click(lambda _: self._open(self._one.value))
        self._open_other.on_click(lambda _: self._open(self._other.value))
        self._about = Text()
        self._courses = pn.Column(sizing_mode="stretch_width")
        self._pair = pn.Column(
            pn.FlexBox(self._one, self._other, self._open_one, self._open_other, align_items="end"),
            self._about,
            self._courses,
            sizing_mode="stretch_width",
            visible=False,
        )
        self._result: xr.Dataset | None = None
        self._chosen = np.empty(0, np.intp)
        self._quiet = False
        for menu in (self._one, self._other):
            menu.param.watch(lambda _: self._show_pair(), "value")
        self.root = pn.Column(
            pn.FlexBox(self._feature, ask, align_items="end"),
            self._said,
            self._matrix,
            self._pair,
            sizing_mode="stretch_width",
        )

    def _ask(self) -> None:
        feature, rows, catalog = self._feature.value, self._rows(), self._pictures.catalog
        self._said.text, self._matrix.objects, self._pair.visible = "Reading …", [], False
        run_in_thread(
            self._pictures.work_threads,
            lambda: pair_correlations(catalog, rows, feature),
            lambda found: self._show(*found),
            self._failed,
        )

    def _show(self, result: xr.Dataset, chosen: Sample) -> None:
        self._result, self._chosen = result, chosen.rows
        self._said.text = f"{chosen.sentence()} Choose a cell, or two videos below, to see their time courses."
        drawn = clickable_matrix(result, self._choose)
        self._matrix.objects = [pn.pane.HoloViews(drawn, backend="bokeh", sizing_mode="stretch_width")]
        labels = [str(label) for label in result["video"].to_numpy().tolist()]
        options = dict(zip(labels, chosen.rows.tolist(), strict=True))
        self._quiet = True
        self._one.param.update(options=options, value=int(chosen.rows[0]))
        self._other.param.update(options=options, value=int(chosen.rows[1]))
        self._quiet = False
        self._pair.visible = True
        self._show_pair()

    def _choose(self, one: int, other: int) -> None:
        self._quiet = True
        self._one.value, self._other.value = int(self._chosen[one]), int(self._chosen[other])
        self._quiet = False
        self._show_pair()

    def _show_pair(self) -> None:
        if self._quiet or self._result is None:
            return
        one, other, catalog = self._one.value, self._other.value, self._pictures.catalog
        feature = str(self._result["feature"].item()) if "feature" in self._result.coords else self._feature.value

        def read() -> xr.Dataset:
            rows = list(dict.fromkeys((one, other)))
            parts = [catalog.recording(row) for row in rows]
            return concat([part.ds[["features"]].isel(face=[0]).drop_vars(part.interval_names) for part in parts])

        def done(ds: xr.Dataset) -> None:
            if (one, other) == (self._one.value, self._other.value):
                panels = clickable_courses(ds, [feature], lines="video")
                self._courses.objects = [
                    pn.pane.HoloViews(panel, backend="bokeh", sizing_mode="stretch_width") for panel in panels
                ]

        places = [int(np.flatnonzero(self._chosen == row)[0]) for row in (one, other)]
        pair = self._result.isel(video=places[0], video_other=places[1])
        self._about.text = (
            f"{feature} of {catalog.labels[one]} and {catalog.labels[other]}: r = {float(pair['r']):.3f} "
            f"of {int(pair['n'])} shared times"
        )
        self._courses.objects = []
        run_in_thread(self._pictures.work_threads, read, done, self._failed)

    def _failed(self, error: Exception) -> None:
        self._said.text = f"The search cannot be correlated: {self._pictures.shown(error)}"
