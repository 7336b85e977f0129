"""From the frames of one video to its faces in slots, wherever the frames come from and the slots go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass

import numpy as np
import psutil
from numpy.typing import NDArray

from facearray.detection.contract import run_detector
from facearray.detection.detector import Detector, Faces
from facearray.detection.devices import free_memory, is_out_of_memory
from facearray.detection.parallel import available_cpus, ordered_map
from facearray.detection.prefetch import prefetch
from facearray.detection.slots import SlotFiller, Slots
from facearray.detection.video import Batch, Video
from facearray.errors import DetectorError, InputError

__all__ = ["RowOptions", "batch_frames", "describe"]

logger = logging.getLogger(__name__)

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


def describe(
    video: Video,
    detector: Detector,
    filler: SlotFiller,
    options: RowOptions,
    *,
    on_batch: Callable[[int, int], object] | None = None,
) -> Generator[Slots]:
    """Find the faces of a video and put them into slots.

    One thread decodes ahead, others infer, so that neither waits for the other.

    Parameters
    ----------
    video
        Open, and not read yet.
    detector
        Called from several threads on a CPU, from one elsewhere.
    filler
        Puts the faces into slots; in its context.
    options
        How the video is looked at.
    on_batch
        Called with the numbers of frames and of faces of each batch, before its slots are given.

    Raises
    ------
    InputError
        If the batches asked for do not fit memory.
    VideoError
        If the video cannot be decoded to its end.
    DetectorError
        If the detector raises, returns what it did not promise, or has too little memory for a single frame.
    """
    size = batch_frames(video.width, video.height, options.batch_size)
    threads = options.threads or min(available_cpus(), MAX_CPU_WORKERS)
    workers = threads if detector.device == "cpu" else 1
    detect = _Adaptive(detector)

    def infer(batch: Batch) -> tuple[Batch, Faces]:
        return batch, detect(batch[0])

    with (
        prefetch(video.batches(size), depth=workers) as batches,
        closing(ordered_map(infer, batches, workers=workers, initializer=_one_torch_thread)) as inferred,
    ):
        for (frames, frame_number, timestamp), faces in inferred:
            if on_batch is not None:
                on_batch(len(frames), int(faces.n_found.sum()))
            yield from filler.add(frame_number, timestamp, faces)
    yield from filler.finish()


class _Adaptive:
    """Calls a detector with as many frames as its device has memory for.

    Values do not depend on the batch, so a batch that does not fit is looked at in halves, and so are those after it.
    """

    def __init__(self, detector: Detector) -> None:
        self._detector = detector
        self._most: int | None = None
        self._lock = threading.Lock()

    def __call__(self, frames: NDArray[np.uint8]) -> Faces:
        try:
            if self._most is None or len(frames) <= self._most:
                return run_detector(self._detector, frames)
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            self._halve(frames, error)
        # Out of the handler, whose traceback holds on to the memory.
        free_memory(self._detector.device)
        size = self._most or 1
        parts = [frames[start : start + size] for start in range(0, len(frames), size)]
        return _joined([self(part) for part in parts], [len(part) for part in parts])

    def _halve(self, frames: NDArray[np.uint8], error: BaseException) -> None:
        detector, (n, height, width) = self._detector, frames.shape[:3]
        if n <= 1:
            raise DetectorError(
                f"detector {detector.name!r} has too little memory on {detector.device} for a single frame of "
                f"{width}x{height} ({error}); expected room for one; use another device (device=), or a smaller video"
            ) from error
        with self._lock:
            if self._most is None or n <= self._most:
                self._most = n // 2
                logger.warning(
                    "%s has too little memory on %s for %d frames of %dx%d at once; going on with %d",
                    *(detector.name, detector.device, n, width, height, n // 2),
                )


def _joined(parts: Sequence[Faces], sizes: Sequence[int]) -> Faces:
    """Put the faces of consecutive parts of a batch together."""
    starts = np.cumsum([0, *sizes[:-1]])

    def together(name: str) -> NDArray[np.float32] | None:
        arrays = [getattr(part, name) for part in parts]
        return None if arrays[0] is None else np.concatenate(arrays)

    return Faces(
        frame=np.concatenate([part.frame + start for part, start in zip(parts, starts, strict=True)]),
        n_found=np.concatenate([part.n_found for part in parts]),
        features=np.concatenate([part.features for part in parts]),
        landmarks=together("landmarks"),
        embedding=together("embedding"),
    )


def _one_torch_thread() -> None:
    # Batches run side by side, so threads inside an operator would only compete with one another.
    import torch

    torch.set_num_threads(1)
