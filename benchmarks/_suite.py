"""The benchmarks that there are, what each says of itself, and a run of one in a process of its own.

A benchmark is a module of this package without a leading underscore. It prints one JSON object on its last line, and
may say, as literals that are read without importing it:

- `QUICK`: the options of a run of seconds, which shows that it works and measures nothing;
- `FIGURES`: the figures to compare, with their bar (`"<= 2"`, `">= 10"`) or without (`""`). `"report.seconds"` is a
  figure in an object.
"""

from __future__ import annotations

import ast
import json
import operator
import os
import shlex
import signal
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

PACKAGE = Path(__file__).resolve().parent
ROOT = PACKAGE.parent

COMPARE = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Benchmark:
    """What a module says of itself; `quick` is None where it has no short run."""

    name: str
    description: str
    quick: str | None
    figures: dict[str, str]


@dataclass(frozen=True)
class Run:
    """What came out: `figures`, or the reason why there are none; `load` is the machine's before the run."""

    command: str
    started: str
    seconds: float
    load: float
    figures: dict[str, Any] | None
    error: str | None


def benchmarks(folder: Path = PACKAGE) -> dict[str, Benchmark]:
    """All benchmarks by name."""
    return {path.stem: described(path) for path in sorted(folder.glob("*.py")) if not path.stem.startswith("_")}


def described(path: Path) -> Benchmark:
    """What a module says of itself.

    Raises
    ------
    ValueError
        If a bar has another form.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    said = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    quick, figures = (ast.literal_eval(said[name]) if name in said else None for name in ("QUICK", "FIGURES"))
    for bar in (figures or {}).values():
        meets(0, bar)
    return Benchmark(path.stem, ast.get_docstring(tree) or path.stem, quick, figures or {})


def meets(figure: float | None, bar: str) -> bool | None:
    """Whether a figure meets a bar; None where there is no bar, or no figure."""
    if not bar:
        return None
    sign, _, limit = bar.partition(" ")
    if sign not in COMPARE:
        raise ValueError(f"found the bar {bar!r}; expected '<= NUMBER', '>= NUMBER' or ''")
    return None if figure is None else COMPARE[sign](figure, float(limit))


def below(benchmark: Benchmark, figures: dict[str, Any] | None) -> list[tuple[str, float, str]]:
    """Figures that do not meet their bar: name, value and bar."""
    found = flat(figures or {})
    bars = benchmark.figures.items()
    return [(name, found[name], bar) for name, bar in bars if meets(found.get(name), bar) is False]


def flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Figures by dotted names; items of a list by their number."""
    found: dict[str, Any] = {}
    for key, value in figures.items():
        named = {str(number): item for number, item in enumerate(value)} if isinstance(value, list) else value
        found |= flat(named, f"{prefix}{key}.") if isinstance(named, dict) else {f"{prefix}{key}": named}
    return found


def run(benchmark: Benchmark, *, quick: bool, time_limit: float, root: Path = ROOT) -> Run:
    """Run a benchmark in a process of its own, with what it prints passed on.

    A benchmark that fails, takes too long or prints no JSON object is a `Run` with the reason.
    """
    arguments = [f"{PACKAGE.name}.{benchmark.name}", *(shlex.split(benchmark.quick or "") if quick else [])]
    started, load, begun = datetime.now(UTC), os.getloadavg()[0], time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        late = threading.Event()
        timer = threading.Timer(time_limit, lambda: (late.set(), end(process)))
        timer.start()
        last = ""
        try:
            for line in process.stdout or ():
                print(line, end="", flush=True)
                last = line.strip() or last
            process.wait()
        finally:
            timer.cancel()
            end(process)
        errors.seek(0)
        said = errors.read().strip()
    figures, error = outcome(process.returncode, last, said)
    return Run(
        command=f"python -m {shlex.join(arguments)}",
        started=started.isoformat(timespec="minutes"),
        seconds=round(time.perf_counter() - begun, 1),
        load=round(load, 1),
        figures=None if late.is_set() else figures,
        error=f"took more than {time_limit:g} s" if late.is_set() else error,
    )


def end(process: subprocess.Popen[str]) -> None:
    """End a benchmark, and the workers and peers that it has started and left."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def outcome(code: int, last: str, said: str) -> tuple[dict[str, Any] | None, str | None]:
    """Figures of a run that ended, or why there are none."""
    if code:
        return None, f"ended with {code}: {said.splitlines()[-1] if said else 'it said nothing'}"
    try:
        figures = json.loads(last)
    except ValueError:
        figures = None
    if not isinstance(figures, dict):
        return None, f"printed {last[:80]!r} last; expected one JSON object"
    return figures, None
