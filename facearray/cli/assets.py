"""Commands for model and sample files."""

from __future__ import annotations

from typing import Any

import click

from facearray.cli.printing import print_json, print_table
from facearray.cli.shared import json_option, named_errors

__all__ = ["models"]


@click.group()
def models() -> None:
    """List and fetch the model and sample files."""


@models.command(name="list")
@json_option
@named_errors
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
        print_json({"files": rows})
        return
    print_table(
        ["name", "kind", "bytes", "licence", "where"],
        [[str(r["name"]), str(r["kind"]), f"{r['bytes']:,}", str(r["licence"]), str(r["path"] or "-")] for r in rows],
    )


@models.command(name="pull")
@click.argument("names", nargs=-1)
@click.option("--kind", type=click.Choice(["model", "sample", "study"]), default=None, help="Only files of this kind.")
@named_errors
def models_pull(names: tuple[str, ...], kind: Any) -> None:
    """Fetch and check files, so that later runs need no network: the NAMES given, or all models and samples."""
    from facearray import assets

    assets.pull(list(names) or None, kind=kind)
    click.echo("all files are there")
