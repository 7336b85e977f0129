"""The page of the documentation that shows the figures of a run."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import Any

from benchmarks._suite import Benchmark, flat, meets

HEAD = """\
# Benchmarks

<!-- Made by `python -m benchmarks` from benchmarks.json; run it again instead of changing this page. -->

Each benchmark ran in a process of its own, beside what it is measured against on the same machine; where several rounds
are taken, the figure is their median unless it says otherwise. `make bench` makes this page anew, `make bench
BENCH="isc read"` those two alone; {download}`benchmarks.json` has all figures. {doc}`performance` says where the time
of detection goes.
"""

QUICK = """
:::{warning}
This was a run with `--quick`: sizes are so small that the figures show that the benchmarks run, and nothing else.
Bars are for full sizes, and are left out.
:::
"""


def page(record: dict[str, Any], known: dict[str, Benchmark]) -> str:
    """Markdown of a record that `python -m benchmarks` has written; benchmarks that it does not have are named."""
    runs, quick = record["benchmarks"], record["quick"]
    parts = [HEAD, QUICK if quick else "", "\n".join(_ran(runs, known)), _machine(record)]
    if not quick:
        parts.append("## Bars\n\n" + _table(["benchmark", "figure", "found", "bar", "met"], _bars(runs, known)))
    parts += [_section(known[name], run, quick=quick) for name, run in runs.items() if name in known]
    return "\n".join(part.strip("\n") + "\n" for part in parts if part)


def _ran(runs: dict[str, Any], known: dict[str, Benchmark]) -> Iterator[str]:
    missing = [name for name in known if name not in runs]
    failed = [name for name, run in runs.items() if run["error"]]
    minutes = sum(run["seconds"] for run in runs.values()) / 60
    yield f"Run: {_names(runs)}, in {minutes:.0f} minutes."
    if failed:
        yield f"**Failed: {_names(failed)}**, for the reasons below."
    if missing:
        yield f"**Not run: {_names(missing)}.**"


def _machine(record: dict[str, Any]) -> str:
    machine = ", ".join(f"{name}: {value}" for name, value in record["machine"].items())
    versions = ", ".join(f"{name} {value}" for name, value in record["versions"].items())
    return f"## Machine and versions\n\n{machine}.\n\n{versions}."


def _bars(runs: dict[str, Any], known: dict[str, Benchmark]) -> Iterator[list[str]]:
    for name, run in runs.items():
        if name not in known or run["error"]:
            continue
        figures = flat(run["figures"])
        for figure, bar in known[name].figures.items():
            value = figures.get(figure)
            met = {True: "yes", False: "**no**", None: ""}[meets(value, bar)]
            yield [f"[{name}](#{_anchor(name)})", f"`{figure}`", _shown(value), _bar(bar), met]


def _section(benchmark: Benchmark, run: dict[str, Any], *, quick: bool) -> str:
    text = benchmark.description.replace(" The last line is one JSON object.", "")
    title, _, text = text.partition("\n")
    text = re.sub(r"\n *python -m [^\n]*", "", text)
    parts = [f"({_anchor(benchmark.name)})=\n## {benchmark.name}", f"{title}\n{textwrap.dedent(text)}".strip()]
    parts.append(f"`{run['command']}` took {run['seconds']:.0f} s from {run['started']}, load {run['load']} before.")
    if run["error"]:
        return "\n\n".join([*parts, f"**Failed**: `{run['error']}`"])
    bars = {} if quick else benchmark.figures
    rows = ([f"`{name}`", _shown(value), _bar(bars.get(name, ""))] for name, value in flat(run["figures"]).items())
    return "\n\n".join([*parts, _table(["figure", "found", "bar"], rows)])


def _anchor(name: str) -> str:
    return f"benchmark-{name.replace('_', '-')}"


def _bar(bar: str) -> str:
    return bar.replace("<=", "at most").replace(">=", "at least")


def _names(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _shown(value: Any) -> str:
    return "not measured" if value is None else str(value)


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)
