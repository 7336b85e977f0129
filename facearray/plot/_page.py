"""Pages that ask for nothing over a network: Bokeh's script, pictures as its JSON, and menus to choose among them."""

from __future__ import annotations

import html
import itertools
import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from facearray.errors import InputError
from facearray.plot import _style

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["bokeh_item", "choice", "json_script", "menus", "page", "picture_page", "plot"]

#: Most pictures of one page with menus, each of which is a copy of its own.
MAX_CHOICES = 200

#: Pixels below which a picture is scrolled and not made narrower.
MIN_WIDTH = 480


def page(title: str, body: str) -> str:
    """Make a page of its title, a text, and its body, which is HTML."""
    template = Path(__file__).with_name("page_template.html").read_text(encoding="utf-8")
    return Template(template).substitute(title=html.escape(title), bokeh=_bokeh_script(), body=body)


def bokeh_item(picture: hv.Dimensioned) -> dict[str, Any]:
    """Make Bokeh's JSON of a picture that fits the width of its page."""
    import holoviews as hv
    from bokeh.embed import json_item
    from bokeh.models import GridPlot, Plot

    model = hv.render(picture, backend="bokeh")
    for figure in model.select({"type": Plot}):
        if figure.width:
            figure.update(sizing_mode="stretch_width", min_width=min(figure.width, MIN_WIDTH), max_width=figure.width)
    if isinstance(model, GridPlot):
        model.sizing_mode = "stretch_width"
    return dict(json_item(model))


def plot(name: str, picture: hv.Dimensioned) -> str:
    """Place a picture that is drawn when it comes into view."""
    item = bokeh_item(picture)
    return f'<div class="plot" style="min-height: 200px" data-item="{name}"></div>{json_script(name, item)}'


def choice(
    name: str, options: Sequence[tuple[str, Sequence[str]]], chosen: int, items: Iterable[tuple[str, Any]]
) -> str:
    """Place menus, and below them what is chosen.

    Parameters
    ----------
    name
        Letters and digits, unique on the page.
    options
        Title and entries of each menu.
    chosen
        Entry of the first menu that is chosen in the beginning.
    items
        Positions of the entries, joined with ``-``, and what to show for them: a ``text`` and ``plots``, each with a
        ``heading`` and an ``item``.
    """
    selects = "".join(
        f"<label>{html.escape(title)} <select>{_options(entries, chosen if i == 0 else 0)}</select></label> "
        for i, (title, entries) in enumerate(options)
    )
    scripts = "\n".join(json_script(f"{name}-{key}", item) for key, item in items)
    said = '<span class="said"></span>'
    return f'<div data-choice="{name}"><p>{selects}{said}</p><div class="plot shown"></div></div>\n{scripts}'


def _options(entries: Sequence[str], chosen: int) -> str:
    return "".join(
        f'<option value="{i}"{" selected" * (i == chosen)}>{html.escape(entry)}</option>'
        for i, entry in enumerate(entries)
    )


def json_script(name: str, item: Any) -> str:
    """Put an item where the page finds it; nothing inside can end the element."""
    text = json.dumps(item, ensure_ascii=False, allow_nan=False, separators=(",", ":")).replace("<", "\\u003c")
    return f'<script type="application/json" id="{name}">{text}</script>'


def picture_page(picture: hv.Dimensioned, title: str) -> str:
    """Make a page of one picture, with menus where it shows one of several at a time.

    Raises
    ------
    InputError
        If there is more to choose from than a page can hold.
    """
    heading = f"<h1>{html.escape(title)}</h1>"
    several = menus(picture)
    if not several:
        return page(title, heading + plot("picture", still(picture, {})))
    n = 1
    for entries in several.values():
        n *= len(entries)
    if n > MAX_CHOICES:
        raise InputError(
            f"found {n} pictures in menus of {' and '.join(several)}; expected at most {MAX_CHOICES} on a page: select "
            "some before drawing, or write a report"
        )
    options = [(dim, [str(entry) for entry in entries]) for dim, entries in several.items()]
    return page(title, heading + choice("picture", options, 0, _items(picture, several)))


def _items(picture: hv.Dimensioned, several: dict[str, list[Any]]) -> Iterator[tuple[str, Any]]:
    for places in itertools.product(*(range(len(entries)) for entries in several.values())):
        key = {dim: entries[i] for (dim, entries), i in zip(several.items(), places, strict=True)}
        shown = {"text": "", "plots": [{"heading": "", "item": bokeh_item(still(picture, key))}]}
        yield "-".join(map(str, places)), shown


def menus(picture: hv.Dimensioned) -> dict[str, list[Any]]:
    """Dims that a picture shows one value of at a time, and their values."""
    import holoviews as hv

    found: dict[str, list[Any]] = {}
    for one in picture.traverse(lambda inner: inner, [hv.HoloMap]):
        for i, dimension in enumerate(one.kdims):
            values = list(dimension.values) or list(dict.fromkeys(key[i] for key in one.data))
            found.setdefault(dimension.name, values)
    return {name: values for name, values in found.items() if len(values) > 1}


def still(picture: hv.Dimensioned, key: dict[str, Any]) -> hv.Dimensioned:
    """Replace what is drawn on demand by what it draws for the chosen values."""
    import holoviews as hv

    def drawn(one: hv.HoloMap) -> hv.Dimensioned:
        values = {dimension.name: list(dimension.values) for dimension in one.kdims}
        return one[tuple(key.get(name, values[name][:1] and values[name][0]) for name in values)]

    if isinstance(picture, hv.HoloMap):
        return drawn(picture)
    if isinstance(picture, hv.Layout):
        parts = [still(part, key) for part in picture]
        if any(new is not old for new, old in zip(parts, picture, strict=True)):
            return _style.column(parts, cols=picture._max_cols)
    return picture


def _bokeh_script() -> str:
    # Not from bokeh.resources: once Panel is imported, that names scripts of Panel's outside of the page.
    from bokeh.util.paths import bokehjs_path

    script = (bokehjs_path() / "js" / "bokeh.min.js").read_text(encoding="utf-8")
    return "<script>" + script.replace("</script", "<\\/script") + "</script>"
