"""Parts of a report: a heading, and below it texts, tables and pictures."""

from __future__ import annotations

import html
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from facearray.errors import FaceArrayError
from facearray.plot._page import plot

if TYPE_CHECKING:
    import holoviews as hv

__all__ = [
    "details",
    "is_computed",
    "listing",
    "note",
    "paragraph",
    "picture",
    "section",
    "table",
    "unless_impossible",
]

#: Entries of a list that are written out.
MAX_LISTED = 50

_IMPOSSIBLE = "cannot be computed of these data"


def section(heading: str, *parts: str) -> str:
    """Put parts, which are HTML, below a heading; nothing where there are no parts."""
    body = "\n".join(part for part in parts if part)
    return f"<h2>{html.escape(heading)}</h2>\n{body}" if body else ""


def paragraph(text: str) -> str:
    """Make a paragraph of every line of a text."""
    return "\n".join(f"<p>{html.escape(line)}</p>" for line in text.splitlines() if line)


def note(text: str) -> str:
    """Make a small paragraph."""
    return f'<p class="note">{html.escape(text)}</p>'


def listing(items: Iterable[str]) -> str:
    """Make a list; of a long one, its beginning and how many there are."""
    texts = list(items)
    rows = "".join(f"<li>{html.escape(text)}</li>" for text in texts[:MAX_LISTED])
    more = f"<li>and {len(texts) - MAX_LISTED} more</li>" if len(texts) > MAX_LISTED else ""
    return f"<ul>{rows}{more}</ul>" if texts else ""


def details(summary: str, body: str) -> str:
    """Fold a part away."""
    return f"<details><summary>{html.escape(summary)}</summary>{body}</details>" if body else ""


def table(
    frame: pd.DataFrame, texts: Iterable[str] = (), formatters: dict[str, Callable[[Any], str]] | None = None
) -> str:
    """Make a table that scrolls; columns of `texts` are aligned to the left."""
    left = set(texts)
    head = "".join(f"<th{_left(name in left)}>{html.escape(str(name))}</th>" for name in frame.columns)
    write = {name: (formatters or {}).get(str(name), str) for name in frame.columns}
    rows = []
    for row in frame.itertuples(index=False, name=None):
        cells = zip(frame.columns, row, strict=True)
        texts_of_row = (
            f"<td{_left(name in left)}>{'-' if pd.isna(value) else html.escape(write[name](value))}</td>"
            for name, value in cells
        )
        rows.append(f"<tr>{''.join(texts_of_row)}</tr>")
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def _left(is_text: bool) -> str:
    return ' class="text"' if is_text else ""


def picture(name: str, drawn: hv.Dimensioned) -> str:
    """Place a picture."""
    return plot(name, drawn)


def unless_impossible(what: str, make: Callable[[], str]) -> str:
    """Make a part, or say why these data do not allow it."""
    try:
        return make()
    except FaceArrayError as error:
        return note(f"{what} {_IMPOSSIBLE}: {error}")


def is_computed(part: str, what: str) -> bool:
    """Whether a part is there, and does not say that these data do not allow this."""
    return bool(part) and html.escape(f"{what} {_IMPOSSIBLE}") not in part
