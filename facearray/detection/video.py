"""Videos and pictures as batches of frames, each with its true number and presentation time."""

from __future__ import annotations

import io
import math
import os
import secrets
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, islice
from pathlib import Path
from queue import Empty
from types import TracebackType
from typing import IO, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from facearray.detection.container import declared_size
from facearray.detection.ffmpeg import DecodeLog, ShownFrame, read_header, start_decoding
from facearray.detection.memory import Memory
from facearray.detection.picture import probe_picture, read_picture
from facearray.errors import InputError, VideoError

_T = TypeVar("_T")

#: Bytes that a frame takes at least in any container, to see through headers that lie.
MIN_FRAME_BYTES = 16

_COPY_AGAIN = "copy or export it again"

#: Share of the frames that must come out if there are errors.
_ENOUGH = 0.95

#: Seconds until the line of a frame that has come must have been read. It is there already: this is not time to decode.
_LINE_TIMEOUT = 60

__all__ = ["Batch", "Video", "VideoInfo", "VideoSummary", "open_video", "probe"]

#: Frames (n, height, width, 3), their positions in the decoded stream (n,), their presentation times in seconds (n,).
Batch = tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a file's header says; containers are often wrong about it.

    Attributes
    ----------
    width, height
        Size in pixels as displayed: after rotation. Pixels that are not square are not stretched.
    fps
        Mean frame rate; NaN for a picture or where it is unknown.
    duration
        Length of the longest stream in seconds; NaN for a picture or where it is unknown.
    n_frames
        Estimated number of frames; 1 for a picture, 0 where it is unknown.
    codec
        ffmpeg's name of the codec (``h264``), or the picture format (``jpeg``).
    is_picture
        Whether it is a still picture.
    """

    width: int
    height: int
    fps: float
    duration: float
    n_frames: int
    codec: str
    is_picture: bool


@dataclass(frozen=True, slots=True)
class VideoSummary:
    """What decoding to the end has shown.

    Attributes
    ----------
    n_decoded
        Frames in the stream, those included that `every` left out.
    fps
        Mean frame rate from the presentation times; NaN for a picture.
    duration
        From the presentation of the first frame to the end of the last, in seconds; NaN for a picture. Where the
        last frame's own duration is unknown it is taken to be the mean one.
    width, height
        Size of the frames in pixels.
    n_missing
        Frames that the decoder could not make of what is damaged, as far as the container tells; 0 where it reported no
        errors. The frames after them have lower numbers than in the whole video, but their true times.
    """

    n_decoded: int
    fps: float
    duration: float
    width: int
    height: int
    n_missing: int = 0


class Video(ABC):
    """An open video or picture: a context manager that is read once, from the start. See :func:`open_video`.

    Attributes
    ----------
    width, height
        Size of the frames in pixels.
    time_base
        What presentation times are whole multiples of, in seconds.
    """

    width: int
    height: int
    time_base = Fraction(1, 1000)

    def __init__(self, path: str) -> None:
        self._path = path
        self._started = False
        self._closed = False
        self._summary: VideoSummary | None = None

    def batches(self, batch_size: int) -> Iterator[Batch]:
        """Iterate over the frames.

        Parameters
        ----------
        batch_size
            Frames in each batch; the last one may have fewer.

        Yields
        ------
        frames
            (n, height, width, 3) uint8 RGB, an array of its own for each batch.
        frame_number
            (n,) int32 positions in the decoded stream, from 0.
        timestamp
            (n,) float64 presentation times in seconds, as they are in the file: the first need not be 0.

        Raises
        ------
        InputError
            If `batch_size` is less than 1, or the video was read before or is closed.
        VideoError
            After the last frame, if the video is not complete.
        """
        _require_positive("batch_size", batch_size)
        if self._started or self._closed:
            raise InputError(f"{_name(self._path)} was read or closed before; open it again")
        self._started = True
        return self._batches(batch_size)

    @property
    def summary(self) -> VideoSummary:
        """What decoding has shown; an InputError before the last batch was taken."""
        if self._summary is None:
            raise InputError(f"{_name(self._path)} has not been read to its end; take all batches first")
        return self._summary

    @abstractmethod
    def _batches(self, batch_size: int) -> Iterator[Batch]: ...

    def close(self) -> None:
        """Stop decoding and free everything. Harmless if done before."""
        self._closed = True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def probe(path: str | os.PathLike[str]) -> VideoInfo:
    """Read the header of a video or picture.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    VideoError
        If the file is missing, is empty, is neither a video nor a picture, or is a playlist of other files.
    """
    path = _readable(path)
    picture = _named(path, probe_picture)
    if picture is not None:
        return VideoInfo(picture.width, picture.height, math.nan, math.nan, 1, picture.format, is_picture=True)
    header, problem = read_header(path)
    if problem is not None:
        raise _unreadable(path, f"it cannot be opened ({problem})")
    if header.codec is None or header.displayed_size is None:
        raise _unreadable(path, "the size of its frames is unknown")
    n_frames = 0 if header.fps is None or header.duration is None else math.ceil(header.duration * header.fps)
    return VideoInfo(
        *header.displayed_size,
        fps=math.nan if header.fps is None else header.fps,
        duration=math.nan if header.duration is None else header.duration,
        n_frames=n_frames,
        codec=header.codec,
        is_picture=False,
    )


def open_video(
    path: str | os.PathLike[str], *, every: int = 1, threads: int = 1, time_limit: float | None = None
) -> Video:
    """Open a video or picture for reading.

    Frames are those of the first video stream that is no cover picture, each once, turned as the metadata says, as
    8-bit RGB; alpha is dropped and pixels that are not square are not stretched. Frames of another size than the first
    are scaled to it. A picture (BMP, JPEG, PNG, TIFF, WebP, known by its content) is a video of one frame at 0 s; an
    animated one is a video. A file that only refers to others (ffconcat, HLS, DASH, numbered pictures) is none: what it
    refers to may change without it.

    A video that is not complete is an error, even though its frames are given until then. It counts as not complete

    - if ffmpeg cannot open it or ends with an error;
    - if the demuxer meets the end of the file in the middle of something (Matroska, WebM, MP4, MOV);
    - if the file is shorter than its own headers say (MP4, MOV, AVI, ASF/WMV), be it only the sound that is missing;
    - if the last frame ends more than a second before the end that the header declares, and there are errors there;
    - if there are errors, and less than 95 % of the frames came out that there should be from the beginning of the
      stream to the last frame: by the mean rate, and at most those that the container lists (MP4, MOV); by the rate
      alone elsewhere, if it is constant.

    Other errors in the middle of a stream are not: the decoder conceals them, and old recordings have them. How many
    frames were lost is ``summary.n_missing``. Neither are differences between the header and the frames without errors:
    edit lists, variable rates and wrong headers make them. A cut
    cannot be known where the format declares no length (transport and program streams, Ogg, FLV, GIF, raw streams):
    such a file is complete up to where it ends. Frames lost within an AVI are not noticed: they have no times there.

    Parameters
    ----------
    path
        The file.
    every
        Give the frames 0, `every`, 2·`every`, … only; the others are decoded, but cost nothing more.
    threads
        Threads of the decoder.
    time_limit
        Seconds after which decoding is given up, be it slow or stuck; None for no limit. Waiting counts, also that of
        the decoder for its reader.

    Raises
    ------
    VideoError
        If the file is missing, is empty, is neither a video nor a picture, is a playlist of other files, is known not
        to be complete, or takes longer than the limit.
    InputError
        If `every` or `threads` is less than 1.

    Examples
    --------
    >>> with open_video("interview.mp4", every=5) as video:  # doctest: +SKIP
    ...     for frames, frame_number, timestamp in video.batches(32):
    ...         print(frames.shape, frame_number[0], timestamp[0])
    ...     print(video.summary.n_decoded)
    """
    _require_positive("every", every)
    _require_positive("threads", threads)
    path = _readable(path)
    if _named(path, probe_picture) is not None:
        return _Picture(path)
    return _Stream(path, every=every, threads=threads, time_limit=time_limit)


class _Picture(Video):
    """A picture, as a video of one frame."""

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self._frame = _named(path, read_picture)
        self.height, self.width = self._frame.shape[:2]

    def _batches(self, batch_size: int) -> Iterator[Batch]:  # noqa: ARG002  (one frame fits any batch)
        yield self._frame[None], np.zeros(1, np.int32), np.zeros(1)
        self._summary = VideoSummary(1, math.nan, math.nan, self.width, self.height)


class _Stream(Video):
    """A video that ffmpeg decodes into a pipe."""

    def __init__(self, path: str, *, every: int, threads: int, time_limit: float | None) -> None:
        super().__init__(path)
        self._every = every
        self._time_limit = time_limit
        self._given_up = False
        self._n_missing = 0
        expected, found = declared_size(path), Path(path).stat().st_size
        if expected is not None and found < expected:
            raise _unreadable(path, f"it is cut off (found {found} bytes; its headers say {expected})")
        mark = secrets.token_hex(8)
        self._process = start_decoding(path, every=every, threads=threads, mark=mark)
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._log = DecodeLog(cast(IO[bytes], self._process.stderr), path, every=every, mark=mark)
        self._log.start()
        self._timer = threading.Timer(time_limit or 0, self._give_up)
        self._timer.daemon = True
        if time_limit is not None:
            self._timer.start()
        try:
            # Wait for ffmpeg here; from its log only what must have been written by now is taken.
            cast(io.BufferedReader, self._stdout).peek(1)
            shown = self._shown()
            first = next(shown, None)
            if first is None:
                raise self._incomplete(0) or AssertionError("ffmpeg decodes no frame and sees no problem")
        except BaseException:
            self.close()
            raise
        self.width, self.height = first.width, first.height
        self.time_base = self._log.time_base or self.time_base
        self._kept = chain([first], shown)

    def _batches(self, batch_size: int) -> Iterator[Batch]:
        n_read, n = 0, batch_size
        memory = Memory(batch_size * self.height * self.width * 3)
        while n == batch_size:
            if self._closed:
                raise InputError(f"{_name(self._path)} was closed while it was read; open it again")
            frames = memory.take().reshape(batch_size, self.height, self.width, 3)
            n_bytes = cast(io.BufferedReader, self._stdout).readinto(frames.data.cast("B"))
            n_given = n_bytes // frames[0].nbytes
            timestamp = np.array([frame.timestamp for frame in islice(self._kept, n_given)])
            n = len(timestamp)
            if n:
                yield frames[:n], np.arange(n_read, n_read + n, dtype=np.int32) * np.int32(self._every), timestamp
            del frames  # or its memory would still be in use when the next batch asks for some
            n_read += n_given
        if (error := self._incomplete(n_read)) is not None:
            raise error
        self._summary = _summarize(self._log, self.width, self.height, self._n_missing)

    def _shown(self) -> Iterator[ShownFrame]:
        """Iterate over the lines of frames that have come."""
        try:
            yield from iter(lambda: self._log.kept.get(timeout=_LINE_TIMEOUT), None)
        except Empty:
            raise _unreadable(self._path, "ffmpeg gives frames without saying when they are presented") from None

    def _give_up(self) -> None:
        self._given_up = True
        self._process.kill()

    def _incomplete(self, n_read: int) -> VideoError | None:
        """Wait for the end and make the error if it is not that of the video."""
        self._stdout.close()
        returncode = self._process.wait()
        self._timer.cancel()
        self._log.join()
        if self._given_up:
            return over_time(self._path, self._time_limit or 0)
        problem = self._log.problem(returncode)
        n_kept = -(-self._log.n_decoded // self._every)
        if problem is None and n_read != n_kept:
            problem = f"{n_read} of {n_kept} frames came from ffmpeg"
        if problem is None:
            n_decoded = self._log.n_decoded
            self._n_missing = self._log.n_missing()
            n_expected = n_decoded + self._n_missing
            if n_decoded < _ENOUGH * n_expected:
                problem = f"found {n_decoded} frames with decoding errors; the file promises {n_expected}"
        return None if problem is None else _unreadable(self._path, problem)

    def close(self) -> None:
        super().close()
        self._timer.cancel()
        if self._process.poll() is None:
            self._process.kill()
        self._stdout.close()
        self._process.wait()
        self._log.join()


def _summarize(log: DecodeLog, width: int, height: int, n_missing: int) -> VideoSummary:
    if log.elapsed:
        step, fps = log.elapsed / (log.n_decoded - 1), (log.n_decoded - 1) / log.elapsed
    else:
        step = log.last_duration or math.nan
        fps = 1 / step
    return VideoSummary(log.n_decoded, fps, log.elapsed + (log.last_duration or step), width, height, n_missing)


def _readable(path: str | os.PathLike[str]) -> str:
    """Return the path as text if it is that of a file with something in it."""
    path = os.fspath(path)
    file = Path(path)
    advice = "check the path"
    try:
        if file.is_dir():
            problem = "it is a folder without videos or pictures directly in it"
        elif not file.exists():
            problem = "there is no such file"
        elif not file.is_file():
            problem = "it is not a regular file"
        elif file.stat().st_size == 0:
            problem, advice = "the file is empty", _COPY_AGAIN
        else:
            with file.open("rb"):
                return path
    except OSError as error:
        problem = f"it cannot be read ({error.strerror})"
    raise _unreadable(path, problem, advice)


def _named(path: str, read: Callable[[str], _T]) -> _T:
    """Read a picture; its errors do not know the name of the file."""
    try:
        return read(path)
    except VideoError as error:
        raise VideoError(f"{_name(path)}: {error}") from error


def over_time(path: str, time_limit: float) -> VideoError:
    """Make the error for a video that takes longer than it may."""
    return VideoError(
        f"{_name(path)}: found no end after {time_limit:g} s; expected the row within the time limit; raise it "
        "(time_limit=, --time-limit) and try again with retry_failed=True (--retry-failed)"
    )


def _unreadable(path: str, problem: str, advice: str = _COPY_AGAIN) -> VideoError:
    return VideoError(f"{_name(path)}: {problem}; expected a complete video or picture; {advice}")


def _name(path: str) -> str:
    return repr(Path(path).name or path)


def _require_positive(name: str, value: int) -> None:
    if value < 1:
        raise InputError(f"{name}: found {value!r}; expected a whole number of at least 1")
