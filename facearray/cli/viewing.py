"""The command that serves a page to look at a store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facearray.cli.joining import intervals, joined
from facearray.cli.shared import named_errors, storage_option, store_argument
from facearray.errors import InputError

__all__ = ["view"]


@click.command()
@store_argument
@click.option(
    "--annotations",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Annotated intervals that are drawn behind the time courses: ELAN, BORIS, Observer, CSV or TSV.",
)
@click.option(
    "--table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="CSV file with a row a video: the label in its column `video` or --key; others group the videos.",
)
@click.option("--key", metavar="COLUMN", help="Column of --table with the labels of the videos; by default video.")
@click.option(
    "--videos",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="Folder that holds the videos now; by default they are where the store says.",
)
@click.option("--fetch", is_flag=True, help="Fetch videos behind URLs into the cache of videos when they are opened.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Where to listen; by default this machine only.")
@click.option("--port", default=0, type=click.IntRange(0, 65535), help="Port to listen on; by default any free one.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="HOST:PORT",
    help="What browsers call the viewer by behind a tunnel or proxy; may be repeated.",
)
@click.option("--no-browser", is_flag=True, help="Print the address only.")
@storage_option
@named_errors
def view(
    store: str,
    annotations: Path | None,
    table: Path | None,
    key: str | None,
    videos: Path | None,
    fetch: bool,
    host: str,
    port: int,
    origins: tuple[str, ...],
    no_browser: bool,
    storage_options: dict[str, Any] | None,
) -> None:
    """Look at STORE in a browser, also while a run is writing it, until Ctrl-C.

    The address that is printed holds the key to the page.
    """
    from facearray.plot.viewer import view as start

    if table is None and key is not None:
        raise InputError(f"found --key {key} without --table; expected both")

    viewer = start(
        store,
        prepare=None if table is None else lambda ds: joined(ds, table, key),
        annotations=None if annotations is None else intervals(annotations),
        videos=videos,
        fetch=fetch,
        host=host,
        port=port,
        origins=origins,
        browser=not no_browser,
        storage_options=storage_options,
    )
    with viewer:
        if not viewer.is_local:
            click.echo(
                f"warning: {host} can be reached from other machines: whoever has the address below sees the faces, "
                "and nothing is encrypted; a tunnel to a viewer without --host is safer (ssh -L)",
                err=True,
            )
        click.echo(f"{store}: {viewer.url}")
        click.echo("Ctrl-C ends it.")
        try:
            viewer.wait()
        except KeyboardInterrupt:
            click.echo("ended")
