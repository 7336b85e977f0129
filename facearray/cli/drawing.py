"""Commands that draw on videos."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from facearray._words import counted
from facearray.cli.printing import print_json
from facearray.cli.shared import json_option, key_values_option, named_errors, storage_option, store_argument

__all__ = ["render"]

#: Spans of time that are printed.
SHOWN = 10


@click.command()
@click.argument("video")
@store_argument
@click.option(
    "-o",
    "--output",
    "out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="OUT",
    help="The new video: .mp4, .m4v, .mov, .mkv or .webm.",
)
@click.option("--label", metavar="LABEL", help="What VIDEO is called in STORE, where its name does not tell.")
@click.option("--face", "faces", type=int, multiple=True, metavar="N", help="A face to draw; may be repeated.")
@click.option(
    "--draw",
    metavar="NAMES",
    help="Some of boxes,mesh,pose,gaze,aus,emotions with commas, or none; by default all that STORE has.",
)
@click.option("--blur-faces", is_flag=True, help="Blur every face, also those that are not drawn.")
@click.option(
    "--hold",
    type=float,
    metavar="SECONDS",
    help="With --blur-faces: how long a face that is not found stays hidden where it was and will be; by default 2.",
)
@click.option(
    "--keep-unsure",
    is_flag=True,
    help="With --blur-faces: leave frames that may show a face which was not found; you have looked at them.",
)
@click.option("--mesh-only", is_flag=True, help="Draw on black: no pixel of VIDEO is in the new one.")
@click.option("--audio/--no-audio", default=True, show_default=True, help="Whether the sound is kept; voices tell who.")
@click.option("--other-file", is_flag=True, help="VIDEO may be a copy of the file that was read, with the same frames.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there already.")
@click.option("--progress/--no-progress", default=True, help="Whether to show a progress bar on a terminal.")
@storage_option
@key_values_option("video-option", "The same for the URL of VIDEO.")
@json_option
@named_errors
def render(
    video: str,
    store: str,
    out: Path,
    label: str | None,
    faces: tuple[int, ...],
    as_json: bool,
    **options: Any,
) -> None:
    """Write VIDEO again with what STORE says of its faces drawn on it, and faces hidden on demand.

    Every frame keeps its time. To share a video without identities: --blur-faces or --mesh-only, with --no-audio.
    """
    from facearray.plot import render as render_video

    done = render_video(store, video, out, video=label, face=faces or None, **options)
    if as_json:
        print_json(done.to_dict())
        return
    click.echo(f"wrote {done.path}: {counted(done.n_frames, 'frame')}, {done.n_drawn} of them with faces drawn on")
    if options["blur_faces"]:
        click.echo(f"blurred faces in {counted(done.n_hidden, 'frame')}, {done.n_hidden_whole} of them as a whole")
    for note in done.notes:
        click.echo(note, err=True)
    if done.to_check:
        spans = ", ".join(f"{begin:.2f} to {end:.2f} s" for begin, end in done.to_check[:SHOWN])
        more = len(done.to_check) - SHOWN
        click.echo(
            f"fewer faces are hidden than at other times, look there before you share it: {spans}"
            + (f" and {counted(more, 'other span')}" if more > 0 else ""),
            err=True,
        )
