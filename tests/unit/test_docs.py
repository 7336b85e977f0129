"""Examples on the pages of the documentation."""

from __future__ import annotations

import ast
import doctest
import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import xarray as xr

import facearray as fa
from facearray import signal
from facearray.accessor import DatasetAccessor, PlotAccessor
from facearray.stats import Decoding

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"

GALLERY = ROOT / "docs" / "gallery"

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.skipif(not (SHARED / "good_bad_news").is_dir(), reason="the detections are not here")
@pytest.mark.parametrize("page", ["howto.md", "tables.md", "time_resolved.md"])
def test_docs__examples_show_what_they_give(page, monkeypatch):
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    failed, attempted = doctest.testfile(
        str(ROOT / "docs" / page), module_relative=False, optionflags=OPTIONS, encoding="utf-8"
    )
    assert attempted > 10
    assert failed == 0


@pytest.mark.skipif(not GALLERY.is_dir(), reason="not a clone of the repository")
@pytest.mark.parametrize("name", sorted(set(signal.__all__) - {"Decomposition", "steps"}))
def test_gallery__every_function_of_time_courses_has_a_picture_of_the_sample_video(name):
    for script in ("plot_cleaning.py", "plot_signal_analysis.py"):
        text = (GALLERY / script).read_text(encoding="utf-8")
        assert "fa.datasets.sample_video(" in text
        for block in text.split("# %%\n")[1:]:
            words, _, code = block.partition("\n\n")
            if re.search(rf"^# .*`{name}`", words, re.MULTILINE) and re.search(r"^picture = ", code, re.MULTILINE):
                assert f".{name}(" in code
                return
    pytest.fail("no picture")


#: What stands for what in the table of `migrating.md`.
MEANT: dict[str, Any] = {"fa": fa, "ds": xr.Dataset, "s": xr.Dataset, "i": xr.Dataset, "d": Decoding}


def right_hand_sides() -> list[str]:
    page = (ROOT / "docs" / "migrating.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| ")][2:]
    return [code for row in rows for code in re.findall(r"`([^`]+)`", row[1]) if re.match(r"(fa|ds|s|i|d)\.", code)]


def resolved(node: ast.expr) -> Any:
    """What a chain of attributes names, on the class where it begins with an object."""
    if isinstance(node, ast.Name):
        return MEANT[node.id]
    assert isinstance(node, ast.Attribute)
    owner = resolved(node.value)
    if owner is xr.Dataset and node.attr == "fex":
        return DatasetAccessor
    if owner is DatasetAccessor and node.attr == "plot":
        return PlotAccessor
    if owner is xr.Dataset and node.attr == "video":
        return None
    return getattr(owner, node.attr)


def test_migrating__every_name_on_the_right_exists():
    codes = right_hand_sides()
    assert len(codes) > 30
    for code in codes:
        node = ast.parse(code, mode="eval").body
        found = resolved(node.func if isinstance(node, ast.Call) else node)
        if isinstance(node, ast.Call):
            parameters = inspect.signature(found).parameters
            assert {keyword.arg for keyword in node.keywords} <= set(parameters), code
            taken = [p for p in parameters.values() if p.kind is p.POSITIONAL_OR_KEYWORD or p.kind is p.VAR_POSITIONAL]
            assert len(node.args) <= len(taken), code


def test_migrating__a_wrong_name_is_noticed():
    with pytest.raises(AttributeError):
        resolved(ast.parse("ds.fex.extract_mean", mode="eval").body)
