"""`facearray view`: what reaches the viewer, and what is said."""

from __future__ import annotations

import pandas as pd
import pytest
from click.testing import CliRunner

import facearray as fa
from facearray.cli import main
from facearray.plot import viewer as module


class FakeViewer:
    """A viewer that is interrupted at once."""

    url = "http://127.0.0.1:1/?token=x"

    def __init__(self, *, is_local):
        self.is_local = is_local

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True

    def wait(self):
        raise KeyboardInterrupt


@pytest.fixture
def started(monkeypatch):
    """What the viewer was started with."""
    seen = {}

    def view(store, **options):
        seen.update(options, store=store, viewer=FakeViewer(is_local=options["host"] == "127.0.0.1"))
        return seen["viewer"]

    monkeypatch.setattr(module, "view", view)
    return seen


@pytest.fixture
def store(recordings, tmp_path):
    return str(fa.save(recordings({"a": 5, "b": 5}), tmp_path / "s.zarr"))


def run(*arguments: str):
    return CliRunner().invoke(main, ["view", *arguments])


def test_view__prints_the_address_until_it_is_interrupted(started, store):
    done = run(store, "--port", "8765", "--no-browser", "--origin", "x:1", "--storage-option", "anon=true")
    assert done.exit_code == 0
    assert FakeViewer.url in done.output
    assert "warning" not in done.output
    assert (started["port"], started["browser"], started["origins"]) == (8765, False, ("x:1",))
    assert started["storage_options"] == {"anon": True}
    assert started["viewer"].closed


def test_view__warns_if_others_can_reach_it(started, store):
    done = run(store, "--host", "0.0.0.0")
    assert "warning: 0.0.0.0 can be reached from other machines" in done.output
    assert started["host"] == "0.0.0.0"


def test_view__joins_a_table_and_reads_intervals(started, store, tmp_path):
    pd.DataFrame({"clip": ["a", "b"], "condition": ["x", "y"]}).to_csv(tmp_path / "t.csv", index=False)
    turns = pd.DataFrame({"video": ["a"], "start": [0.0], "end": [0.1], "label": ["7"]})
    turns.to_csv(tmp_path / "turns.csv", index=False)
    arguments = ["--table", str(tmp_path / "t.csv"), "--key", "clip", "--annotations", str(tmp_path / "turns.csv")]
    assert run(store, *arguments).exit_code == 0
    assert started["prepare"](fa.open_store(store)).condition.values.tolist() == ["x", "y"]
    pd.testing.assert_frame_equal(started["annotations"], turns, check_dtype=False)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [(["--key", "clip"], "expected both"), (["--port", "70000"], "70000"), (["--table", "none.csv"], "none.csv")],
)
def test_view__wrong_usage(started, store, arguments, said):
    done = run(store, *arguments)
    assert done.exit_code == 2
    assert said in done.output
    assert not started


def test_view__no_store(tmp_path):
    done = run(str(tmp_path / "none.zarr"), "--no-browser")
    assert done.exit_code == 2
    assert "no store at" in done.output
