"""Where stores and journals live: local paths, URLs that fsspec understands, and Zarr store objects."""

from __future__ import annotations

import difflib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from glob import has_magic
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import get_filesystem_class
from fsspec.utils import get_protocol
from zarr.abc.store import Store as ZarrStore
from zarr.storage import FsspecStore, LocalStore, MemoryStore

from facearray._secrets import SecretOptions, mask_secrets, showable
from facearray.errors import InputError
from facearray.io.remote_store import RemoteStore, connection_errors, store_address, unknown_option

__all__ = [
    "Folder",
    "StoreLike",
    "address",
    "check_folder",
    "check_kind",
    "check_options",
    "check_shared",
    "file_system",
    "nearby_names",
    "open_zarr_store",
    "options_for",
    "resolve",
    "same_kind",
    "similar_names",
    "store_errors",
]

#: What may name a store.
StoreLike = str | os.PathLike[str] | ZarrStore

#: Folders beside a place where there is no store that are looked at.
SHOWN = 20

_TEMPORARY = ".tmp"

#: Kinds of URL of what is in the memory of this process.
_MEMORY = ("memory", "memoryfs")

#: What a file system is told if nobody says otherwise. Objects of stores and journals have a few MB: reading them in
#: pieces at once, as s3fs does, costs a request for the size of each first.
_DEFAULTS = {"s3": {"max_concurrency": 1}, "s3a": {"max_concurrency": 1}}

#: Extra of this package that brings what a kind of URL needs.
_EXTRAS = {
    **dict.fromkeys(("s3", "s3a"), "s3"),
    **dict.fromkeys(("gs", "gcs"), "gcs"),
    **dict.fromkeys(("az", "abfs", "abfss", "adl"), "azure"),
    **dict.fromkeys(("http", "https"), "http"),
}


def resolve(store: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> str:
    """Return the one spelling that stands for all spellings of a place.

    Links, ``.``, ``..``, ``~``, relative paths, ``file://`` and a trailing slash all lead to the same store, so they
    have to lead to the same journal and lease too.

    Raises
    ------
    InputError
        If a local path cannot be that of a folder, or a URL is of a kind that is unknown or needs another package.
    """
    url = os.fspath(store)
    if not url.strip() or "\0" in url:
        raise InputError(f"found the path {url!r}; expected the path or URL of a folder")
    fs, path = file_system(url, storage_options)
    return _resolved(path) if isinstance(fs, LocalFileSystem) else url.rstrip("/")


def file_system(url: str, storage_options: Mapping[str, Any] | None = None) -> tuple[Any, str]:
    """Return the file system that a path or URL names, and the path in it.

    Raises
    ------
    InputError
        If the URL is of a kind that is unknown or needs another package, or the options are not its file system's.
    """
    try:
        return url_to_fs(url, **(storage_options or {}))  # type: ignore[no-any-return]
    except (ImportError, TypeError, ValueError) as error:
        unknown = unknown_option(mask_secrets(url), error, storage_options)
        raise unknown or _unreachable(url, error, storage_options) from showable(error, storage_options)


def _with_defaults(url: str, storage_options: Mapping[str, Any] | None) -> dict[str, Any]:
    return {**_DEFAULTS.get(get_protocol(url), {}), **(storage_options or {})}


def check_kind(url: str) -> None:
    """Make sure that a URL is of a kind that is known, and its package installed; nothing is asked of its server.

    Raises
    ------
    InputError
        If it is not.
    """
    try:
        get_filesystem_class(get_protocol(url))
    except (ImportError, ValueError) as error:
        raise _unreachable(url, error, None) from showable(error)


def _unreachable(url: str, error: Exception, storage_options: Mapping[str, Any] | None) -> InputError:
    reason, extra = mask_secrets(str(error), storage_options), _EXTRAS.get(get_protocol(url))
    needs = f'; pip install "facearray[{extra}]"' if extra and isinstance(error, ImportError) else ""
    return InputError(
        f"found {mask_secrets(url)}, which cannot be reached: {reason}; expected a path, or a URL of a kind that "
        f"fsspec knows and whose package is installed, with options that it has{needs}"
    )


def options_for(storage_options: Mapping[str, Any] | None, *places: StoreLike | None) -> Mapping[str, Any] | None:
    """Options of file systems, if one of some places is behind a URL; paths and store objects have no use for them.

    Examples
    --------
    >>> options_for({"anon": True}, "s3://bucket/study.zarr", None), options_for({"anon": True}, "study.zarr", None)
    ({'anon': True}, None)
    """
    return storage_options if any(map(_takes_options, places)) else None


def _takes_options(place: StoreLike | None) -> bool:
    return place is not None and not isinstance(place, ZarrStore) and not _is_local(os.fspath(place))


def check_options(storage_options: Mapping[str, Any] | None, *places: StoreLike | None) -> None:
    """Make sure that options of file systems have one that takes them.

    Parameters
    ----------
    storage_options
        What was given.
    places
        What it could be meant for, the store first; None for none.

    Raises
    ------
    InputError
        If there are options, and all places are paths or store objects.

    Examples
    --------
    >>> check_options({"anon": True}, "s3://bucket/study.zarr")
    """
    if not storage_options or options_for(storage_options, *places):
        return
    store = places[0] if places else None
    where = "what is in memory" if store is None else address(store)
    kind = ", a store object, which has its own" if isinstance(store, ZarrStore) else ""
    raise InputError(
        f"found storage_options ({', '.join(map(str, storage_options))}) for {where}{kind}; expected options only with "
        "a URL, such as s3://bucket/study.zarr, whose file system takes them; leave them out, or give the URL"
    )


def check_folder(path: Path) -> None:
    """Make sure that there is a folder for a file, before the work that makes its content.

    Raises
    ------
    InputError
        If there is none.
    """
    if not path.parent.is_dir():
        raise InputError(f"{path}: found no folder {path.parent}; expected one to write into; make it first")


def check_shared(store: StoreLike, *, what: str = "several processes", in_process: bool = False) -> None:
    """Make sure that what one process, or one copy of a store object, writes into a store is seen by others.

    Parameters
    ----------
    store
        Path or URL, or a Zarr store object, also one that wraps another.
    what
        Who would write, for the message.
    in_process
        Whether they are threads of this process, so that they share its ``memory://``. A store object in memory they
        do not: each is sent a copy.

    Raises
    ------
    InputError
        If the store is in memory that they do not share.

    Examples
    --------
    >>> check_shared("s3://bucket/study.zarr")
    >>> check_shared("memory://study.zarr", in_process=True)
    >>> check_shared("memory://study.zarr")
    Traceback (most recent call last):
    facearray.errors.InputError: found memory://study.zarr, which is in the memory of one process; expected ...
    """
    whose = _memory_of(store)
    if whose == "object" or (whose == "process" and not in_process):
        raise InputError(
            f"found {address(store)}, which is in the memory of one process; expected a place that {what} can reach: "
            "name a path or the URL of an object store, or compute in one process"
        )


def _memory_of(store: StoreLike) -> Literal["object", "process"] | None:
    """Say whose memory a store is in; None if it is elsewhere."""
    if not isinstance(store, ZarrStore):
        kinds = {get_protocol(link) for link in os.fspath(store).split("::")}
        return "process" if kinds & set(_MEMORY) else None
    while isinstance(inner := getattr(store, "_store", None), ZarrStore):
        store = inner  # of a store that wraps another, such as LoggingStore
    if isinstance(store, MemoryStore):
        return "object"
    fs = getattr(store, "fs", None)
    return "process" if isinstance(getattr(fs, "sync_fs", fs), MemoryFileSystem) else None


def open_zarr_store(
    store: StoreLike, storage_options: Mapping[str, Any] | None = None, *, read_only: bool = False
) -> ZarrStore:
    """Return the Zarr store that a path, URL or store object stands for; nothing is created yet."""
    if isinstance(store, ZarrStore):
        return store
    url = resolve(store, storage_options)
    if _is_local(url):
        return LocalStore(url, read_only=read_only)
    return RemoteStore.from_url(url, storage_options=_with_defaults(url, storage_options), read_only=read_only)


def address(store: StoreLike) -> str:
    """Return how to call a store in messages: its resolved path, or its URL without credentials."""
    if isinstance(store, LocalStore):
        return str(store.root.resolve())
    if isinstance(store, FsspecStore):
        return store_address(store)
    if isinstance(store, ZarrStore):
        return mask_secrets(str(store))
    url = os.fspath(store)
    return resolve(url) if _is_local(url) else mask_secrets(url)


def _is_local(url: str) -> bool:
    return get_protocol(url) in LocalFileSystem.protocol


def _resolved(path: str) -> str:
    try:
        resolved = Path(path).resolve()
        file = next((p for p in (resolved, *resolved.parents) if p.is_file()), None)
    except (OSError, RuntimeError) as error:
        raise InputError(
            f"{path}: found a path that cannot be followed ({error}); expected that of a folder"
        ) from error
    if file is not None:
        raise InputError(f"{path}: found a file ({file}); expected a folder, or nothing: choose another place")
    return str(resolved)


def same_kind(url: str, store: StoreLike) -> bool:
    """Whether options of a store are meant for another URL too: it is of the same kind, or the store needs none.

    Examples
    --------
    >>> same_kind("s3://a/b.mp4", "s3://c/d.zarr"), same_kind("https://a/b.mp4", "s3://c/d.zarr")
    (True, False)
    """
    if isinstance(store, ZarrStore):
        return isinstance(store, LocalStore | MemoryStore)
    return _is_local(os.fspath(store)) or get_protocol(url) == get_protocol(os.fspath(store))


@contextmanager
def store_errors(
    store: StoreLike, *, doing: str = "writing", storage_options: Mapping[str, Any] | None = None
) -> Iterator[None]:
    """Name the store in errors of its disk or network, without secrets, and say how to go on.

    Parameters
    ----------
    store
        Path or URL, or a Zarr store object.
    doing
        What fails.
    storage_options
        Options of its file system, whose secrets are masked.
    """
    options = storage_options or getattr(getattr(store, "fs", None), "storage_options", None)
    with connection_errors(address(store), doing, options):
        yield


def nearby_names(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> str:
    """Return a sentence on the stores beside a place where there is none; empty if that cannot be told."""
    if isinstance(store, ZarrStore) and not isinstance(store, LocalStore):
        return ""
    url = resolve(store.root if isinstance(store, LocalStore) else store, storage_options)
    fs, path = file_system(url, storage_options)
    parent, _, name = path.rpartition("/")
    if not fs.isdir(parent):
        return f"there is no folder {mask_secrets(parent)}"
    folders = (entry["name"] for entry in fs.ls(parent, detail=True) if entry.get("type") == "directory")
    names = sorted(folder.rstrip("/").rpartition("/")[2] for folder in folders)
    if near := _stores(fs, parent, similar_names(name, names)):
        return "did you mean " + " or ".join(map(repr, near)) + "?"
    return f"{mask_secrets(parent)} holds " + (", ".join(_stores(fs, parent, names[:SHOWN])) or "no store")


def _stores(fs: Any, folder: str, names: Iterable[str]) -> list[str]:
    return [name for name in names if fs.exists(f"{folder}/{name}/zarr.json")]


def similar_names(name: str, names: Iterable[str]) -> list[str]:
    """Return those of some names that one may have been mistyped for, the nearest first.

    Suffixes do not count: by them strangers look alike.

    Examples
    --------
    >>> similar_names("stduy.zarr", ["pilot.zarr", "study.zarr", "study.zarr.run"])
    ['study.zarr']
    """
    by_stem: dict[str, list[str]] = {}
    for other in names:
        if other != name:
            by_stem.setdefault(PurePosixPath(other).stem.lower(), []).append(other)
    near = difflib.get_close_matches(PurePosixPath(name).stem.lower(), by_stem, n=3)
    return [other for stem in near for other in by_stem[stem]]


class Folder:
    """Small files below a path or URL, each written whole or not at all.

    Parameters
    ----------
    url
        Local path or any URL that fsspec understands.
    storage_options
        Options of the file system that the URL names.
    """

    def __init__(self, url: str | os.PathLike[str], storage_options: Mapping[str, Any] | None = None) -> None:
        self.address = address(url)
        self._options = SecretOptions(storage_options or {})
        place = resolve(url, storage_options)
        self._fs, root = file_system(place, _with_defaults(place, storage_options))
        self._root = root.rstrip("/")
        self.is_local = isinstance(self._fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """Full path of a file, in the form that its file system uses."""
        return f"{self._root}/{name}"

    def list(self, prefix: str) -> dict[str, int]:
        """Name → size of every file below a subfolder, those half written by a process that died left out."""
        with self._errors("reading"):
            if self.is_local:
                found = dict(_local_files(self.path(prefix)))
            else:
                self._fs.invalidate_cache()
                listed = self._fs.find(self.path(prefix), detail=True)
                found = {path: int(entry.get("size") or 0) for path, entry in listed.items()}
        cut = len(self._root) + 1
        return {path[cut:]: size for path, size in sorted(found.items()) if not path.endswith(_TEMPORARY)}

    def read(self, name: str) -> bytes:
        """Return the content of a file; FileNotFoundError if there is none."""
        content = self.read_many([name]).get(name)
        if content is None:
            raise FileNotFoundError(f"{self.address}: found no {name}")
        return content

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files; those that are gone by now are left out."""
        paths = {self.path(name): name for name in names}
        if not paths:
            return {}
        with self._errors("reading"):
            if self.is_local:
                contents = list(map(_local_content, paths))
            else:
                # Not `cat`, which takes brackets in a path for a pattern.
                contents = self._fs.cat_ranges(list(paths), None, None, on_error="return")
            for content in contents:
                if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                    raise content
        found = zip(paths.values(), contents, strict=True)
        return {name: content for name, content in found if isinstance(content, bytes)}

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file."""
        with self._errors("writing"):
            if self.is_local:
                self._write_local(Path(self.path(name)), content)
            else:
                self._fs.pipe_file(self.path(name), content)

    @staticmethod
    def _write_local(target: Path, content: bytes) -> None:
        temporary = target.with_name(f"{target.name}.{uuid.uuid4().hex}{_TEMPORARY}")
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(content)
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)

    def remove(self, names: Iterable[str]) -> None:
        """Delete files; those that are gone by now are no error."""
        paths = [self.path(name) for name in names]
        with self._errors("writing"):
            if self._fs.async_impl and len(paths) > 1 and not has_magic(self._root):
                # Object stores delete a thousand in one request.
                with suppress(FileNotFoundError):
                    self._fs.rm(paths)
                    return
            for path in paths:
                with suppress(FileNotFoundError):
                    self._fs.rm_file(path)

    def remove_tree(self, prefix: str) -> None:
        """Delete everything below a subfolder."""
        with self._errors("writing"):
            if self._fs.exists(self.path(prefix)):
                self._fs.rm(self.path(prefix), recursive=True)

    def _errors(self, doing: str) -> AbstractContextManager[None]:
        return store_errors(self.address, doing=doing, storage_options=self._options)


def _local_files(folder: str) -> Iterator[tuple[str, int]]:
    """Iterate over the files below a folder and their sizes; there need not be any, and they may go meanwhile."""
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir():
                yield from _local_files(f"{folder}/{entry.name}")
            else:
                with suppress(FileNotFoundError):
                    yield f"{folder}/{entry.name}", entry.stat().st_size


def _local_content(path: str) -> bytes | FileNotFoundError:
    try:
        with open(path, "rb", buffering=0) as file:  # noqa: PTH123  (a Path takes longer than reading a marker does)
            return file.read()
    except FileNotFoundError as error:
        return error
