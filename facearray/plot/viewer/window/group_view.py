"""Means of the videos of a search, in groups."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import panel as pn
import xarray as xr
from numpy.typing import NDArray

from facearray.plot.bars import bars
from facearray.plot.viewer.comparing import EVERYTHING, Sample, group_means, grouping_names
from facearray.plot.viewer.drawing import fit
from facearray.plot.viewer.pictures import Pictures
from facearray.plot.viewer.window.components import FOCUS, Text
from facearray.plot.viewer.window.tasks import run_in_thread

__all__ = ["GroupView"]


class GroupView:
    """A choice of groups and features, and bars when they were asked for."""

    def __init__(self, pictures: Pictures, rows: Callable[[], NDArray[np.intp]]) -> None:
        self._pictures, self._rows = pictures, rows
        ds = pictures.catalog.ds
        groups = list(dict.fromkeys(str(group) for group in ds["group"].to_numpy().tolist()))
        preferred = next((name for name in ("aus", "emotions") if name in groups), groups[0] if groups else None)
        self._by = pn.widgets.Select(
            label="Groups", options=[*grouping_names(ds), EVERYTHING], stylesheets=[FOCUS], width=180
        )
        self._features = pn.widgets.Select(
            label="Features", options=groups, value=preferred, stylesheets=[FOCUS], width=160
        )
        ask = pn.widgets.Button(label="Summarize the search", stylesheets=[FOCUS], align="end")
        ask.on_click(lambda _: self._ask())
        self._said = Text(text="Means over the videos of the search at the side, read when you ask for them.")
        self._picture = pn.Column(sizing_mode="stretch_width")
        self.root = pn.Column(
            pn.FlexBox(self._by, self._features, ask, align_items="end"),
            self._said,
            self._picture,
            sizing_mode="stretch_width",
        )

    def _ask(self) -> None:
        by, features, rows, catalog = self._by.value, self._features.value, self._rows(), self._pictures.catalog
        self._said.text, self._picture.objects = "Reading …", []
        run_in_thread(
            self._pictures.work_threads,
            lambda: group_means(catalog, rows, by, features),
            lambda found: self._show(*found, features),
            self._failed,
        )

    def _show(self, result: xr.Dataset, chosen: Sample, features: str) -> None:
        self._said.text = f"Mean ± standard error over videos: {chosen.sentence()}"
        drawn = fit(bars(result, error="sem", title=features))
        self._picture.objects = [pn.pane.HoloViews(drawn, backend="bokeh", sizing_mode="stretch_width")]

    def _failed(self, error: Exception) -> None:
        self._said.text = f"The search cannot be summarized: {self._pictures.shown(error)}"
