"""The page: what one browser window shows. Made anew for every window; what is read is shared."""

from __future__ import annotations

from typing import Any

import panel as pn

from facearray.plot import _style
from facearray.plot.viewer.catalog import ORDERS, STATES
from facearray.plot.viewer.pictures import Pictures
from facearray.plot.viewer.window.components import FOCUS, Text, VideoList
from facearray.plot.viewer.window.group_view import GroupView
from facearray.plot.viewer.window.pair_view import PairView
from facearray.plot.viewer.window.tasks import run_in_thread
from facearray.plot.viewer.window.video_view import VideoView

__all__ = ["page"]

#: Videos on one page of the list.
PER_PAGE = 20

#: Milliseconds between looks at whether the store has been opened anew.
_LOOK = 2000

_VIEWS = ("Video", "Groups", "Correlations")

_LAYOUT = """
:host { display: flex; flex-direction: row; flex-wrap: nowrap; gap: 20px; width: 100%; }
@media (max-width: 900px) { :host { flex-direction: column; } }
"""
_SIDE = ":host { flex: 0 0 340px; min-width: 0; } @media (max-width: 900px) { :host { flex: none; width: 100%; } }"
_MAIN = ":host { flex: 1 1 0; min-width: 0; } @media (max-width: 900px) { :host { flex: none; width: 100%; } }"
_GROUND = (
    ":host { display: block; padding: 12px; max-width: 1700px; margin: 0 auto; box-sizing: border-box; width: 100%; }"
)


def page(pictures: Pictures) -> Any:
    """Make the page of one window."""
    return Page(pictures).root


class Page:
    """The list of videos at the side, and one of the views beside it."""

    def __init__(self, pictures: Pictures) -> None:
        _style.load_backends()
        self._pictures = pictures
        self._catalog = pictures.catalog
        self._seen = self._catalog.version
        self._rows = self._catalog.search()
        self._videos = VideoList(states=list(STATES), orders=list(ORDERS))
        self._about = Text()
        self._video = VideoView(pictures)
        self._groups = GroupView(pictures, lambda: self._rows)
        self._pairs = PairView(pictures, lambda: self._rows, self._open)
        self._views: dict[str, Any] = dict(zip(_VIEWS, (self._video, self._groups, self._pairs), strict=True))
        refresh = pn.widgets.Button(label="Refresh", stylesheets=[FOCUS, ":host { flex: none; width: auto; }"])
        refresh.on_click(self._refresh)
        self._choice = pn.widgets.RadioButtonGroup(options=list(_VIEWS), value=_VIEWS[0], stylesheets=[FOCUS])
        self._choice.param.watch(lambda _: self._show_view(), "value")
        shown = [self._choice, *(view.root for view in self._views.values())]
        self._main = pn.Column(*shown, sizing_mode="stretch_width", stylesheets=[_MAIN])
        side = pn.Column(self._videos, sizing_mode="stretch_width", stylesheets=[_SIDE])
        self.root = pn.Column(
            pn.Row(
                pn.Column(self._about, stylesheets=[":host { flex: 1 1 0; min-width: 0; }"]),
                refresh,
                sizing_mode="stretch_width",
            ),
            pn.Row(side, self._main, sizing_mode="stretch_width", stylesheets=[_LAYOUT]),
            sizing_mode="stretch_width",
            stylesheets=[_GROUND],
        )
        self._videos.param.watch(lambda _: self._search(), ["query", "state", "order"])
        self._videos.param.watch(lambda _: self._show_page(), "page")
        self._videos.param.watch(self._chosen, "chosen")
        self._show_view()
        self._search()
        pn.state.onload(self._loaded)

    def _loaded(self) -> None:
        pn.state.add_periodic_callback(self._look, period=_LOOK)
        self._rate()

    def _search(self) -> None:
        videos = self._videos
        self._rows = self._catalog.search(videos.query, state=videos.state, order=videos.order)
        videos.pages = max(1, -(-len(self._rows) // PER_PAGE))
        if videos.page:
            videos.page = 0
        else:
            self._show_page()

    def _show_page(self) -> None:
        videos, catalog = self._videos, self._catalog
        videos.page = min(max(0, videos.page), videos.pages - 1)
        rows = self._rows[videos.page * PER_PAGE : (videos.page + 1) * PER_PAGE].tolist()
        said = "No video in the store." if not catalog.labels else "No video is called so."
        if len(self._rows):
            first = videos.page * PER_PAGE + 1
            said = f"{first:,} to {first + len(rows) - 1:,} of {len(self._rows):,} videos"
        videos.param.update(entries=catalog.entries(rows), said=said)
        self._about.text = f"{catalog.name} · {catalog.sentence()}"
        self._rate()

    def _rate(self) -> None:
        """Add how well faces were found, which has to be read, when the list is there already."""
        rows = [entry["row"] for entry in self._videos.entries]

        def done(rates: dict[int, float]) -> None:
            self._videos.rates = {str(row): rate for row, rate in rates.items() if rate == rate}

        run_in_thread(self._pictures.work_threads, lambda: self._catalog.detection_rates(rows), done, self._failed)

    def _chosen(self, event: Any) -> None:
        if event.new >= 0:
            self._choice.value = _VIEWS[0]
            self._video.open(event.new)

    def _open(self, row: int) -> None:
        self._videos.chosen = row

    def _show_view(self) -> None:
        for name, view in self._views.items():
            view.root.visible = name == self._choice.value

    def _refresh(self, _: Any) -> None:
        run_in_thread(self._pictures.work_threads, self._catalog.refresh, lambda _: self._look(), self._failed)

    def _failed(self, error: Exception) -> None:
        self._about.text = f"{self._catalog.name} · {self._pictures.shown(error)}"

    def _look(self) -> None:
        """Show what is different since the store was opened anew."""
        if self._seen != self._catalog.version:
            self._seen = self._catalog.version
            self._rows = self._catalog.search(self._videos.query, state=self._videos.state, order=self._videos.order)
            self._videos.pages = max(1, -(-len(self._rows) // PER_PAGE))
            self._show_page()
            self._video.renew()
