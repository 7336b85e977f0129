"""The command line: `facearray detect | convert | status | info | finalize | export | report | models | demo`.

Exit codes: 0 everything asked for is done, 1 something is not done or failed (and is named), 2 wrong usage.
"""

from __future__ import annotations

import io
import json
import sys
import warnings
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

import click

from facearray import __version__
from facearray._words import counted
from facearray.errors import FaceArrayError, InputError, unknown_names

if TYPE_CHECKING:
    import xarray as xr

    from facearray.detection.run import RunReport
    from facearray.io.lease import Part
    from facearray.io.status import StoreStatus

__all__ = ["main"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def _named_errors(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn the package's own errors into a message and an exit code; anything else is a bug and keeps its trace."""

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except FaceArrayError as error:
            click.echo(f"facearray: {error}", err=True)
            sys.exit(2 if isinstance(error, InputError) else 1)
        except KeyboardInterrupt:
            click.echo("facearray: interrupted; run the same command again to go on", err=True)
            sys.exit(1)

    return wrapper


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, allow_nan=False, default=str))


_store_argument = click.argument("store")
_json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")
_storage_option = click.option(
    "--storage-option",
    "storage_options",
    multiple=True,
    metavar="KEY=VALUE",
    callback=lambda _context, _parameter, pairs: _key_values(pairs),
    help="Option of the file system that a URL names; may be repeated. Values are read as JSON where they are JSON.",
)


def _key_values(pairs: tuple[str, ...]) -> dict[str, Any] | None:
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"found {pair!r}; expected KEY=VALUE")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return options or None


def _part(text: str | None) -> Part | None:
    from facearray.io.lease import Part

    try:
        return None if text is None else Part.parse(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="facearray")
def main() -> None:
    """Faces in videos as one labelled dataset."""
    # A file name or label that the terminal has no letters for must not end a run.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@main.command()
@click.argument("videos", nargs=-1, required=True)
@click.option("-o", "--output", "store", required=True, metavar="STORE", help="Path or URL of the Zarr store.")
@click.option("--detector", default="mediapipe", show_default=True, help="Name of the detector.")
@click.option("--max-faces", default=1, show_default=True, help="Person slots in each video.")
@click.option("--every", default=1, show_default=True, help="Take every n-th frame of the source.")
@click.option("--batch-size", default=None, type=int, help="Frames in one call of the detector.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option("--landmarks/--no-landmarks", default=True, show_default=True, help="Whether the face mesh is stored.")
@click.option("--embedding/--no-embedding", default=False, help="Whether people are told apart by their faces.")
@click.option(
    "--slots",
    type=click.Choice(["auto", "largest", "first", "dominant"]),
    default="auto",
    show_default=True,
    help="Who gets which slot: by size in each frame, by first appearance, or by area over the whole video.",
)
@click.option("--workers", type=int, metavar="N", help="Compute in N processes of this machine.")
@click.option("--scheduler", metavar="ADDRESS", help="Compute on the Dask cluster of this scheduler: tcp://HOST:PORT.")
@click.option("--scheduler-file", metavar="FILE", help="The same, with the file that the scheduler wrote.")
@click.option(
    "--part",
    metavar="I/N",
    callback=lambda _context, _parameter, text: _part(text),
    help="Compute the I-th of N parts, beside others that compute theirs: for array jobs of batch systems.",
)
@click.option("--window", type=int, help="Videos in the hands of the cluster at once.")
@click.option("--retries", default=2, show_default=True, help="Times to try a video again whose worker dies.")
@click.option("--time-limit", type=float, metavar="SECONDS", help="Time that a video may take before it fails.")
@click.option("--overwrite", is_flag=True, help="Delete a store that exists already.")
@click.option("--retry-failed", is_flag=True, help="Try videos again that failed in an earlier run.")
@click.option("--take-over", is_flag=True, help="Take the store from a run on another machine that is known dead.")
@click.option("--progress/--no-progress", default=True, help="Whether to show progress bars on a terminal.")
@_storage_option
@click.option(
    "--video-option",
    "video_options",
    multiple=True,
    metavar="KEY=VALUE",
    callback=lambda _context, _parameter, pairs: _key_values(pairs),
    help="The same for URLs of VIDEOS; by default --storage-option, where they are of the store's kind.",
)
@_json_option
@_named_errors
def detect(
    videos: tuple[str, ...],
    store: str,
    as_json: bool,
    workers: int | None,
    scheduler: str | None,
    scheduler_file: str | None,
    **options: Any,
) -> None:
    """Find the faces in every frame of VIDEOS (files, URLs, globs, folders) and store what they do.

    Run the same command again to go on where an interrupted run was; new videos are appended.
    """
    from facearray.detection.executors.clusters import connect
    from facearray.detection.run import RunOptions, run

    with connect(workers=workers, scheduler=scheduler, scheduler_file=scheduler_file) as client:
        report = run(list(videos), store, RunOptions(client=client, **options))
    part: Part | None = options["part"]
    if as_json:
        summary = report.summary.to_dict()
        _print_json({"store": store, "videos": report.rows(), "failed": report.failures, "run": summary})
    elif part is not None and not report.records:
        click.echo(f"{part} has no video of these: there are fewer videos than parts; the other parts compute them")
    else:
        _print_report(report)
    sys.exit(1 if report.failures else 0)


@main.command()
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", "store", required=True, metavar="STORE", help="Path or URL of the Zarr store.")
@click.option("--source", default="auto", show_default=True, help="The tool that made the files.")
@click.option("--fps", type=float, help="Frames a second that the frame numbers count, where files have no times.")
@click.option("--overwrite", is_flag=True, help="Delete a store that exists already.")
@_storage_option
@_json_option
@_named_errors
def convert(files: tuple[str, ...], store: str, as_json: bool, **options: Any) -> None:
    """Read what other tools found (FILES: CSV, text, JSON; globs, folders) and store it in our names and units."""
    from facearray.io.read import read

    with warnings.catch_warnings(record=True) as faults:
        warnings.simplefilter("always", UserWarning)
        ds = read(list(files), store=store, **options)
    failed = ds["status"].values == "failed"
    failures = dict(zip(ds["video"].values[failed].tolist(), ds["error"].values[failed].tolist(), strict=True))
    if as_json:
        columns = {name: ds[name].values.tolist() for name in ("video", "status", "n_frames")}
        videos = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
        _print_json({"store": store, "videos": videos, "failed": failures})
    else:
        done = len(failed) - len(failures)
        frames = counted(int(ds["n_frames"].sum()), "frame")
        click.echo(f"{store}: {frames} of {counted(done, 'video')}; {counted(len(failures), 'file')} failed")
    for fault in faults:
        click.echo(str(fault.message), err=True)
    sys.exit(1 if failures else 0)


@main.command()
@_store_argument
@_storage_option
@_json_option
@_named_errors
def status(store: str, storage_options: dict[str, Any] | None, as_json: bool) -> None:
    """Say how far STORE is: finished, running, interrupted; which videos failed and why."""
    from facearray.io.status import store_status

    found = store_status(store, storage_options=storage_options)
    if as_json:
        _print_json(found.to_dict())
    else:
        _print_status(found, store)
    sys.exit(0 if found.complete else 1)


@main.command()
@_store_argument
@_storage_option
@_json_option
@_named_errors
def info(store: str, storage_options: dict[str, Any] | None, as_json: bool) -> None:
    """Say what is in STORE: sizes, features, detector and options."""
    from facearray.io.store import open_store

    ds = open_store(store, storage_options=storage_options)
    groups: dict[str, list[str]] = {}
    for name, group in zip(ds["feature"].values, ds["group"].values, strict=True):
        groups.setdefault(str(group), []).append(str(name))
    found = {
        "store": store,
        "sizes": {str(dim): size for dim, size in ds.sizes.items()},
        "frames": int(ds["n_frames"].sum()),
        "variables": [str(name) for name in ds.data_vars],
        "features": groups,
        "attrs": dict(ds.attrs),
    }
    if as_json:
        _print_json(found)
        return
    frames = counted(int(ds["n_frames"].sum()), "frame")
    click.echo(f"{store}: {frames} of {counted(ds.sizes['video'], 'video')}")
    click.echo("sizes        " + ", ".join(f"{dim} {size}" for dim, size in ds.sizes.items()))
    click.echo("variables    " + ", ".join(str(name) for name in ds.data_vars))
    for group, names in groups.items():
        click.echo(f"{group:12} {', '.join(names)}")
    for key, value in ds.attrs.items():
        click.echo(f"{key}: {value}")


@main.command()
@_store_argument
@click.option("--take-over", is_flag=True, help="Take the store from a run on another machine that is known dead.")
@_storage_option
@_named_errors
def finalize(store: str, take_over: bool, storage_options: dict[str, Any] | None) -> None:
    """Write the per-video coordinates of an interrupted run, so that any Zarr reader sees what is done.

    What is not done is named; computing it is left to the run.
    """
    from facearray.io.status import finalize_store, store_status

    finalize_store(store, take_over=take_over, storage_options=storage_options)
    found = store_status(store, storage_options=storage_options)
    rows = counted(found.n_videos, "video")
    click.echo(f"{store}: wrote what became of {rows} into the store, which any Zarr reader can read now")
    _print_status(found, store)


@main.command()
@_store_argument
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), metavar="OUT", help="File or folder.")
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["parquet", "csv", "netcdf", "bids"]),
    help="By default by the suffix of OUT: .parquet, .csv or .nc.",
)
@click.option("--select", metavar="NAMES", help="Features, groups and variables, with commas: aus,Yaw,landmarks.")
@click.option("--videos", multiple=True, metavar="LABEL", help="A video, or a pattern with * and ?; may be repeated.")
@click.option("--deidentify", is_flag=True, help="Take out landmarks, embeddings, and where the videos came from.")
@click.option(
    "--key",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="With --deidentify: number the videos, and write which is which into this new CSV file.",
)
@click.option("--overwrite", is_flag=True, help="Replace an export that is there already.")
@_storage_option
@_json_option
@_named_errors
def export(
    store: str, output: Path, file_format: str | None, videos: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Export STORE for other tools: Parquet, CSV for py-feat, NetCDF or BIDS."""
    from facearray.io.exporting import run_export

    done = run_export(store, output, format=file_format, videos=list(videos) or None, **options)
    if as_json:
        _print_json(
            {
                "path": str(done.path),
                "format": done.format,
                "n_videos": done.n_videos,
                "not_done": done.not_done,
                "removed": done.removed,
            }
        )
    else:
        for what in done.removed:
            click.echo(f"removed {what}")
        click.echo(f"wrote {done.path}")
        _print_failures(done.not_done)
    sys.exit(1 if done.not_done else 0)


@main.command()
@_store_argument
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--by", metavar="NAME", help="Coordinate, or column of --table, that groups the videos: condition.")
@click.option(
    "--table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV file with a row a video, whose columns become coordinates.",
)
@click.option("--key", metavar="COLUMN", help="Column of --table with the labels of the videos; by default video.")
@click.option("--images", is_flag=True, help="Show frames of the videos; pictures of faces are personal data.")
@_storage_option
@_named_errors
def report(
    store: str,
    output: Path,
    by: str | None,
    table: Path | None,
    key: str | None,
    images: bool,
    storage_options: dict[str, Any] | None,
) -> None:
    """Write one self-contained HTML page with the quality, the statistics and the time courses of STORE."""
    from facearray.io.store import open_store
    from facearray.plot.report import write_report

    ds = open_store(store, storage_options=storage_options)
    if table is not None:
        ds = _joined(ds, table, key)
    elif key is not None:
        raise InputError(f"found --key {key} without --table; expected both")
    write_report(ds, output, by=by, images=images)
    click.echo(f"wrote {output}")


def _joined(ds: xr.Dataset, table: Path, key: str | None) -> xr.Dataset:
    import pandas as pd

    from facearray.tables import join

    column = key or "video"
    rows = pd.read_csv(table, dtype={column: str})
    if column not in rows.columns:
        raise unknown_names(f"column of {table.name}", [column], [str(name) for name in rows.columns])
    return cast("xr.Dataset", join(ds, rows, key=column))


@main.group()
def models() -> None:
    """List and fetch the model and sample files."""


@models.command(name="list")
@_json_option
@_named_errors
def models_list(as_json: bool) -> None:
    """List the files, where each is, its size and its licence."""
    from facearray import assets

    rows = [
        {
            "name": asset.name,
            "kind": asset.kind,
            "bytes": asset.size,
            "licence": asset.licence,
            "sha256": asset.sha256,
            "path": None if where is None else str(where),
        }
        for asset, where in assets.status()
    ]
    if as_json:
        _print_json({"files": rows})
        return
    _print_table(
        ["name", "kind", "bytes", "licence", "where"],
        [[str(r["name"]), str(r["kind"]), f"{r['bytes']:,}", str(r["licence"]), str(r["path"] or "-")] for r in rows],
    )


@models.command(name="pull")
@click.argument("names", nargs=-1)
@click.option("--kind", type=click.Choice(["model", "sample", "study"]), default=None, help="Only files of this kind.")
@_named_errors
def models_pull(names: tuple[str, ...], kind: Any) -> None:
    """Fetch and check files, so that later runs need no network: the NAMES given, or all models and samples."""
    from facearray import assets

    assets.pull(list(names) or None, kind=kind)
    click.echo("all files are there")


@main.command()
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="facearray-demo", show_default=True
)
@_named_errors
def demo(output: Path) -> None:
    """Detect the faces of the sample videos and pictures and write a report on them."""
    from facearray import datasets
    from facearray.detection.run import RunOptions, run
    from facearray.io.store import open_store
    from facearray.plot.report import write_report

    media = [*map(datasets.sample_video, datasets.SAMPLE_VIDEOS), *datasets.sample_pictures()]
    output.mkdir(parents=True, exist_ok=True)
    store, page = output / "study.zarr", output / "report.html"
    outcome = run(media, store, RunOptions())
    _print_report(outcome)
    write_report(open_store(store), page)
    click.echo(f"\nstore   {store}\nreport  {page}")
    sys.exit(1 if outcome.failures else 0)


def _print_report(report: RunReport) -> None:
    rows = report.rows()
    _print_table(
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
    _print_failures(report.failures)


def _print_table(header: list[str], rows: list[list[str]]) -> None:
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


def _print_status(found: StoreStatus, store: str) -> None:
    click.echo(f"{store}: {found.sentence()}")
    _print_failures(found.failures)
    _print_failures(dict.fromkeys(found.pending, "pending"))
    more = found.n_pending - len(found.pending)
    if more:
        click.echo(f"and {counted(more, 'other video')} pending", err=True)
    for problem in found.problems:
        click.echo(problem, err=True)


def _print_failures(failures: dict[str, str]) -> None:
    for label, reason in failures.items():
        click.echo(f"{label}: {reason}", err=True)
