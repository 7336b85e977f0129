"""Commands that look at stores, finish them, and make files of them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from facearray._words import counted, some
from facearray.cli.joining import joined
from facearray.cli.printing import print_failures, print_json, print_status
from facearray.cli.shared import json_option, named_errors, storage_option, store_argument
from facearray.errors import InputError, unknown_names

__all__ = ["export", "finalize", "info", "report", "status"]


@click.command()
@store_argument
@storage_option
@json_option
@named_errors
def status(store: str, storage_options: dict[str, Any] | None, as_json: bool) -> None:
    """Say how far STORE is: finished, running, interrupted; which videos failed and why."""
    from facearray.io.status import store_status

    found = store_status(store, storage_options=storage_options)
    if as_json:
        print_json(found.to_dict())
    else:
        print_status(found, store)
    sys.exit(0 if found.complete else 1)


@click.command()
@store_argument
@storage_option
@json_option
@named_errors
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
        print_json(found)
        return
    frames = counted(int(ds["n_frames"].sum()), "frame")
    click.echo(f"{store}: {frames} of {counted(ds.sizes['video'], 'video')}")
    click.echo("sizes        " + ", ".join(f"{dim} {size}" for dim, size in ds.sizes.items()))
    click.echo("variables    " + ", ".join(str(name) for name in ds.data_vars))
    for group, names in groups.items():
        click.echo(f"{group:12} {', '.join(names)}")
    for key, value in ds.attrs.items():
        click.echo(f"{key}: {value}")


@click.command()
@store_argument
@click.option("--take-over", is_flag=True, help="Take the store from a run on another machine that is known dead.")
@storage_option
@named_errors
def finalize(store: str, take_over: bool, storage_options: dict[str, Any] | None) -> None:
    """Write the per-video coordinates of an interrupted run, so that any Zarr reader sees what is done.

    What is not done is named; computing it is left to the run.
    """
    from facearray.io.status import finalize_store, store_status

    finalize_store(store, take_over=take_over, storage_options=storage_options)
    found = store_status(store, storage_options=storage_options)
    rows = counted(found.n_videos, "video")
    click.echo(f"{store}: wrote what became of {rows} into the store, which any Zarr reader can read now")
    print_status(found, store)


@click.command()
@store_argument
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
@storage_option
@json_option
@named_errors
def export(
    store: str, output: Path, file_format: str | None, videos: tuple[str, ...], as_json: bool, **options: Any
) -> None:
    """Export STORE for other tools: Parquet, CSV for py-feat, NetCDF or BIDS."""
    from facearray.io.exporting import run_export

    done = run_export(store, output, format=file_format, videos=list(videos) or None, **options)
    if as_json:
        print_json(
            {
                "path": str(done.path),
                "format": done.format,
                "n_videos": done.n_videos,
                "not_done": done.not_done,
                "removed": done.removed,
            }
        )
    else:
        features = [what.removeprefix("feature ") for what in done.removed if what.startswith("feature ")]
        for what in done.removed:
            if not what.startswith("feature "):
                click.echo(f"removed {what}")
        if features:
            click.echo(f"removed {counted(len(features), 'feature')}: {some(features)}")
        click.echo(f"wrote {done.path}")
        print_failures(done.not_done)
    sys.exit(1 if done.not_done else 0)


@click.command()
@store_argument
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), default=Path("report.html"), show_default=True
)
@click.option("--by", metavar="NAME", help="Coordinate, or column of --table, that groups the videos: condition.")
@click.option(
    "--table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV file with a row a video: the label in its column `video` or --key; others become coordinates.",
)
@click.option(
    "--key", metavar="COLUMN", help="Column of --table with the labels of the videos (001.mp4); by default video."
)
@click.option("--images", is_flag=True, help="Show frames of the videos; pictures of faces are personal data.")
@storage_option
@named_errors
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
        ds = joined(ds, table, key)
    elif key is not None:
        raise InputError(f"found --key {key} without --table; expected both")
    elif by is not None and by not in ds.coords:
        known = [str(name) for name, values in ds.coords.items() if values.dims == ("video",)]
        error = unknown_names("coordinate on video", [by], known)
        raise InputError(f"{error}; a column of a table with a row a video is joined with --table FILE")
    write_report(ds, output, by=by, images=images)
    click.echo(f"wrote {output}")
