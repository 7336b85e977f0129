"""The driver of the benchmarks, on benchmarks that take no time."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

if os.name != "posix":
    pytest.skip("benchmarks measure processes as POSIX does", allow_module_level=True)
pytest.importorskip("benchmarks", reason="not a clone of the repository")

from benchmarks import __main__ as driver  # noqa: E402 (only where they are)
from benchmarks import _suite as suite  # noqa: E402
from benchmarks._page import page  # noqa: E402

MODULES = {
    "fine": '''
"""Counts. The last line is one JSON object.

- `n`: how many.

    python -m benchmarks.fine
"""
import json, sys
QUICK = "--n 2"
FIGURES = {"n": "<= 3", "deep.m": ">= 5", "free": ""}
print("a word first")
print(json.dumps({"n": int(sys.argv[2]) if len(sys.argv) > 1 else 7, "deep": {"m": 4.5}, "list": [1, None]}))
''',
    "broken": 'raise SystemExit("out of luck")',
    "silent": 'print("done")',
    "stuck": 'import subprocess\nsubprocess.run(["sleep", "60"])',
    "_helper": "QUICK = 1",
}


@pytest.fixture
def root(tmp_path, monkeypatch):
    """A clone whose benchmarks are those above."""
    package = tmp_path / "benchmarks"
    package.mkdir()
    for name, text in {"__init__": "", **MODULES}.items():
        (package / f"{name}.py").write_text(text.lstrip(), encoding="utf-8")
    monkeypatch.setattr(driver, "ROOT", tmp_path)
    monkeypatch.setattr(driver, "benchmarks", lambda: suite.benchmarks(package))
    monkeypatch.setattr(driver, "run", lambda benchmark, **options: suite.run(benchmark, root=tmp_path, **options))
    return tmp_path


def record(folder: Path) -> dict:
    return json.loads((folder / "benchmarks.json").read_text(encoding="utf-8"))


def test_driver__names_what_fails_and_runs_the_others(root, capsys):
    assert driver.main(["--time-limit", "5"]) == 1
    runs = record(root / "docs")["benchmarks"]
    assert {name: run["error"] for name, run in runs.items()} == {
        "fine": None,
        "broken": "ended with 1: out of luck",
        "silent": "printed 'done' last; expected one JSON object",
        "stuck": "took more than 5 s",
    }
    assert runs["fine"]["figures"] == {"n": 7, "deep": {"m": 4.5}, "list": [1, None]}
    said = capsys.readouterr()
    assert re.findall(r"FAILED (\w+)", said.err) == ["broken", "silent", "stuck"]
    assert "fine: found n 7; expected <= 3" in said.err
    assert "1 of 4 benchmarks ran" in said.out
    text = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    assert "**Failed: `broken`, `silent`, `stuck`**" in text
    assert "| [fine](#benchmark-fine) | `n` | 7 | at most 3 | **no** |" in text
    assert "| [fine](#benchmark-fine) | `free` | not measured |  |  |" in text
    assert "| `list.1` | not measured |  |" in text
    assert "Counts.\n\n- `n`: how many." in text


def test_driver__quick_runs_leave_the_page_alone_and_have_no_bars(root, capsys):
    assert driver.main(["--quick"]) == 0
    assert not (root / "docs").exists()
    assert record(root / "build")["benchmarks"]["fine"]["figures"]["n"] == 2
    text = (root / "build" / "benchmarks.md").read_text(encoding="utf-8")
    assert "This was a run with `--quick`" in text
    assert "## Bars" not in text
    assert "**Not run: `broken`, `silent`, `stuck`.**" in text
    assert "no quick run: broken, silent, stuck" in capsys.readouterr().err


def test_driver__a_run_of_some_keeps_the_others_of_the_same_machine(root, monkeypatch, capsys):
    driver.main(["fine"])
    driver.main(["silent"])
    assert set(record(root / "docs")["benchmarks"]) == {"fine", "silent"}
    monkeypatch.setattr(driver, "machine", lambda: {"cores": "64"})
    driver.main(["silent"])
    assert set(record(root / "docs")["benchmarks"]) == {"silent"}
    assert "another machine" in capsys.readouterr().err
    made = (root / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    (root / "docs" / "benchmarks.md").unlink()
    assert driver.main(["--page"]) == 0
    assert (root / "docs" / "benchmarks.md").read_text(encoding="utf-8") == made


def test_driver__unknown_name(root, capsys):
    with pytest.raises(SystemExit, match="2"):
        driver.main(["fein"])
    assert "found no benchmark fein; expected some of broken, fine, silent, stuck" in capsys.readouterr().err


def test_bar__of_another_form_is_refused():
    assert (suite.meets(2, "<= 2"), suite.meets(2.1, "<= 2"), suite.meets(2.1, ">= 2")) == (True, False, True)
    assert (suite.meets(5, ""), suite.meets(None, "<= 2")) == (None, None)
    with pytest.raises(ValueError, match="found the bar 'about 2'"):
        suite.meets(2, "about 2")


@pytest.mark.parametrize("benchmark", suite.benchmarks().values(), ids=lambda benchmark: benchmark.name)
def test_benchmark__says_how_it_is_run(benchmark):
    assert f"python -m benchmarks.{benchmark.name}" in benchmark.description


def test_page__is_of_the_figures_beside_it():
    found = record(ROOT / "docs")
    text = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    known = suite.benchmarks()
    assert found["benchmarks"]
    assert not found["quick"]
    assert set(found["benchmarks"]) <= set(known)
    for run in found["benchmarks"].values():
        for figure, value in suite.flat(run["figures"] or {}).items():
            assert f"| `{figure}` | {'not measured' if value is None else value} |" in text
        assert f"`{run['command']}`" in text, "make the page anew: python -m benchmarks --page"
    assert "## Machine and versions" in page(found, known)
