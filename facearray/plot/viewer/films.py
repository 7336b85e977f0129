"""Frames of the listed videos as JPEG pictures, decoded where they are asked for."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from facearray.detection.seeking import Decoded, FrameStream, SeekableVideo
from facearray.errors import VideoError
from facearray.plot._jpeg import jpeg

__all__ = ["Bounded", "Film", "thumbnail"]

_V = TypeVar("_V")

#: Longest side of frames and of thumbnails, in pixels.
FRAME_SIDE, THUMBNAIL_SIDE = 960, 160

#: Of the JPEG pictures.
QUALITY = 85

#: Stored frames up to which decoding goes on instead of starting anew, and those that are kept before one that is
#: stepped back to.
AHEAD, BEHIND = 50, 20

#: Seconds before the wanted frame at which decoding starts; the next is tried where a file's index is not exact.
_LEADS = (0.0, 3.0)

#: Seconds after which looking for a frame is given up.
_TIME_LIMIT = 60.0


class Bounded(Generic[_V]):
    """A mapping that forgets what was not used for longest when its values grow too large; safe among threads.

    Parameters
    ----------
    most
        Sum of the sizes that are kept.
    size
        Size of a value; by default each counts 1.
    forget
        Called with every value that is dropped.
    """

    def __init__(
        self, most: int, size: Callable[[_V], int] = lambda _: 1, forget: Callable[[_V], object] = lambda _: None
    ) -> None:
        self._most, self._size, self._forget = most, size, forget
        self._values: OrderedDict[Hashable, _V] = OrderedDict()
        self._total = 0
        self._lock = threading.Lock()

    def get(self, key: Hashable) -> _V | None:
        """Return a value, which counts as used now."""
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
            return self._values.get(key)

    def put(self, key: Hashable, value: _V) -> None:
        """Keep a value."""
        dropped = []
        with self._lock:
            if key in self._values:
                dropped.append(self._pop(key))
            self._values[key] = value
            self._total += self._size(value)
            while self._total > self._most and len(self._values) > 1:
                dropped.append(self._pop(next(iter(self._values))))
        for old in dropped:
            self._forget(old)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            dropped = list(self._values.values())
            self._values.clear()
            self._total = 0
        for old in dropped:
            self._forget(old)

    def _pop(self, key: Hashable) -> _V:
        value = self._values.pop(key)
        self._total -= self._size(value)
        return value

    def __len__(self) -> int:
        return len(self._values)


class Film:
    """The file of a row, of which any stored frame can be decoded; safe among threads.

    Where times increase, a frame is known by its presentation time. Elsewhere (joined recordings, frames without times)
    it is known by its number, for which everything before it has to be decoded.

    Parameters
    ----------
    path
        The file.
    number
        (n,) positions of the stored frames in the decoded stream.
    seconds
        (n,) their times.

    Raises
    ------
    VideoError
        If the file cannot be decoded.
    """

    def __init__(self, path: str, number: NDArray[np.integer], seconds: NDArray[np.float64]) -> None:
        self._name = repr(Path(path).name)
        self._number, self._seconds = number, seconds
        self._video = SeekableVideo.open(path, side=FRAME_SIDE)
        steps = np.diff(seconds)
        self._by_time = not self._video.is_picture and len(steps) > 0 and bool((steps > 0).all())
        self._tolerance = 0.5 * float(np.median(steps / np.maximum(np.diff(number), 1))) if self._by_time else 0.0
        self._offset: float | None = None
        self._lock = threading.Lock()
        self._stream: FrameStream | None = None
        self._last = -1
        self._asked = -1
        self._closed = False
        self.pictures: Bounded[bytes] = Bounded(24 * 2**20, len)

    def picture(self, position: int) -> bytes:
        """Return the JPEG picture of a stored frame.

        Raises
        ------
        VideoError
            If the file has no such frame.
        """
        found = self.pictures.get(position)
        if found is None:
            with self._lock:
                # another thread may have passed by it
                found = self.pictures.get(position) or self._decode(position)
                if self._closed:
                    self._end()
        self._asked = position
        return found

    def close(self) -> None:
        """End the decoder, now and after every later picture."""
        self._closed = True
        with self._lock:
            self._end()

    def _end(self) -> None:
        if self._stream is not None:
            self._stream.close()
        self._stream = None

    def _decode(self, position: int) -> bytes:
        until = time.monotonic() + _TIME_LIMIT
        if self._stream is not None and self._last < position <= self._last + AHEAD:
            found = self._advance(position, self._last, until)
            if found is not None:
                return found
        # who steps back will do so again
        first = max(0, position - BEHIND) if position == self._asked - 1 else position
        for seek in self._places(first):
            self._end()
            self._stream, self._last = self._video.stream(seek, threads=2), -1
            found = self._advance(position, first - 1, until)
            if found is not None:
                return found
        self._end()
        raise VideoError(
            f"{self._name}: found no frame {self._number[position]} at {self._seconds[position]:.3f} s; expected "
            "the file that the store was made from; name the folder that holds it with --videos (videos=)"
        )

    def _places(self, position: int) -> list[float | None]:
        """Return times to decode from; None is the beginning."""
        if not self._by_time:
            return [None]
        wanted = self._seconds[position] + self._shift()
        return [*(wanted - self._tolerance - lead for lead in _LEADS), None]

    def _advance(self, position: int, behind: int, until: float) -> bytes | None:
        """Decode up to a stored frame; keep the pictures of those behind another one."""
        for decoded in self._stream or ():
            self._last = self._position(decoded, self._last)
            if self._last > position or time.monotonic() > until:
                return None
            if behind < self._last and self._matches(decoded, self._last):
                found = jpeg(decoded.frame, QUALITY)
                self.pictures.put(self._last, found)
                if self._last == position:
                    return found
        return None

    def _position(self, decoded: Decoded, last: int) -> int:
        """Return the last stored frame that is not later than a decoded one."""
        if not self._by_time:
            return int(np.searchsorted(self._number, decoded.place, side="right")) - 1
        moment = decoded.timestamp - self._shift() + self._tolerance
        return max(last, int(np.searchsorted(self._seconds, moment, side="right")) - 1)

    def _matches(self, decoded: Decoded, position: int) -> bool:
        if not self._by_time:
            return int(self._number[position]) == decoded.place
        return bool(abs(decoded.timestamp - self._shift() - self._seconds[position]) <= self._tolerance)

    def _shift(self) -> float:
        """Seconds by which the file's times are later than those stored, which other tools count from 0."""
        if self._offset is None:
            with self._video.stream() as stream:
                first = next(stream, None)
            native = 2 * self._tolerance
            expected = float(self._seconds[0]) - native * int(self._number[0])
            offset = 0.0 if first is None else first.timestamp - expected
            self._offset = offset if abs(offset) > self._tolerance else 0.0
        return self._offset


def thumbnail(path: str, seconds: float) -> bytes:
    """Return a small JPEG picture of a video.

    Parameters
    ----------
    path
        The file.
    seconds
        Seconds after its beginning of the frame to show; where there is none, it is the first.

    Raises
    ------
    VideoError
        If the file cannot be decoded.
    """
    video = SeekableVideo.open(path, side=THUMBNAIL_SIDE)
    places = [video.start + seconds, None] if np.isfinite(seconds) and seconds > 0 else [None]
    for place in places:
        with video.stream(place) as stream:
            decoded = next(stream, None)
        if decoded is not None:
            return jpeg(decoded.frame, QUALITY)
    raise VideoError(f"{Path(path).name!r}: found no frame that can be decoded; expected one; copy the file again")
