"""Run benchmarks one after the other, and write what they found as JSON and as a page of the documentation.

One that fails is named, and stops no other. Without names all run. With names, what others found before is kept if
machine, versions and sizes are the same. Files are written after each benchmark: `benchmarks.json` and `benchmarks.md`.

Exit codes: 0 all ran, 1 some failed and are named, 2 wrong usage. A figure below its bar is named, and is no failure,
because it may be the machine's.

    python -m benchmarks [NAME ...] [--quick | --list | --page] [--output docs] [--time-limit 3600]
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks._machine import machine, versions
from benchmarks._page import page
from benchmarks._suite import ROOT, Benchmark, below, benchmarks, run


def main(arguments: list[str] | None = None) -> int:
    """Run what is asked for."""
    known = benchmarks()
    options = parsed(arguments, known)
    if options.list:
        print("\n".join(f"{name:12} {benchmark.description.splitlines()[0]}" for name, benchmark in known.items()))
        return 0
    folder = options.output or ROOT / ("build" if options.quick else "docs")
    if options.page:
        write(folder, json.loads((folder / "benchmarks.json").read_text(encoding="utf-8")), known)
        return 0
    names = options.names or list(known)
    skipped = [name for name in names if options.quick and known[name].quick is None]
    if skipped:
        print(f"no quick run: {', '.join(skipped)}", file=sys.stderr)
    record = begun(folder / "benchmarks.json", quick=options.quick, fresh=not options.names)
    for name in (name for name in names if name not in skipped):
        print(f"-- {name}", flush=True)
        record["benchmarks"][name] = asdict(run(known[name], quick=options.quick, time_limit=options.time_limit))
        # a peer may have been installed meanwhile
        record["versions"] = versions()
        write(folder, record, known)
    return summed_up(
        {name: record["benchmarks"][name] for name in names if name not in skipped}, known, quick=options.quick
    )


def parsed(arguments: list[str] | None, known: dict[str, Benchmark]) -> argparse.Namespace:
    """Options; names that do not exist are wrong usage."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks to run (all)")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--quick", action="store_true", help="tiny sizes, to see that they run; into build/")
    instead.add_argument("--list", action="store_true", help="say which there are")
    instead.add_argument("--page", action="store_true", help="only make the page of the JSON anew")
    parser.add_argument("--output", type=Path, help="folder of the files (docs; with --quick build)")
    parser.add_argument("--time-limit", type=float, default=3600, metavar="SECONDS", help="of one benchmark (3600)")
    options = parser.parse_args(arguments)
    if unknown := sorted(set(options.names) - set(known)):
        parser.error(f"found no benchmark {', '.join(unknown)}; expected some of {', '.join(known)}")
    return options


def begun(path: Path, *, quick: bool, fresh: bool) -> dict[str, Any]:
    """Begin a record; with what was found before, unless that is not comparable or all is to be measured anew."""
    record = {"quick": quick, "machine": machine(), "versions": versions(), "benchmarks": {}}
    if fresh or not path.exists():
        return record
    before = json.loads(path.read_text(encoding="utf-8"))
    # a peer that is installed by a benchmark appears among the versions later
    same = {name: record["versions"].get(name, value) for name, value in before["versions"].items()}
    if (before["quick"], before["machine"], before["versions"]) == (quick, record["machine"], same):
        record["benchmarks"] = before["benchmarks"]
    else:
        print(f"{path.name} is of another machine, commit, version or size: it begins anew", file=sys.stderr)
    return record


def write(folder: Path, record: dict[str, Any], known: dict[str, Benchmark]) -> None:
    """Write both files, the benchmarks in the order of their names."""
    record["benchmarks"] = dict(sorted(record["benchmarks"].items()))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "benchmarks.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / "benchmarks.md").write_text(page(record, known), encoding="utf-8")


def summed_up(runs: dict[str, Any], known: dict[str, Benchmark], *, quick: bool) -> int:
    """Say what failed and, for full sizes, what is below its bar."""
    failed = {name: found["error"] for name, found in runs.items() if found["error"]}
    for name, found in runs.items():
        for figure, value, bar in () if quick else below(known[name], found["figures"]):
            print(f"{name}: found {figure} {value}; expected {bar}", file=sys.stderr)
    for name, error in failed.items():
        print(f"FAILED {name}: {error}", file=sys.stderr)
    print(f"{len(runs) - len(failed)} of {len(runs)} benchmarks ran")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
