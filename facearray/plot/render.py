"""Videos with what was found drawn on them, or with faces hidden."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr
from zarr.abc.store import Store as ZarrStore

from facearray import schema
from facearray._words import counted, some
from facearray.detection.cache import local_video
from facearray.detection.ffmpeg import read_header
from facearray.detection.prefetch import prefetch
from facearray.detection.progress import Progress
from facearray.detection.sources import Source, find_videos, none_exists
from facearray.detection.video import Video, open_video, probe
from facearray.errors import InputError, MismatchError, unknown_names
from facearray.io.exporters.staging import staged_files
from facearray.io.journal import Journal
from facearray.io.location import StoreLike, check_options
from facearray.io.reading import open_store
from facearray.plot.overlay.clock import Clock
from facearray.plot.overlay.encoder import Encoder, Sound, format_of
from facearray.plot.overlay.hiding import Hiding
from facearray.plot.overlay.rows import Row, bar_names, chosen_elements, has_boxes, row_of
from facearray.plot.overlay.scene import Scene

__all__ = ["HOLD", "Rendered", "render"]

#: Seconds for which a face stays hidden where it was, or is going to be, while it is not found.
HOLD = 2.0

#: Bytes of frames in one batch, and batches that are decoded ahead.
_BATCH_BYTES, _AHEAD = 2**24, 2


@dataclass(frozen=True, slots=True)
class Rendered:
    """What was rendered.

    Attributes
    ----------
    path
        The file.
    video
        Label of its row.
    n_frames
        Frames in it.
    n_drawn
        Frames with a face on which something was drawn.
    n_hidden
        Frames in which something is hidden.
    n_hidden_whole
        Frames all of which is hidden.
    to_check
        Begin and end in seconds of each span in which fewer faces are hidden than were found at other times: whoever
        shares the video should look at them. Empty unless faces are blurred.
    notes
        Sentences on what could not be drawn.
    """

    path: Path
    video: str
    n_frames: int
    n_drawn: int
    n_hidden: int
    n_hidden_whole: int
    to_check: tuple[tuple[float, float], ...]
    notes: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the attributes as JSON values."""
        return asdict(self) | {"path": str(self.path), "to_check": [list(span) for span in self.to_check]}


def render(
    ds: xr.Dataset | StoreLike,
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    video: str | None = None,
    face: int | Iterable[int] | None = None,
    draw: str | Iterable[str] | None = None,
    blur_faces: bool = False,
    hold: float | None = None,
    keep_unsure: bool = False,
    mesh_only: bool = False,
    audio: bool = True,
    other_file: bool = False,
    overwrite: bool = False,
    progress: bool = True,
    storage_options: Mapping[str, Any] | None = None,
    video_options: Mapping[str, Any] | None = None,
) -> Rendered:
    """Write a video again, with what was found drawn on it, and faces hidden on demand.

    Every frame is in the new video, at its own time; sound is copied where the container holds its kind. Titles, places
    and other metadata of the source are left out. Frames are read, drawn and written one after another, so that memory
    does not depend on the video's length, but for some dozen bytes a frame. What is at `out` is a complete video or
    none, whenever it is interrupted.

    Parameters
    ----------
    ds
        Detections, or the path, URL or object of a store with them. By the path or URL of a store it is checked that
        the video is the file that was read.
    source
        Path or URL of the video.
    out
        Where to: a file that ends in ``.mp4``, ``.m4v``, ``.mov``, ``.mkv`` (all H.264) or ``.webm`` (VP9).
    video
        Label of the video in `ds`; by default the one that was read from `source`, or that its path ends in.
    face
        The slots to draw; by default all. All faces are hidden, whichever are drawn.
    draw
        What to draw, as a string with commas between the names or a list: ``boxes``, ``mesh`` (the landmarks), ``pose``
        (the head's axes: to its right in red, up in green, out of the face in blue), ``gaze``, ``aus`` and ``emotions``
        (bars from 0 to 1; grey letters where there is no value). By default all that `ds` has; ``"none"`` for nothing.
    blur_faces
        Whether faces are blurred, before anything is drawn; see Notes.
    hold
        With `blur_faces`: seconds for which a face stays hidden where it was and will be while it is not found; by
        default 2.
    keep_unsure
        With `blur_faces`: whether frames that may show a face that was not found are left as they are. You have looked
        at them then.
    mesh_only
        Whether to draw on black, so that no pixel of the source is in the new video.
    audio
        Whether the sound is kept. Voices tell who speaks.
    other_file
        Whether the video may be another file than the one that was read, such as a compressed copy; its frames have to
        be the same ones.
    overwrite
        Whether a file that is there is replaced.
    progress
        Whether a bar is shown on a terminal.
    storage_options, video_options
        Options of the file systems that URLs of the store and of the video name.

    Returns
    -------
    Rendered
        What was done.

    Raises
    ------
    InputError
        If an argument cannot be used: the suffix of `out` is unknown, there is no folder for it, it is the source or
        there already; there is no such label, face or element, or no values for it.
    MismatchError
        If the video is another file than the one that was read, or its frames have another size.
    VideoError
        If nothing is known of the video yet, it cannot be decoded, not completely, or the new one cannot be encoded.

    See Also
    --------
    landmarks : one frame, to look around in.

    Notes
    -----
    With ``every`` > 1 a frame that was not looked at shows the values of the last one before it that was.

    Blurred are the box and the landmarks of each face, grown by two fifths of its size. A face that is not found in a
    frame, or that nobody looked for in it, stays hidden where it was and where it will be next, for `hold` seconds, in
    a region that grows with time. A whole frame is blurred

    - if more faces were found in it than the store has a place for;
    - unless `keep_unsure`: if a face is gone for longer and comes back later, or no face is known in it.

    A person whom the detector never finds, or who is out of sight for longer than `hold` while others are found and
    does not come back, is not hidden: ``to_check`` lists when fewer faces are hidden than at other times.

    Examples
    --------
    >>> render("study.zarr", "interview.mp4", "interview_drawn.mp4")  # doctest: +SKIP
    >>> render("study.zarr", "interview.mp4", "shared.mp4", blur_faces=True, draw="none", audio=False)  # doctest: +SKIP
    """
    check_options(storage_options, None if isinstance(ds, xr.Dataset) else ds)
    _check_options(blur_faces=blur_faces, hold=hold, keep_unsure=keep_unsure, mesh_only=mesh_only)
    out = Path(out)
    form = format_of(out)
    film = _one_video(source, video_options)
    if out.exists() and not film.is_remote and out.samefile(film.path):
        raise InputError(f"{out}: found the video itself as what is to be written; expected another path")
    data = ds if isinstance(ds, xr.Dataset) else open_store(ds, storage_options=storage_options)
    schema.validate(data)
    place = row_of(data, film, video)
    # nothing is beside a store object
    if not isinstance(ds, xr.Dataset | ZarrStore) and not other_file:
        _check_fingerprint(data, Journal.beside(ds, storage_options=storage_options), place, film)
    one = data.isel(video=place)
    row = Row(one)
    elements = chosen_elements(one, _names(draw))
    if mesh_only and "mesh" not in elements:
        raise InputError(
            "mesh_only: found no landmarks to draw; expected them in the store, and 'mesh' in what is drawn"
        )
    make_scene = partial(
        Scene,
        row,
        faces=_face_positions(row, face),
        elements=elements,
        bars=[bar_names(one, group) for group in ("aus", "emotions") if group in elements],
        hiding=_hiding(one, row, HOLD if hold is None else hold, keep_unsure=keep_unsure) if blur_faces else None,
        black=mesh_only,
    )
    with (
        staged_files(out, overwrite=overwrite) as (staging,),
        local_video(film) as path,
        open_video(path) as opened,
    ):
        size = (opened.width, opened.height)
        _check_size(one, size)
        header, _ = read_header(path)
        scene = make_scene(size)
        with (
            Progress({place: probe(path).n_frames}, enabled=progress) as bars,
            Encoder(
                staging,
                form,
                size=size,
                time_base=opened.time_base,
                sample_aspect=header.sample_aspect,
                sound=Sound(path, header.audio) if audio and header.audio else None,
            ) as encoder,
        ):
            n_frames = _encode(opened, scene, encoder, partial(bars.frames, place))
            if len(row.number) and row.number[-1] >= n_frames:
                raise MismatchError(
                    f"{film.label!r}: found {counted(n_frames, 'frame')}; expected at least {row.number[-1] + 1}, as "
                    "the store has values of a frame at that place; name the video that was read"
                )
            encoder.finish()
    return Rendered(
        out,
        str(one["video"].item()),
        n_frames,
        scene.n_drawn,
        scene.n_hidden,
        scene.n_hidden_whole,
        tuple(scene.to_check),
        tuple(scene.notes),
    )


def _encode(video: Video, scene: Scene, encoder: Encoder, tell: Callable[[int], object]) -> int:
    """Draw and encode all frames of a video; return how many there are."""
    n_frames = 0
    batch_size = max(1, _BATCH_BYTES // (3 * video.width * video.height))
    clock = Clock(float(video.time_base))
    with prefetch(video.batches(batch_size), depth=_AHEAD) as batches:
        for frames, numbers, times in batches:
            for pixels, number, seconds in zip(frames, numbers.tolist(), times.tolist(), strict=True):
                at = clock(seconds)
                encoder.write(scene.draw(pixels, number, at), at)
                n_frames += 1
            tell(n_frames)
    return n_frames


def _check_options(*, blur_faces: bool, hold: float | None, keep_unsure: bool, mesh_only: bool) -> None:
    problems = []
    if not blur_faces and hold is not None:
        problems.append(f"found hold={hold} without blur_faces; expected both")
    if not blur_faces and keep_unsure:
        problems.append("found keep_unsure without blur_faces; expected both")
    if blur_faces and mesh_only:
        problems.append("found blur_faces and mesh_only; expected one of them: with mesh_only no face is to be seen")
    if hold is not None and not (math.isfinite(hold) and hold >= 0):
        problems.append(f"found hold={hold}; expected a number of seconds")
    if problems:
        raise InputError("; ".join(problems))


def _names(draw: str | Iterable[str] | None) -> list[str] | None:
    if draw is None:
        return None
    names = [part.strip() for part in draw.split(",")] if isinstance(draw, str) else list(draw)
    return [] if names in (["none"], [""]) else names


def _one_video(source: str | os.PathLike[str], options: Mapping[str, Any] | None) -> Source:
    found = find_videos(source, lambda _: options)
    if len(found) != 1:
        raise InputError(f"found {some(each.label for each in found)} for {os.fspath(source)!r}; expected one video")
    if not found[0].exists:
        raise none_exists(found)
    return found[0]


def _check_fingerprint(ds: xr.Dataset, journal: Journal, row: int, film: Source) -> None:
    """Make sure that a video is the file that was read, as far as the journal of a store says which that was."""
    # what other tools found was read from their files, of which the journal has the fingerprints then
    if "every" not in json.loads(str(ds.attrs.get("options", "{}"))):
        return
    expected = journal.fingerprints().get(row)
    if expected is not None and expected != film.fingerprint:
        raise MismatchError(
            f"{film.label!r}: found {film.location} (fingerprint {film.fingerprint}); expected what was read from "
            f"{ds['source'].to_numpy()[row]} (fingerprint {expected}); name that file or, if this is a copy with the "
            "same frames, pass other_file=True (--other-file)"
        )


def _check_size(one: xr.Dataset, size: tuple[int, int]) -> None:
    expected = (int(one["width"]), int(one["height"]))
    if min(expected) > 0 and expected != size:
        raise MismatchError(
            f"{one['video'].item()!r}: found frames of {size[0]} x {size[1]} pixels; expected {expected[0]} x "
            f"{expected[1]}, in which faces were found; name the video that was read"
        )


def _face_positions(row: Row, face: int | Iterable[int] | None) -> list[int]:
    if face is None:
        return list(range(len(row.faces)))
    names = [str(name) for name in row.faces]
    asked = [str(name) for name in ([face] if isinstance(face, int | str) else face)]
    if unknown := [name for name in asked if name not in names]:
        raise unknown_names("face", unknown, names)
    return sorted({names.index(name) for name in asked})


def _hiding(one: xr.Dataset, row: Row, hold: float, *, keep_unsure: bool) -> Hiding:
    if "landmarks" not in one and not has_boxes(one):
        raise InputError(
            "blur_faces: found neither boxes nor landmarks in the store; expected either, to know where faces are; "
            "detect them with a detector that says it"
        )
    return Hiding(row.sightings(), hold=hold, keep_unsure=keep_unsure)
