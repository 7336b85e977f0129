"""What commands print: tables and sentences for people, JSON for scripts, and what failed on the error stream."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import click

from facearray._words import counted

if TYPE_CHECKING:
    from facearray.detection.run import RunReport
    from facearray.io.status import StoreStatus

__all__ = ["print_failures", "print_json", "print_report", "print_status", "print_table"]


def print_json(value: object) -> None:
    """Print one JSON object."""
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str))


def print_report(report: RunReport) -> None:
    """Print a table of a run's videos, what it took, and what failed."""
    rows = report.rows()
    print_table(
        ["video", "status", "frames", "faces found", "frames/s"],
        [
            [
                row["video"],
                row["status"],
                str(row["n_frames"]),
                "-" if row["n_faces_found"] is None else str(row["n_faces_found"]),
                f"{row['n_frames'] / row['seconds']:.1f}" if row["seconds"] else "-",
            ]
            for row in rows
        ],
    )
    for line in report.summary.sentences():
        click.echo(line)
    earlier = len(rows) - len(report.computed)
    if earlier:
        click.echo(f"{earlier} of {counted(len(rows), 'video')} finished by an earlier run and not computed again")
    print_failures(report.failures)


def print_status(found: StoreStatus, store: str) -> None:
    """Print how far a store is, and what failed or is left."""
    click.echo(f"{store}: {found.sentence()}")
    print_failures(found.failures)
    print_failures(dict.fromkeys(found.pending, "pending"))
    more = found.n_pending - len(found.pending)
    if more:
        click.echo(f"and {counted(more, 'other video')} pending", err=True)
    for problem in found.problems:
        click.echo(problem, err=True)


def print_failures(failures: dict[str, str]) -> None:
    """Print label → reason on the error stream."""
    for label, reason in failures.items():
        # the reason names the file, too, where it was told on its own
        click.echo(f"{label}: {reason.removeprefix(f'{label!r}: ')}", err=True)


def print_table(header: list[str], rows: list[list[str]]) -> None:
    """Print a table, as wide as the terminal."""
    from rich.box import SIMPLE
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE)
    for name in header:
        numeric = name in {"frames", "faces found", "frames/s", "bytes"}
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # Without a terminal there is no width to respect, and folded labels could not be read by a script.
    console = Console(width=None if sys.stdout.isatty() else 200)
    console.print(table)
