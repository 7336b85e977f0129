"""Examples on the pages of the documentation."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from facearray import signal

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"

GALLERY = ROOT / "docs" / "gallery"

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
