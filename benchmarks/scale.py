"""A store of a million videos: what it costs to make, open, resume and ask, without any frame in it.

The rows are metadata only: template, labels and sources, the journal's notes, and tables of finished rows as a run
writes them. The last rows have markers that are not gathered yet, some have failed and some are pending, so that the
store is unfinished: readers take the state of every row from the journal. Each step is a process of its own, so that
its memory and imports are its own. Bars on 1,000,000 rows: template 5 s and 1 GB, opening 2 s, status 10 s, planning a
resume 30 s. `_cpu_s` is the processor time of a step: on a machine that does other things it is the better figure. The
last line is one JSON object; objects are files of the store and its journal.

    python -m benchmarks.scale [--rows 1000000]
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import facearray as fa
from facearray.detection.plan import plan_rows
from facearray.detection.sources import Source
from facearray.io.columns import record_table
from facearray.io.journal import ROWS_PER_PART, Journal
from facearray.io.status import store_status
from facearray.io.store import Layout, Store
from facearray.testing import FakeDetector

QUICK = "--rows 20000"
FIGURES = {"template_s": "<= 5", "template_mb": "<= 1024", "open_s": "<= 2", "status_s": "<= 10", "plan_s": "<= 30"}

#: Of the rows, how many have failed, how many wait, and how many have a marker of their own.
FAILED, PENDING, MARKERS = 500, 500, 4_000

RECORD = {"n_frames": 300, "fps": 25.0, "width": 1280, "height": 720, "duration": 12.0}
STEPS = ("template", "journal", "open", "status", "plan", "finalize", "open_finished")


def labels(n_rows: int) -> list[str]:
    return [f"site-{row // 10_000:03}/participant-{row:07}.mp4" for row in range(n_rows)]


def source(label: str) -> str:
    return f"s3://study/recordings/{label}"


def template(store: str, n_rows: int) -> None:
    layout = Layout.from_detector(FakeDetector(), max_faces=1, options={"every": 1})
    rows = [(label, source(label)) for label in labels(n_rows)]
    Store.create(store, layout, rows, capacity=1024)


def fill_journal(store: str, n_rows: int) -> None:
    """Write what a run leaves that was killed close to its end."""
    journal = Journal.beside(store)
    journal.record({row: (label, f"4000000-{row:032x}") for row, label in enumerate(labels(n_rows))})
    done = n_rows - FAILED - PENDING - MARKERS
    extra = {"n_faces_found": 290, "n_missing": 0, "seconds": 1.25}
    for start in range(0, done, ROWS_PER_PART):
        rows = range(start, min(start + ROWS_PER_PART, done))
        # what `compact` makes of so many markers, without as many files first
        journal.folder.write(
            f"table/{start // ROWS_PER_PART:08d}.arrow",
            record_table("done", dict.fromkeys(rows, RECORD | extra)).to_bytes(),
        )
    for row in range(done, done + MARKERS):
        journal.mark_done(row, RECORD | extra)
    for row in range(done + MARKERS, done + MARKERS + FAILED):
        journal.mark_failed(
            row, "'a.mp4': found no video stream; expected a complete video or picture; export it again"
        )


def open_unfinished(store: str, n_rows: int) -> None:
    ds = fa.open_store(store)
    assert ds.sizes["video"] == n_rows
    assert int((ds["status"].values == "done").sum()) == n_rows - FAILED - PENDING


def status(store: str, n_rows: int) -> None:
    found = store_status(store)
    assert (found.n_videos, found.n_failed, found.n_pending) == (n_rows, FAILED, PENDING)


def plan(store: str, n_rows: int) -> None:
    """Plan the resume: the same videos are asked for again."""
    sources = [Source(label, source(label), f"4000000-{row:032x}") for row, label in enumerate(labels(n_rows))]
    start = time.perf_counter()
    target, journal = Store.open(store), Journal.beside(store)
    journal.check_labels(target.labels)
    journal.repair()
    made = plan_rows(target, journal, sources, every=1, retry_failed=True, check=lambda: None)
    assert len(made.tasks) == FAILED + PENDING
    assert len(made.done) == n_rows - FAILED - PENDING
    print(json.dumps({"seconds_without_sources": round(time.perf_counter() - start, 3)}))


def finalize(store: str, n_rows: int) -> None:  # noqa: ARG001
    Store.open(store).finalize(Journal.beside(store))


def open_finished(store: str, n_rows: int) -> None:
    assert fa.open_store(store).sizes["video"] == n_rows


FUNCTIONS: dict[str, Callable[[str, int], None]] = {
    "template": template,
    "journal": fill_journal,
    "open": open_unfinished,
    "status": status,
    "plan": plan,
    "finalize": finalize,
    "open_finished": open_finished,
}


def one_step(step: str, store: str, n_rows: int) -> None:
    """Do one step and print its seconds, without imports, and the most memory that the process had."""
    start, cpu = time.perf_counter(), time.process_time()
    FUNCTIONS[step](store, n_rows)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"s": round(seconds, 3), "cpu_s": round(cpu, 3), "mb": peak}))


def main() -> None:
    """Take all steps one after the other and print the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--step", choices=STEPS, help=argparse.SUPPRESS)
    parser.add_argument("--store", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.step:
        one_step(arguments.step, arguments.store, arguments.rows)
        return
    result: dict[str, float] = {"rows": arguments.rows}
    with tempfile.TemporaryDirectory() as folder:
        store = f"{folder}/study.zarr"
        for step in STEPS:
            command = [sys.executable, "-m", "benchmarks.scale", "--step", step, "--store", store]
            output = subprocess.run(
                [*command, "--rows", str(arguments.rows)], check=True, capture_output=True, text=True
            ).stdout
            taken = json.loads(output.splitlines()[-1])
            result |= {f"{step}_{name}": value for name, value in taken.items()}
            print(step, output.strip().replace("\n", " "), flush=True)
            if step == "journal":
                result["journal_objects"] = sum(p.is_file() for p in Path(f"{store}.run").rglob("*"))
                result["store_objects"] = sum(p.is_file() for p in Path(store).rglob("*"))
    result["peak_mb"] = max(value for name, value in result.items() if name.endswith("_mb"))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
