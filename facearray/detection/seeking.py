"""Single frames of a video, from any time on, without decoding what is before."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty
from typing import IO, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from facearray.detection.ffmpeg import DecodeLog, read_header, start_decoding
from facearray.detection.picture import probe_picture, read_picture
from facearray.errors import VideoError

__all__ = ["Decoded", "FrameStream", "SeekableVideo"]

#: Seconds until the line of a frame that has come must have been read; it is there already.
_LINE_TIMEOUT = 60


class Decoded(NamedTuple):
    """A frame (height, width, 3), its presentation time in seconds, and its place behind the first that came."""

    timestamp: float
    place: int
    frame: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class SeekableVideo:
    """A video or picture that frames are taken from here and there.

    Attributes
    ----------
    path
        The file.
    start
        Presentation time at which the file begins, which seeking counts from.
    width, height
        Size of the frames that are given.
    is_picture
        Whether it is a still picture.
    """

    path: str
    start: float
    width: int
    height: int
    is_picture: bool

    @classmethod
    def open(cls, path: str | os.PathLike[str], *, side: int | None = None) -> SeekableVideo:
        """Read the header of a file.

        Parameters
        ----------
        path
            The file.
        side
            Most pixels of the longer side of the frames; larger ones are scaled down.

        Raises
        ------
        VideoError
            If it is no regular file, or neither a video nor a picture.
        """
        path = os.fspath(path)
        name = repr(Path(path).name)
        if not Path(path).is_file():
            raise VideoError(f"{name}: found no such file; expected a video or picture; check the path")
        picture = probe_picture(path)
        if picture is not None:
            return cls(path, 0.0, *_fitted(picture.width, picture.height, side), is_picture=True)
        header, problem = read_header(path)
        if problem is not None or header.displayed_size is None:
            reason = problem or "the size of its frames is unknown"
            raise VideoError(f"{name}: found no video that can be decoded ({reason}); expected one; copy it again")
        return cls(path, header.start, *_fitted(*header.displayed_size, side), is_picture=False)

    def stream(self, seek: float | None = None, *, threads: int = 1) -> FrameStream:
        """Decode from a presentation time on, or from the first frame.

        Where the file's index is not exact, the first frame that comes may be a later one than that time's.

        Raises
        ------
        VideoError
            If nothing can be decoded there.
        """
        after_start = None if seek is None or seek - self.start <= 0 else seek - self.start
        return FrameStream(self, after_start, threads=threads)


class FrameStream(Iterator[Decoded]):
    """Frames in the order of their presentation. Close it to end the decoder; a context manager does.

    Made by :meth:`SeekableVideo.stream`. Unlike :func:`facearray.detection.video.open_video` it does not judge whether
    the video is complete.
    """

    def __init__(self, video: SeekableVideo, seek: float | None, *, threads: int) -> None:
        self._video = video
        self._n = 0
        self._process = None
        if video.is_picture:
            return
        mark = secrets.token_hex(8)
        self._process = start_decoding(
            video.path, every=1, threads=threads, mark=mark, seek=seek, size=(video.width, video.height)
        )
        self._stdout = cast(IO[bytes], self._process.stdout)
        self._log = DecodeLog(cast(IO[bytes], self._process.stderr), video.path, every=1, mark=mark)
        self._log.start()

    def __next__(self) -> Decoded:
        """Decode the next frame.

        Raises
        ------
        VideoError
            If a picture cannot be read, or a frame has no time.
        """
        video, place = self._video, self._n
        self._n += 1
        if video.is_picture:
            if place:
                raise StopIteration
            return Decoded(0.0, 0, _scaled(read_picture(video.path), video.width, video.height))
        frame = np.empty((video.height, video.width, 3), np.uint8)
        if self._stdout.closed or self._stdout.readinto(frame.data.cast("B")) < frame.nbytes:  # type: ignore[attr-defined]
            raise StopIteration
        try:
            shown = self._log.kept.get(timeout=_LINE_TIMEOUT)
        except Empty:
            shown = None
        if shown is None:
            raise VideoError(f"{Path(video.path).name!r}: found a frame without a time; expected one; copy it again")
        return Decoded(shown.timestamp, place, frame)

    def close(self) -> None:
        """End the decoder. Harmless if done before."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.kill()
        self._stdout.close()
        self._process.wait()
        self._log.join()

    def __enter__(self) -> FrameStream:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fitted(width: int, height: int, side: int | None) -> tuple[int, int]:
    scale = 1.0 if side is None else min(1.0, side / max(width, height))
    return max(1, round(width * scale)), max(1, round(height * scale))


def _scaled(frame: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    if frame.shape[:2] == (height, width):
        return frame
    return np.asarray(Image.fromarray(frame).resize((width, height), Image.Resampling.BILINEAR))
