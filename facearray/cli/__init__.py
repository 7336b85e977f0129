"""The command line, `facearray COMMAND`; one module for each group of commands.

Exit codes: 0 everything asked for is done, 1 something is not done or failed (and is named), 2 wrong usage.
"""

from __future__ import annotations

import io
import sys

import click

from facearray import __version__
from facearray.cli.assets import models
from facearray.cli.drawing import render
from facearray.cli.making import convert, demo, detect
from facearray.cli.stores import export, finalize, info, report, status
from facearray.cli.viewing import view

__all__ = ["main"]


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="facearray")
def main() -> None:
    """Faces in videos as one labelled dataset."""
    # A file name or label that the terminal has no letters for must not end a run.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


for _command in (detect, convert, status, info, finalize, export, report, render, view, models, demo):
    main.add_command(_command)
