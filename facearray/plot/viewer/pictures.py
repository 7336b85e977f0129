"""Pictures and points of the videos of a catalog, by the number of a row."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np

from facearray._secrets import mask_secrets
from facearray.errors import VideoError
from facearray.plot.viewer.catalog import Catalog
from facearray.plot.viewer.drawn_face import drawn_face
from facearray.plot.viewer.films import Bounded, Film, thumbnail
from facearray.plot.viewer.locating import Locator
from facearray.plot.viewer.recording import BLOCK, Recording

__all__ = ["UNREADABLE", "Pictures"]

#: Films that are kept open, bytes of thumbnails and of points.
_FILMS, _THUMBNAIL_BYTES, _OVERLAY_BYTES = 3, 16 * 2**20, 64 * 2**20

#: Threads that decode frames, read points, decode thumbnails, and compute; few, because each may start a decoder.
_FRAME_THREADS, _OVERLAY_THREADS, _THUMBNAIL_THREADS, _WORK_THREADS = 3, 1, 2, 2

#: Seconds after which a film that nobody looks at is closed.
_IDLE = 60.0

#: What reading a damaged or vanished store raises, besides our own errors.
UNREADABLE = (OSError, ValueError, RuntimeError, KeyError)


class Pictures:
    """Pictures and points of the videos of a catalog, in memory that is bounded; safe among threads."""

    def __init__(self, catalog: Catalog, locator: Locator) -> None:
        self.catalog = catalog
        self._locator = locator
        self._used = 0.0
        self._films: Bounded[_Opened] = Bounded(_FILMS, forget=lambda opened: opened.close())
        self._thumbnails: Bounded[bytes] = Bounded(_THUMBNAIL_BYTES, len)
        self._overlays: Bounded[bytes] = Bounded(_OVERLAY_BYTES, len)
        self.frame_threads = ThreadPoolExecutor(_FRAME_THREADS, "facearray-frames")
        self.overlay_threads = ThreadPoolExecutor(_OVERLAY_THREADS, "facearray-points")
        self.thumbnail_threads = ThreadPoolExecutor(_THUMBNAIL_THREADS, "facearray-thumbnails")
        self.face_threads = ThreadPoolExecutor(1, "facearray-faces")
        self.work_threads = ThreadPoolExecutor(_WORK_THREADS, "facearray-work")

    def frame(self, row: int, position: int) -> bytes:
        """Return the JPEG picture of a real frame.

        Raises
        ------
        FaceArrayError
            If there is no such frame, or its file is not at hand.
        """
        recording = self.catalog.recording(row)
        if not 0 <= position < recording.n_frames:
            raise VideoError(f"found frame {position}; expected one of the {recording.n_frames} of {recording.label!r}")
        self._used = time.monotonic()
        opened = self._films.get(row)
        if opened is None or opened.recording is not recording:
            opened = _Opened(recording, self._locator)
            self._films.put(row, opened)
        return opened.film().picture(position)

    def thumbnail(self, row: int) -> bytes:
        """Return a small JPEG picture of the middle of a video; nothing is fetched for it.

        Raises
        ------
        FaceArrayError
            If there is no such row, or its file is not at hand.
        """
        catalog = self.catalog
        if not 0 <= row < len(catalog.labels):
            raise VideoError(f"found row {row}; expected one of the {len(catalog.labels)} videos")
        found = self._thumbnails.get(row)
        if found is None:
            locator = Locator(self._locator.folder)
            with locator.file(catalog.labels[row], catalog.sources[row]) as path:
                found = thumbnail(path, float(catalog.duration[row]) / 2)
            self._thumbnails.put(row, found)
        return found

    def overlay(self, row: int, block: int) -> bytes:
        """Return a block of boxes and points as little-endian float32.

        First the numbers of frames, faces and landmarks, then boxes (frame, face, 4) and points (frame, face,
        landmark, 2).

        Raises
        ------
        FaceArrayError
            If there is no such block.
        """
        recording = self.catalog.recording(row)
        if not 0 <= block * BLOCK < max(recording.n_frames, 1):
            raise VideoError(f"found block {block} of points; expected one that {recording.label!r} has")
        key = (row, block, id(recording))
        found = self._overlays.get(key)
        if found is None:
            boxes, points = recording.overlay(block)
            found = np.array(points.shape[:3], "<f4").tobytes() + boxes.tobytes() + points.tobytes()
            self._overlays.put(key, found)
        return found

    def face(self, row: int, position: int, face: int) -> bytes:
        """Return the PNG picture of the face that is drawn from the numbers of a frame.

        Raises
        ------
        FaceArrayError
            If there is no such frame or face, or it has no action units.
        """
        recording = self.catalog.recording(row)
        if not (0 <= position < recording.n_frames and 0 <= face < recording.ds.sizes["face"]):
            raise VideoError(f"found face {face} of frame {position}; expected one that {recording.label!r} has")
        return drawn_face(recording, position, face)

    def release_idle(self) -> None:
        """End the decoders if no frame was asked for in a while; pictures start new ones."""
        if time.monotonic() - self._used > _IDLE:
            self._films.clear()

    def shown(self, error: BaseException) -> str:
        """Return the text of an error without secrets."""
        return mask_secrets(str(error) or type(error).__name__, self._locator.options)

    def close(self) -> None:
        """End everything."""
        own = (self.frame_threads, self.overlay_threads, self.thumbnail_threads, self.face_threads, self.work_threads)
        for threads in own:
            threads.shutdown(wait=False, cancel_futures=True)
        self._films.clear()


class _Opened:
    """The film of a recording, opened when a frame is asked for, and its file kept at hand until it is closed."""

    def __init__(self, recording: Recording, locator: Locator) -> None:
        self.recording = recording
        self._locator = locator
        self._stack = ExitStack()
        self._film: Film | None = None
        self._lock = threading.Lock()

    def film(self) -> Film:
        with self._lock:
            if self._film is None:
                recording = self.recording
                path = self._stack.enter_context(self._locator.file(recording.label, recording.source))
                self._film = Film(path, recording.number, recording.seconds)
            return self._film

    def close(self) -> None:
        if self._film is not None:
            self._film.close()
        self._stack.close()
