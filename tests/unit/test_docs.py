"""Examples on the pages of the documentation."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS


@pytest.mark.skipif(not (SHARED / "good_bad_news").is_dir(), reason="the detections are not here")
@pytest.mark.parametrize("page", ["tables.md", "time_resolved.md"])
def test_docs__examples_show_what_they_give(page, monkeypatch):
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    failed, attempted = doctest.testfile(
        str(ROOT / "docs" / page), module_relative=False, optionflags=OPTIONS, encoding="utf-8"
    )
    assert attempted > 10
    assert failed == 0
