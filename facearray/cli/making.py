"""Commands that make stores: of videos, of other tools' files, of the samples."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from facearray._words import counted
from facearray.cli.printing import print_json, print_report
from facearray.cli.shared import json_option, key_values_option, named_errors, storage_option
from facearray.detection.slot_rules import SLOT_RULES
from facearray.errors import InputError

if TYPE_CHECKING:
    from facearray.io.lease import Part

__all__ = ["convert", "demo", "detect"]


def _part(text: str | None) -> Part | None:
    from facearray.io.lease import Part

    try:
        return None if text is None else Part.parse(text)
    except InputError as error:
        raise click.BadParameter(str(error)) from None


@click.command()
@click.argument("videos", nargs=-1, required=True)
@click.option("-o", "--output", "store", required=True, metavar="STORE", help="Path or URL of the Zarr store.")
@click.option("--detector", default="mediapipe", show_default=True, help="Name of the detector.")
@click.option("--max-faces", default=1, show_default=True, help="Person slots in each video.")
@click.option("--every", default=1, show_default=True, help="Take every n-th frame of the source.")
@click.option("--batch-size", default=None, type=int, help="Frames in one call of the detector.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda or mps.")
@click.option(
    "--runtime",
    type=click.Choice(["auto", "torch", "litert"]),
    default="auto",
    show_default=True,
    help="What computes the networks; litert is faster on a CPU, and taken where it is installed.",
)
@click.option("--compile", is_flag=True, help="Let torch compile the networks first; they stay in a cache.")
@click.option("--landmarks/--no-landmarks", default=True, show_default=True, help="Whether the face mesh is stored.")
@click.option("--embedding/--no-embedding", default=False, help="Whether people are told apart by their faces.")
@click.option(
    "--slots",
    type=click.Choice(SLOT_RULES),
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
@storage_option
@key_values_option(
    "video-option",
    "The same for URLs of VIDEOS; by default --storage-option, where they are of the store's kind.",
)
@json_option
@named_errors
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

    # What can be refused without a cluster is refused before one is started; the window needs its client.
    alone = RunOptions(**{**options, "window": None})
    with connect(
        workers=workers, scheduler=scheduler, scheduler_file=scheduler_file, meanwhile=alone.load_detector
    ) as client:
        report = run(list(videos), store, RunOptions(client=client, **options))
    part: Part | None = options["part"]
    if as_json:
        summary = report.summary.to_dict()
        print_json({"store": store, "videos": report.rows(), "failed": report.failures, "run": summary})
    elif part is not None and not report.records:
        click.echo(f"{part} has no video of these: there are fewer videos than parts; the other parts compute them")
    else:
        print_report(report)
    sys.exit(1 if report.failures else 0)


@click.command()
@click.argument("files", nargs=-1, required=True)
@click.option("-o", "--output", "store", required=True, metavar="STORE", help="Path or URL of the Zarr store.")
@click.option("--source", default="auto", show_default=True, help="The tool that made the files.")
@click.option("--fps", type=float, help="Frames a second that the frame numbers count, where files have no times.")
@click.option("--overwrite", is_flag=True, help="Delete a store that exists already.")
@storage_option
@json_option
@named_errors
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
        print_json({"store": store, "videos": videos, "failed": failures})
    else:
        done = len(failed) - len(failures)
        frames = counted(int(ds["n_frames"].sum()), "frame")
        click.echo(f"{store}: {frames} of {counted(done, 'video')}; {counted(len(failures), 'file')} failed")
    for fault in faults:
        click.echo(str(fault.message), err=True)
    sys.exit(1 if failures else 0)


@click.command()
@click.option(
    "-o", "--output", type=click.Path(file_okay=False, path_type=Path), default="facearray-demo", show_default=True
)
@named_errors
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
    print_report(outcome)
    write_report(open_store(store), page)
    click.echo(f"\nstore   {store}\nreport  {page}")
    sys.exit(1 if outcome.failures else 0)
