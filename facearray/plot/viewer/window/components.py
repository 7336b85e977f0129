"""Parts of the page that Panel has no widget for. Loaded only where a page is made: Panel's classes come with Bokeh."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import param
from panel.custom import JSComponent

from facearray.plot.viewer.recording import BLOCK

__all__ = ["FOCUS", "Player", "Text", "Values", "VideoList"]

_HERE = Path(__file__).parent
_STYLE = [(_HERE / "style.css").read_text(encoding="utf-8")]

#: Of Panel's own widgets.
FOCUS = """
:is(.bk-btn, select, input):focus-visible { outline: 3px solid #0072b2 !important; outline-offset: 2px; }
"""


class _Part(JSComponent):
    """As wide as there is room, and as high as it is."""

    sizing_mode: Any = param.Selector(default="stretch_width", objects=["stretch_width"])

    _stylesheets: ClassVar[list[Any]] = _STYLE


class VideoList(_Part):
    """Search, and a page of videos to choose from."""

    query = param.String("")
    state = param.String("all")
    order = param.String("as stored")
    states = param.List([])
    orders = param.List([])
    entries = param.List([])
    rates = param.Dict({})
    said = param.String("")
    page = param.Integer(0)
    pages = param.Integer(1)
    chosen = param.Integer(-1)

    _esm = _HERE / "videos.js"


class Player(_Part):
    """The frames of a video with what was found in them.

    `revision` is raised when another video is set, and `drawn` becomes it when the video's first frame is there.
    """

    row = param.Integer(-1)
    label = param.String("")
    seconds = param.List([])
    source_width = param.Integer(0)
    source_height = param.Integer(0)
    message = param.String("")
    position = param.Integer(0)
    block = param.Integer(BLOCK)
    face = param.Integer(-1, doc="Slot of the face that is drawn; -1 for none.")
    revision = param.Integer(0)
    drawn = param.Integer(0)

    _esm = _HERE / "player.js"


class Values(_Part):
    """A table of names and texts."""

    caption = param.String("")
    values = param.List([])

    _esm = _HERE / "values.js"


class Text(_Part):
    """A paragraph of a text, never read as markup; a `heading` is one."""

    text = param.String("")
    heading = param.Boolean(False)

    _esm = """
    export function render({model}) {
      const made = document.createElement(model.heading ? "h1" : "p")
      if (!model.heading) made.setAttribute("role", "status")
      const draw = () => { made.textContent = model.text; made.hidden = !model.text }
      model.on("text", draw)
      draw()
      return made
    }
    """
