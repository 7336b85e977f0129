"""Where the video of a row is: only files that the store lists, or that lie in a folder that was named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from facearray._secrets import SecretOptions
from facearray.detection.cache import local_video
from facearray.errors import InputError, VideoError
from facearray.io.paths import MISSING, Source
from facearray.io.remote import is_remote

__all__ = ["Locator"]


@dataclass(frozen=True, slots=True)
class Locator:
    """Finds the files of videos.

    Attributes
    ----------
    folder
        Folder of the videos, resolved; None for where the store says they were read from.
    fetch
        Whether videos behind URLs are fetched into the cache of videos.
    options
        Options of the file system that URLs name.
    """

    folder: Path | None = None
    fetch: bool = False
    options: Mapping[str, Any] | None = None

    @classmethod
    def of(
        cls, folder: str | os.PathLike[str] | None, *, fetch: bool = False, options: Mapping[str, Any] | None = None
    ) -> Locator:
        """Check the folder.

        Raises
        ------
        InputError
            If there is no such folder.
        """
        if folder is not None and not Path(folder).is_dir():
            raise InputError(f"videos: found no folder {os.fspath(folder)}; expected the one that holds the videos")
        return cls(None if folder is None else Path(folder).resolve(), fetch, options)

    @contextmanager
    def file(self, label: str, source: str) -> Iterator[str]:
        """Give the path of a video's file as long as the block lasts.

        Parameters
        ----------
        label
            Label of the video.
        source
            Where the store says that it was read from.

        Raises
        ------
        VideoError
            If it is not there, or not where it may be.
        """
        if self.folder is not None:
            yield self._in_folder(self.folder, label, source)
        elif is_remote(source):
            with self._fetched(label, source) as path:
                yield path
        else:
            yield self._listed(source)

    def _fetched(self, label: str, source: str) -> Any:
        if not self.fetch:
            raise VideoError(
                f"found the video behind a URL, {source}; expected a file; fetch it when it is opened with --fetch "
                "(fetch=True), or copy it into a folder and name that with --videos (videos=)"
            )
        return local_video(Source(label, source, MISSING, SecretOptions(self.options or {})))

    @staticmethod
    def _listed(source: str) -> str:
        if not source:
            raise VideoError(
                "found no source of this video in the store; expected where it was read from; name the folder of the "
                "videos with --videos (videos=)"
            )
        path = Path(source)
        # what a relative path means depends on where the viewer was started
        if not path.is_absolute() or not path.is_file():
            raise VideoError(
                f"found no file {source}, from which the store was made; expected the video there; name the folder "
                "that holds it now with --videos (videos=)"
            )
        return source

    @staticmethod
    def _in_folder(folder: Path, label: str, source: str) -> str:
        names = dict.fromkeys((label, PurePosixPath(source).name, PureWindowsPath(source).name))
        for name in names:
            if not name or "\0" in name:
                continue
            path = folder / name
            if not path.is_file():
                continue
            # neither a label such as ../x nor a link may lead elsewhere
            if not path.resolve().is_relative_to(folder):
                raise VideoError(f"found {name}, which lies outside of {folder}; expected a file in it; copy it there")
            return str(path.resolve())
        raise VideoError(f"found no {label} in {folder}; expected the video there; copy it, or name another folder")
