"""The unit of work: one video, decoded, detected and written as one row of the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from facearray.detection.cache import local_video
from facearray.detection.detector import Detector
from facearray.detection.inference import RowOptions, batch_frames, describe
from facearray.detection.slots import slot_filler
from facearray.detection.sources import Source
from facearray.detection.video import MIN_FRAME_BYTES, open_video, probe
from facearray.errors import CapacityError
from facearray.io.store import RowWriter

__all__ = ["RowOptions", "count_frames", "detect_row"]


def detect_row(
    source: Source,
    writer: RowWriter,
    detector: Detector,
    options: RowOptions,
    *,
    on_frames: Callable[[int], object] | None = None,
) -> dict[str, Any]:
    """Decode one video, run the detector over its frames and write its row.

    Parameters
    ----------
    source
        The video or picture.
    writer
        Writer of the row.
    detector
        Called from several threads on a CPU, from one elsewhere.
    options
        How the row is computed.
    on_frames
        Called with the number of frames that were just looked at.

    Returns
    -------
    dict
        The row's record: ``n_frames``, ``n_faces_found`` (over all frames), ``n_missing`` (frames lost to damage),
        ``fps``, ``duration``, ``width``, ``height``, ``seconds``.

    Raises
    ------
    InputError
        If the batches asked for do not fit memory.
    VideoError
        If the video cannot be decoded, or not completely, or not within the time limit; a remote one also if it cannot
        be fetched or has changed.
    DetectorError
        If the detector raises or returns what it did not promise.
    CapacityError
        If the video has more frames than the store has room for.
    StoreError
        If the store, or the cache of remote videos, fails; if there is no room for frames that wait for their slots.
    """
    started = time.perf_counter()
    n_frames = n_faces_found = 0

    def count(frames: int, faces: int) -> None:
        nonlocal n_frames, n_faces_found
        n_frames += frames
        n_faces_found += faces
        if n_frames > writer.capacity:
            # Frames that wait for their slots would be written, and refused, only at the end.
            raise CapacityError(writer.row, writer.capacity, n_frames)
        if on_frames is not None:
            on_frames(frames)

    filler = slot_filler(detector, rule=options.slots, max_faces=options.max_faces, embedding=options.embedding)
    with (
        filler,
        local_video(source) as path,
        open_video(path, every=options.every, time_limit=options.time_limit) as video,
        writer,
    ):
        if source.is_remote:
            _require_room(path, writer, options.every)
        with closing(describe(video, detector, filler, options, on_batch=count)) as described:
            for slots in described:
                writer.write(**slots.arrays(landmarks=options.landmarks, embedding=options.embedding))
        summary = video.summary
    return {
        "n_frames": n_frames,
        "n_faces_found": n_faces_found,
        "n_missing": summary.n_missing,
        "fps": summary.fps,
        "duration": summary.duration,
        "width": summary.width,
        "height": summary.height,
        "seconds": round(time.perf_counter() - started, 3),
    }


def _require_room(path: str, writer: RowWriter, every: int) -> None:
    """Raise before any work if the header promises more frames than fit: nobody read it when the run was planned."""
    n_frames = -(-probe(path).n_frames // every)
    room = max(1, Path(path).stat().st_size // MIN_FRAME_BYTES)
    if min(n_frames, room) > writer.capacity:
        raise CapacityError(writer.row, writer.capacity, min(n_frames, room))


def count_frames(source: Source, options: RowOptions) -> int:
    """Count the frames that a row would store, by decoding all of them.

    Raises
    ------
    VideoError
        If the video cannot be decoded, or not completely, or not within the time limit.
    """
    opened = partial(open_video, every=options.every, time_limit=options.time_limit)
    with local_video(source) as path, opened(path) as video:
        size = batch_frames(video.width, video.height)
        return sum(len(frames) for frames, _, _ in video.batches(size))
