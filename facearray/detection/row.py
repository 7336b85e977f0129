"""The unit of work: one video, decoded, detected and written as one row of the store."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from numpy.typing import NDArray

from facearray.detection.cache import local_video
from facearray.detection.detector import Detector, Faces
from facearray.detection.parallel import available_cpus, ordered_map
from facearray.detection.prefetch import prefetch
from facearray.detection.slots import Slots, slot_filler
from facearray.detection.sources import Source
from facearray.detection.video import MIN_FRAME_BYTES, Batch, open_video, probe
from facearray.errors import CapacityError, DetectorError, InputError
from facearray.io.store import RowWriter

__all__ = ["RowOptions", "batch_frames", "count_frames", "detect_row", "run_detector"]

#: Uncompressed frames in one batch, in bytes: what bounds memory at high resolutions.
MAX_BATCH_BYTES = 64 * 2**20

#: Frames in one batch at low resolutions: enough to keep the networks' kernels busy.
MAX_BATCH_FRAMES = 32

#: Threads of inference on a CPU; beyond this memory grows faster than speed, and processes are the better way.
MAX_CPU_WORKERS = 8


@dataclass(frozen=True, slots=True)
class RowOptions:
    """How rows are computed.

    Attributes
    ----------
    every
        Every how many frames of the source one is taken.
    batch_size
        Frames in one call of the detector; None chooses by the size of a frame.
    max_faces
        Slots for people.
    slots
        Rule by which they get them, as for :func:`facearray.detection.slots.slot_filler`.
    landmarks, embedding
        Whether they are stored; what the detector gives beyond that is left out.
    threads
        Threads of inference on a CPU; None takes as many as there are CPUs, up to a bound.
    time_limit
        Seconds that a row may take; None for no limit.
    """

    every: int = 1
    batch_size: int | None = None
    max_faces: int = 1
    slots: str = "largest"
    landmarks: bool = True
    embedding: bool = True
    threads: int | None = None
    time_limit: float | None = None


def batch_frames(width: int, height: int, batch_size: int | None = None) -> int:
    """Frames in one batch: the number asked for, or as many as fit the memory set aside for a batch.

    Raises
    ------
    InputError
        If the number asked for takes more than a quarter of the machine's memory.

    Examples
    --------
    >>> batch_frames(640, 360), batch_frames(1920, 1080), batch_frames(7680, 4320)
    (32, 10, 1)
    """
    if batch_size is not None:
        room, wanted = psutil.virtual_memory().total // 4, batch_size * width * height * 3
        if wanted > room:
            raise InputError(
                f"found batch_size={batch_size}: so many frames of {width}x{height} take {wanted / 1e9:,.1f} GB; "
                f"expected at most {room // (width * height * 3)}, a quarter of the memory; or leave it out"
            )
        return batch_size
    return int(np.clip(MAX_BATCH_BYTES // (width * height * 3), 1, MAX_BATCH_FRAMES))


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
    threads = options.threads or min(available_cpus(), MAX_CPU_WORKERS)
    workers = threads if detector.device == "cpu" else 1

    def infer(batch: Batch) -> tuple[Batch, Faces]:
        return batch, run_detector(detector, batch[0])

    def write(slots: Slots) -> None:
        writer.write(
            frame_number=slots.frame_number,
            timestamp=slots.timestamp,
            n_faces_found=slots.n_faces_found,
            track_id=slots.track_id,
            features=slots.features,
            landmarks=slots.landmarks if options.landmarks else None,
            embedding=slots.embedding if options.embedding else None,
        )

    filler = slot_filler(detector, rule=options.slots, max_faces=options.max_faces, embedding=options.embedding)
    with (
        filler,
        local_video(source) as path,
        open_video(path, every=options.every, time_limit=options.time_limit) as video,
        writer,
    ):
        if source.is_remote:
            _require_room(path, writer, options.every)
        size = batch_frames(video.width, video.height, options.batch_size)
        with prefetch(video.batches(size), depth=workers) as batches:
            for (frames, frame_number, timestamp), faces in ordered_map(
                infer, batches, workers=workers, initializer=_one_torch_thread
            ):
                n_frames += len(frames)
                n_faces_found += int(faces.n_found.sum())
                if n_frames > writer.capacity:
                    # Frames that wait for their slots would be written, and refused, only at the end.
                    raise CapacityError(writer.row, writer.capacity, n_frames)
                for slots in filler.add(frame_number, timestamp, faces):
                    write(slots)
                if on_frames is not None:
                    on_frames(len(frames))
        for slots in filler.finish():
            write(slots)
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


def run_detector(detector: Detector, frames: NDArray[np.uint8]) -> Faces:
    """Call a detector and hold it to its promises.

    Raises
    ------
    DetectorError
        With every mismatch between what the detector declares and what it returned, or naming what it raised.
    """
    try:
        faces = detector(frames)
    except Exception as error:
        raise DetectorError(
            f"detector {detector.name!r} raised {type(error).__name__} on {len(frames)} frames of "
            f"{frames.shape[2]}x{frames.shape[1]}: {error}"
        ) from error
    n_face, n_frame = len(faces.frame), len(frames)
    shapes: dict[str, tuple[Any, tuple[int, ...] | None]] = {
        "n_found": (faces.n_found, (n_frame,)),
        "features": (faces.features, (n_face, len(detector.features))),
        "landmarks": (faces.landmarks, _shape(n_face, detector.n_landmarks, 3)),
        "embedding": (faces.embedding, _shape(n_face, detector.n_components)),
    }
    problems = []
    for name, (found, expected) in shapes.items():
        found_shape = None if found is None else found.shape
        if found_shape != expected:
            problems.append(f"found {name} of shape {found_shape}; expected {expected}")
    order = np.diff(faces.frame)
    if n_face and (faces.frame.min() < 0 or faces.frame.max() >= n_frame or (order < 0).any()):
        problems.append(f"found frame positions {faces.frame.tolist()}; expected ascending ones below {n_frame}")
    if problems:
        raise DetectorError(f"detector {detector.name!r} broke its contract: " + "; ".join(problems))
    return faces


def _shape(n_face: int, *rest: int | None) -> tuple[int, ...] | None:
    known = tuple(size for size in rest if size is not None)
    return (n_face, *known) if len(known) == len(rest) else None


def _one_torch_thread() -> None:
    # Batches run side by side, so threads inside an operator would only compete with one another.
    import torch

    torch.set_num_threads(1)
