"""Pictures as files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facearray.errors import InputError
from facearray.io.location import check_folder
from facearray.plot import _style
from facearray.plot._page import menus, picture_page, still

if TYPE_CHECKING:
    import holoviews as hv

__all__ = ["save"]

#: Written by Bokeh, and by matplotlib, which needs no browser.
PAGES, PRINTS = (".html", ".htm"), (".png", ".svg", ".pdf")

#: Families that have letters that matplotlib's own font has not; those that are installed are used.
FONTS = (
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Noto Sans SC",
    "Source Han Sans",
    "WenQuanYi Zen Hei",
    "Hiragino Sans",
    "PingFang SC",
    "Microsoft YaHei",
    "Yu Gothic",
    "Malgun Gothic",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Noto Emoji",
    "Arial Unicode MS",
)


def save(picture: hv.Dimensioned, path: str | os.PathLike[str], *, dpi: int = 200, title: str | None = None) -> Path:
    """Write a picture as a page or for print, by the suffix of the file.

    Parameters
    ----------
    picture
        What a function of `facearray.plot` returned, or any other HoloViews object.
    path
        ``.html`` or ``.htm``: an interactive page that asks for nothing over a network. ``.png``, ``.svg``, ``.pdf``:
        drawn by matplotlib; no browser and no display are needed. A file that exists is replaced.
    dpi
        Dots an inch of PNG, and of what is a bitmap in SVG and PDF.
    title
        Title of the page or document; by default the name of the file.

    Returns
    -------
    pathlib.Path
        The path.

    Raises
    ------
    InputError
        If it is no picture, there is no such folder, the suffix is another one, or a picture that shows one video at a
        time is to be printed: select one before drawing.

    Examples
    --------
    >>> import tempfile
    >>> import holoviews as hv
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(hv.Curve([1, 3, 2]), f"{folder}/curve.svg").name
    'curve.svg'
    """
    from holoviews.core import Dimensioned

    if not isinstance(picture, Dimensioned):
        raise InputError(
            f"found an object of type {type(picture).__name__}; expected a picture: what a function of facearray.plot "
            "returns, or another HoloViews object"
        )
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix not in (*PAGES, *PRINTS):
        raise InputError(f"found the suffix {path.suffix!r}; expected one of {', '.join((*PAGES, *PRINTS))}")
    check_folder(path)
    _style.load_backends()
    partial = path.with_name(f".{path.name}.partial")
    name = title or path.stem
    try:
        if suffix in PAGES:
            partial.write_text(picture_page(picture, name), encoding="utf-8")
        else:
            _print(picture, partial, suffix.removeprefix("."), dpi, name)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
    return path


def _print(picture: hv.Dimensioned, path: Path, form: str, dpi: int, title: str) -> None:
    import holoviews as hv
    import matplotlib as mpl
    from matplotlib import font_manager

    several = menus(picture)
    if several:
        raise InputError(
            f"found a picture with a menu of {' and '.join(several)}; expected one of each to print: select it before "
            "drawing, for instance ds.isel(video=[0])"
        )
    installed = set(font_manager.get_font_names())
    families = ["DejaVu Sans", *(family for family in FONTS if family in installed)]
    # texts are texts: a file name with two dollar signs is no formula
    style: Any = {"text.parse_math": False, "font.family": families, "svg.fonttype": "none", "pdf.fonttype": 42}
    with mpl.rc_context(style):
        renderer = hv.Store.renderers["matplotlib"].instance(dpi=dpi)
        figure = renderer.get_plot(still(picture, {})).state
        figure.savefig(
            path, format=form, dpi=dpi, bbox_inches="tight", metadata={"Title": title} if form != "png" else {}
        )
        _close(figure)


def _close(figure: Any) -> None:
    from matplotlib import pyplot as plt

    plt.close(figure)
