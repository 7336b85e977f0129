"""`detect_frames`: faces in pictures and videos that are in memory, as a Dataset in memory."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from facearray.detection.contract import load_networks
from facearray.detection.detector import Detector
from facearray.detection.inference import RowOptions, describe
from facearray.detection.options import RunOptions
from facearray.detection.picture import rgb_of
from facearray.detection.slots import slot_filler
from facearray.detection.video import Batch, Video, VideoSummary, open_video
from facearray.errors import InputError
from facearray.io.assembling import Row, assemble

if TYPE_CHECKING:
    import torch
    import xarray as xr
    from PIL.Image import Image

    #: What :func:`detect_frames` takes.
    Frames: TypeAlias = NDArray[np.uint8] | torch.Tensor | Image | str | os.PathLike[str]

__all__ = ["detect_frames"]

logger = logging.getLogger(__name__)

#: Frames a second that faces are followed by where nobody says how many there are.
ASSUMED_FPS = 25.0

_EXPECTED = (
    "expected RGB in uint8, of shape (height, width, 3) or (n, height, width, 3), or with the channels before height "
    "and width"
)


def detect_frames(
    frames: Frames,
    *,
    fps: float | None = None,
    label: str | None = None,
    detector: str | Detector = "mediapipe",
    max_faces: int = 1,
    every: int = 1,
    batch_size: int | None = None,
    device: str = "auto",
    runtime: str = "auto",
    compile: bool = False,  # noqa: A002 - torch's name
    landmarks: bool = True,
    embedding: bool = False,
    slots: str = "auto",
) -> xr.Dataset:
    """Find the faces in frames that are in memory; nothing is stored.

    The same as :func:`facearray.detect`, and the same numbers, for notebooks and live use. To look at many pictures one
    after the other, load the detector once: ``detector=fa.detectors.load("mediapipe")``.

    Parameters
    ----------
    frames
        A NumPy array or torch tensor of uint8, RGB: one frame (height, width, 3), several (n, height, width, 3), or the
        same with the channels before height and width, (3, height, width) and (n, 3, height, width), as torch has them.
        A Pillow picture. Or the path of a video or picture, whose frames are decoded a few at a time.
    fps
        Frames a second. Without it there are no times (``timestamp`` is NaN), and people are followed as at 25. A file
        has times of its own.
    label
        Label of the row of the result; by default the name of the file, else ``"frames"``.
    detector, max_faces, every, batch_size, device, runtime, compile, landmarks, embedding, slots
        As for :func:`facearray.detect`.

    Returns
    -------
    xarray.Dataset
        In memory; dims (video, frame, face, feature[, landmark, axis][, component]), with one video and no padding, and
        units as of :func:`facearray.detect`. A frame without a face is NaN.

    Raises
    ------
    InputError
        If the frames have another shape or dtype, or one that can be read in two ways; if there are none; if an option
        has a value that cannot be used.
    VideoError
        If the file cannot be decoded.
    DetectorError
        If the detector raises, or returns what it did not promise.
    AssetError
        If a model file is missing and cannot be fetched.

    Examples
    --------
    >>> import numpy as np
    >>> from facearray.testing import FakeDetector
    >>> ds = detect_frames(np.full((2, 48, 64, 3), 51, np.uint8), fps=25, detector=FakeDetector())
    >>> ds.features.sel(feature="AU12").values.tolist()
    [[[0.20000000298023224], [0.20000000298023224]]]
    """
    options = RunOptions(
        detector=detector,
        max_faces=max_faces,
        every=every,
        batch_size=batch_size,
        device=device,
        runtime=runtime,
        compile=compile,
        landmarks=landmarks,
        embedding=embedding,
        slots=slots,
    )
    if fps is not None and not (isinstance(fps, int | float) and math.isfinite(fps) and fps > 0):
        raise InputError(f"found fps={fps!r}; expected frames a second, a positive number, or None if it is unknown")
    is_file = isinstance(frames, str | os.PathLike)
    if is_file and fps is not None:
        raise InputError(f"found fps={fps!r} for a file; expected None: the file has times of its own")
    source = os.fspath(frames) if is_file else ""  # type: ignore[arg-type]
    with open_video(source, every=every) if is_file else _FrameArray(_rgb(frames), every=every, fps=fps) as video:
        ds = _detect(video, options, label=label or Path(source).name or "frames", source=source)
    if not is_file and fps is None and ds.sizes["frame"] > 1:
        ds["timestamp"] = ds["timestamp"].where(False)  # they were made up, to follow people by
    return ds


def _detect(video: Video, options: RunOptions, *, label: str, source: str) -> xr.Dataset:
    detector = options.load_detector()
    layout = options.layout(detector)
    load_networks(detector)
    row = RowOptions(
        every=options.every, batch_size=options.batch_size, max_faces=options.max_faces, slots=options.slot_rule
    )
    wanted = {"landmarks": layout.n_landmarks is not None, "embedding": layout.n_components is not None}
    filler = slot_filler(detector, rule=row.slots, max_faces=row.max_faces, embedding=options.embedding)
    with filler, closing(describe(video, detector, filler, row)) as described:
        blocks = [slots.arrays(**wanted) for slots in described]
    summary, n_frames = video.summary, sum(len(block["frame_number"]) for block in blocks)
    if summary.n_missing:
        logger.warning("%s: %d frames were lost to damage", label, summary.n_missing)
    record = {
        "n_frames": n_frames,
        "fps": summary.fps,
        "duration": summary.duration,
        "width": summary.width,
        "height": summary.height,
    }
    return assemble(layout, [Row(label=label, source=source, record=record, blocks=blocks)], n_frames)


class _FrameArray(Video):
    """Frames in memory, as a video."""

    def __init__(self, frames: NDArray[np.uint8], *, every: int, fps: float | None) -> None:
        super().__init__("frames")
        self._frames = frames
        self._every = every
        self._fps = math.nan if fps is None else float(fps)
        self.height, self.width = frames.shape[1:3]

    def _batches(self, batch_size: int) -> Iterator[Batch]:
        number = np.arange(0, len(self._frames), self._every, dtype=np.int32)
        for start in range(0, len(number), batch_size):
            some = number[start : start + batch_size]
            rate = self._fps if math.isfinite(self._fps) else ASSUMED_FPS
            yield self._frames[some[0] : some[-1] + 1 : self._every], some, some / rate
        n = len(self._frames)
        self._summary = VideoSummary(n, self._fps, n / self._fps, self.width, self.height)


def _rgb(frames: object) -> NDArray[np.uint8]:
    """Return frames as (n, height, width, 3), whatever holds them.

    Raises
    ------
    InputError
        If they are something else, or could be two things.
    """
    if _is_picture(frames):
        return rgb_of(cast("Image", frames))[None]
    array = frames.detach().cpu().numpy() if _is_tensor(frames) else frames  # type: ignore[attr-defined]
    if not isinstance(array, np.ndarray):
        raise InputError(
            f"found a {type(frames).__name__}; expected a NumPy array, a torch tensor, a Pillow picture or a path; put "
            "a list of frames together with numpy.stack; several files are for facearray.detect"
        )
    found = f"found {array.dtype} of shape {array.shape}"
    if array.dtype != np.uint8:
        raise InputError(f"{found}; {_EXPECTED}; values from 0 to 255 as they are: scale those from 0 to 1 by 255")
    if array.ndim not in (3, 4):
        raise InputError(f"{found}; {_EXPECTED}")
    last, first = array.shape[-1] == 3, array.shape[-3] == 3
    if last and first:
        raise InputError(f"{found}, whose channels may be on either of two axes; expected frames of another width")
    if not last and not first:
        advice = {4: "leave out the alpha channel", 1: "repeat the grey channel three times"}.get(array.shape[-1], "")
        raise InputError(f"{found}; {_EXPECTED}" + (f"; {advice}" if advice else ""))
    batch = array if array.ndim == 4 else array[None]
    batch = batch if last else np.moveaxis(batch, 1, 3)
    if 0 in batch.shape:
        raise InputError(f"{found}, which is no frame; expected at least one")
    return batch


def _is_picture(value: Any) -> bool:
    from PIL.Image import Image

    return isinstance(value, Image)


def _is_tensor(value: Any) -> bool:
    # Without loading torch for those who have no tensors.
    return type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach")
