"""Where stores and journals live: local paths, URLs that fsspec understands, and Zarr store objects."""

from __future__ import annotations

import difflib
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fsspec.core import url_to_fs
from fsspec.implementations.local import LocalFileSystem
from fsspec.utils import get_protocol
from zarr.abc.store import Store as ZarrStore
from zarr.storage import FsspecStore, LocalStore

from facearray._secrets import mask_secrets
from facearray.errors import FaceArrayError, InputError, StoreError

__all__ = ["Folder", "StoreLike", "address", "nearby_names", "open_zarr_store", "resolve", "store_errors"]

#: What may name a store.
StoreLike = str | os.PathLike[str] | ZarrStore

_TEMPORARY = ".tmp"


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
    try:
        fs, path = url_to_fs(url, **(storage_options or {}))
    except (ImportError, ValueError) as error:
        raise InputError(
            f"found {mask_secrets(url)}, which cannot be reached: {error}; expected a path, or a URL of a kind that "
            "fsspec knows and whose package is installed"
        ) from error
    return _resolved(path) if isinstance(fs, LocalFileSystem) else url.rstrip("/")


def open_zarr_store(
    store: StoreLike, storage_options: Mapping[str, Any] | None = None, *, read_only: bool = False
) -> ZarrStore:
    """Return the Zarr store that a path, URL or store object stands for; nothing is created yet."""
    if isinstance(store, ZarrStore):
        return store
    url = resolve(store, storage_options)
    if _is_local(url):
        return LocalStore(url, read_only=read_only)
    return FsspecStore.from_url(url, storage_options=dict(storage_options or {}), read_only=read_only)


def address(store: StoreLike) -> str:
    """Return how to call a store in messages: its resolved path, or its URL without credentials."""
    if isinstance(store, LocalStore):
        return str(store.root.resolve())
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


@contextmanager
def store_errors(store: StoreLike) -> Iterator[None]:
    """Name the store in errors of its disk or network, and say how to go on."""
    try:
        yield
    except FaceArrayError:
        raise
    except OSError as error:
        raise StoreError(
            f"{address(store)}: writing failed: {mask_secrets(str(error))}; everything that was finished is kept: "
            "make space or put right what is named here, and the same command goes on"
        ) from error


def nearby_names(store: StoreLike, storage_options: Mapping[str, Any] | None = None) -> str:
    """Return a sentence on what there is beside a store that does not exist; empty if that cannot be told."""
    if isinstance(store, ZarrStore) and not isinstance(store, LocalStore):
        return ""
    url = resolve(store.root if isinstance(store, LocalStore) else store, storage_options)
    fs, path = url_to_fs(url, **(storage_options or {}))
    parent, _, name = path.rpartition("/")
    if not fs.isdir(parent):
        return f"there is no folder {mask_secrets(parent)}"
    names = sorted(entry.rstrip("/").rpartition("/")[2] for entry in fs.ls(parent, detail=False))
    names = [name for name in names if not name.endswith(".run")]
    near = difflib.get_close_matches(name, names, n=3)
    if near:
        return "did you mean " + " or ".join(map(repr, near)) + "?"
    return f"{mask_secrets(parent)} holds " + (", ".join(names[:20]) or "nothing")


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
        self._fs, root = url_to_fs(resolve(url, storage_options), **(storage_options or {}))
        self._root = root.rstrip("/")
        self.is_local = isinstance(self._fs, LocalFileSystem)

    def path(self, name: str) -> str:
        """Full path of a file, in the form that its file system uses."""
        return f"{self._root}/{name}"

    def list(self, prefix: str) -> dict[str, int]:
        """Name → size of every file below a subfolder, those half written by a process that died left out."""
        self._fs.invalidate_cache()
        found = self._fs.find(self.path(prefix), detail=True)
        cut = len(self._root) + 1
        return {
            path[cut:]: int(entry.get("size") or 0)
            for path, entry in sorted(found.items())
            if not path.endswith(_TEMPORARY)
        }

    def read(self, name: str) -> bytes:
        """Return the content of a file; FileNotFoundError if there is none."""
        content: bytes = self._fs.cat_file(self.path(name))
        return content

    def read_many(self, names: Iterable[str]) -> dict[str, bytes]:
        """Return the contents of files; those that are gone by now are left out."""
        paths = {self.path(name): name for name in names}
        if not paths:
            return {}
        found = self._fs.cat(list(paths), on_error="return")
        for content in found.values():
            if isinstance(content, Exception) and not isinstance(content, FileNotFoundError):
                raise content
        return {paths[path]: content for path, content in found.items() if isinstance(content, bytes)}

    def write(self, name: str, content: bytes) -> None:
        """Write or replace a file."""
        with store_errors(self.address):
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
        with store_errors(self.address):
            for name in names:
                try:
                    self._fs.rm_file(self.path(name))
                except FileNotFoundError:
                    continue

    def remove_tree(self, prefix: str) -> None:
        """Delete everything below a subfolder."""
        if self._fs.exists(self.path(prefix)):
            self._fs.rm(self.path(prefix), recursive=True)
