"""Remote videos as local files: a bounded cache that several processes share."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import shutil
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

import psutil
from filelock import FileLock
from platformdirs import user_cache_path

from facearray._secrets import mask_secrets, showable
from facearray.detection.sources import Source
from facearray.errors import InputError, StoreError, VideoError
from facearray.io.location import file_system
from facearray.io.remote import describe, name_of, remote_fingerprint
from facearray.io.remote_store import is_connection_error

__all__ = ["VideoCache", "local_video"]

logger = logging.getLogger(__name__)

#: Environment variables that name the folder, and its size: a number of bytes, with K, M, G or T.
FOLDER_VARIABLE, SIZE_VARIABLE = "FACEARRAY_VIDEO_CACHE", "FACEARRAY_VIDEO_CACHE_SIZE"

#: Bytes kept if nobody says otherwise.
DEFAULT_BYTES = 20 * 10**9

#: Times that a download is tried; clients of object stores try each request several times themselves.
ATTEMPTS = 3

#: Seconds after which what a process that is gone has left is deleted.
_LEFT_AFTER = 3600

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", re.IGNORECASE)
#: Answers of web servers that another try would not change.
_REFUSED = (401, 403, 410)

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)


@contextmanager
def local_video(source: Source) -> Iterator[str]:
    """Give the path of a video as long as the block lasts: its own, or that of a copy of what lies behind its URL.

    Raises
    ------
    VideoError
        If the file is not there any more, is refused, is another one than when the run was planned, or does not arrive
        whole.
    StoreError
        If the cache has no space or cannot be written.
    """
    if not source.is_remote:
        yield source.path
        return
    with VideoCache.from_environment().copy(source) as path:
        yield str(path)


class VideoCache:
    """Copies of remote videos in a folder, those that were used longest ago deleted first.

    A file in use has a second name, by which it is read: whoever makes room deletes only files without one, so that the
    cache is larger than its limit only by what is read at the moment. Files get their name when they are complete.

    Parameters
    ----------
    folder
        The folder; made if it does not exist.
    max_bytes
        Bytes that may stay after they were used; 0 keeps nothing.
    """

    def __init__(self, folder: str | os.PathLike[str], max_bytes: int = DEFAULT_BYTES) -> None:
        self.folder = Path(folder)
        self.max_bytes = max_bytes

    @classmethod
    def from_environment(cls) -> VideoCache:
        """Return the cache that ``FACEARRAY_VIDEO_CACHE`` and ``FACEARRAY_VIDEO_CACHE_SIZE`` describe.

        Raises
        ------
        InputError
            If the size is no size.
        """
        folder, size = os.environ.get(FOLDER_VARIABLE), os.environ.get(SIZE_VARIABLE, "")
        found = _SIZE.fullmatch(size.strip())
        if size.strip() and found is None:
            raise InputError(f"{SIZE_VARIABLE}: found {size!r}; expected a number of bytes such as 500M or 20G")
        n_bytes = DEFAULT_BYTES if found is None else float(found[1]) * 1000 ** " KMGT".index(found[2].upper() or " ")
        return cls(Path(folder) if folder else user_cache_path("facearray") / "videos", int(n_bytes))

    @contextmanager
    def copy(self, source: Source) -> Iterator[Path]:
        """Give the path of a copy of a remote file as long as the block lasts; the copy has the file's name.

        Raises
        ------
        VideoError, StoreError
            As :func:`local_video`.
        """
        own = self.folder / f"used-{os.getpid()}-{uuid.uuid4().hex}" / _file_name(source)
        try:
            self._take(source, own)
            yield own
        finally:
            shutil.rmtree(own.parent, ignore_errors=True)
            with suppress(OSError):
                self._make_room(0)

    def _take(self, source: Source, own: Path) -> None:
        """Give a file in the cache a second name, fetching it if it is not there."""
        key = hashlib.blake2b(f"{source.location}\0{source.fingerprint}".encode(), digest_size=16).hexdigest()
        entry = self.folder / key
        try:
            own.parent.mkdir(parents=True)
            # A few locks for all files, so that they do not become more and more.
            with FileLock(self.folder / f"{key[:2]}.lock"):
                try:
                    own.hardlink_to(entry)
                except FileNotFoundError:  # or deleted by another process since somebody looked
                    self._fetch(source, own)
                    with suppress(OSError):  # on a file system without second names nothing is kept
                        entry.hardlink_to(own)
                os.utime(own)
        except VideoError:
            raise
        except OSError as error:
            reason = mask_secrets(str(error), source.options)
            raise StoreError(
                f"the cache of videos in {self.folder} cannot be written: {reason}; make space, name another folder "
                f"({FOLDER_VARIABLE}) or less to keep ({SIZE_VARIABLE}), and the same command goes on"
            ) from showable(error, source.options)

    def _fetch(self, source: Source, own: Path) -> None:
        info = describe(source.path, source.options)
        size = int((info or {}).get("size") or 0)
        self._make_room(size)
        part = own.parent / "part"
        for attempt in range(1, ATTEMPTS + 1):
            try:
                _download(source, part)
                break
            except Exception as error:
                if not is_connection_error(error):
                    raise
                if isinstance(error, OSError) and error.errno in _NO_SPACE:
                    raise
                if _is_lasting(error) or attempt == ATTEMPTS:
                    raise _failed(source, error) from showable(error, source.options)
                logger.info("%s: attempt %d failed: %s", source.label, attempt, type(error).__name__)
                time.sleep(0.5 * attempt)
        self._check(source, part.stat().st_size)
        part.replace(own)

    @staticmethod
    def _check(source: Source, size: int) -> None:
        """Make sure that what arrived is whole, and is the file that the run was planned for."""
        info = describe(source.path, source.options)
        if info is None:
            raise VideoError(
                f"{_name(source)}: found no answer on whether what came from {source.location} is whole; "
                "expected one; run again with retry_failed"
            )
        expected = info.get("size")
        if expected is not None and size != expected:
            raise VideoError(
                f"{_name(source)}: {size} bytes of {expected} came from {source.location}; run again with retry_failed"
            )
        found = remote_fingerprint(info, source.location)
        if source.exists and found != source.fingerprint:
            raise VideoError(
                f"{_name(source)}: found another file at {source.location} (fingerprint {found}) than when the run was "
                f"planned ({source.fingerprint}); expected that nobody changes it; run again with retry_failed"
            )

    def _make_room(self, n_bytes: int) -> None:
        """Delete files that nobody uses, oldest first, until so many bytes more fit in."""
        if not self.folder.is_dir():
            return
        with FileLock(self.folder / "cache.lock"):
            self._sweep()
            entries = sorted(
                (stat.st_mtime, stat.st_size, stat.st_nlink, path)
                for path in self.folder.iterdir()
                if not path.suffix and path.is_file() and (stat := path.stat())
            )
            total = sum(size for _, size, _, _ in entries)
            for _, size, n_names, path in entries:
                if total + n_bytes <= self.max_bytes:
                    break
                if n_names == 1:
                    path.unlink(missing_ok=True)
                    total -= size

    def _sweep(self) -> None:
        """Delete what processes that were killed have left."""
        for left in self.folder.glob("used-*"):
            pid = int(left.name.split("-")[1])
            if not psutil.pid_exists(pid) and time.time() - left.stat().st_mtime > _LEFT_AFTER:
                shutil.rmtree(left, ignore_errors=True)


def _download(source: Source, target: Path) -> None:
    fs, path = file_system(source.path, source.options)
    fs.get_file(path, str(target))


def _is_lasting(error: Exception) -> bool:
    return isinstance(error, FileNotFoundError | PermissionError) or getattr(error, "status", None) in _REFUSED


def _failed(source: Source, error: Exception) -> VideoError:
    if isinstance(error, FileNotFoundError):
        problem = "there is no such file"
    elif _is_lasting(error):
        problem = "access is refused"
    else:
        reason = mask_secrets(str(error), source.options) or type(error).__name__
        problem = f"it cannot be fetched ({reason})"
    return VideoError(f"{_name(source)}: {problem}: {source.location}; check the URL, and run again with retry_failed")


def _name(source: Source) -> str:
    return repr(_file_name(source))


def _file_name(source: Source) -> str:
    return PurePosixPath(name_of(source.path)).name[-200:] or "video"
