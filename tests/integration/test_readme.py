"""The README, followed as it stands, and the program that follows it."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
PROGRAM = ROOT / "tools" / "follow_readme.py"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="not a clone of the repository")


@pytest.fixture(scope="module")
def program():
    spec = importlib.util.spec_from_file_location("follow_readme", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.skipif(not (SHARED / "good_bad_news").is_dir(), reason="the detections are not here")
@pytest.mark.slow
def test_readme__runs_word_for_word(tmp_path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FACEARRAY_ASSETS": str(SHARED)}
    command = [sys.executable, PROGRAM, ROOT / "README.md", tmp_path / "empty"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    for name in ("study.zarr", "clips.zarr", "report.html", "drawn.mp4", "study.parquet", "shared.parquet"):
        assert (tmp_path / "empty" / name).exists()


def test_readme__has_python_and_commands_to_follow(program):
    found = list(program.blocks((ROOT / "README.md").read_text(encoding="utf-8")))
    assert {language for language, _ in found} == {"python", "console"}
    commands = [line for language, text in found if language == "console" for line in program.commands(text)]
    assert {line.split()[1] for line in commands} >= {
        "detect",
        "status",
        "report",
        "view",
        "render",
        "convert",
        "export",
    }


def test_commands__are_those_of_facearray(program):
    assert program.commands("$ facearray status a\nmake demo\n$ pip install facearray\n") == ["facearray status a"]


def test_python__runs_in_order_and_shows_values(program, capsys):
    names = {}
    program.run_python("a = [1] * 3\na\n'\\n'.join('abcdefgh').split()\n", names)
    assert capsys.readouterr().out.splitlines()[:3] == [">>> a = [1] * 3", ">>> a", "[1, 1, 1]"]
    with pytest.raises(NameError, match="b"):
        program.run_python("b", names)


def test_command__that_fails_ends_it(program):
    with pytest.raises(subprocess.CalledProcessError):
        program.run_command("exit 3")
