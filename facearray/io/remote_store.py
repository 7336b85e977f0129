"""Zarr stores behind URLs, whose errors say where they come from and hold no secrets."""

from __future__ import annotations

import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from fsspec.registry import get_filesystem_class
from fsspec.utils import get_protocol
from zarr.storage import FsspecStore

from facearray._secrets import mask_secrets, showable
from facearray.errors import FaceArrayError, InputError, StoreError, unknown_names

__all__ = ["RemoteStore", "connection_errors", "is_connection_error", "store_address", "unknown_option"]

_P = ParamSpec("_P")
_R = TypeVar("_R")

_UNKNOWN = re.compile(r"unexpected keyword argument '(\w+)'")

#: Packages whose errors are those of a disk or network although they are no OSError.
_CLIENTS = frozenset(("aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google", "requests", "urllib3"))


def is_connection_error(error: BaseException) -> bool:
    """Whether an error is one of a disk or network, whatever library raises it."""
    return isinstance(error, OSError) or type(error).__module__.partition(".")[0] in _CLIENTS


@contextmanager
def connection_errors(where: str, doing: str, options: Mapping[str, Any] | None) -> Iterator[None]:
    """Turn errors of a disk or network into one that names the store, and shows no secret of its options.

    Raises
    ------
    InputError
        If the options have one that the file system does not know.
    StoreError
        If the disk or network fails.
    """
    try:
        yield
    except FaceArrayError:
        raise
    except Exception as error:
        if (unknown := unknown_option(where, error, options)) is not None:
            raise unknown from showable(error, options)
        if not is_connection_error(error):
            raise
        reason = mask_secrets(str(error), options) or type(error).__name__
        raise StoreError(
            f"{where}: {doing} failed: {reason}; everything that was finished is kept: make space or put right what is "
            "named here, and the same command goes on"
        ) from showable(error, options)


def unknown_option(where: str, error: BaseException, options: Mapping[str, Any] | None) -> InputError | None:
    """Make the error for an option that a file system does not have; None if that is not what an error is about.

    Many file systems pass on options that they do not know, and a package below them raises a TypeError at the first
    request, which names the option and nothing else.

    Parameters
    ----------
    where
        Path or URL, without secrets.
    error
        What was raised.
    options
        What the file system was given. No value of theirs is shown.
    """
    found = _UNKNOWN.search(str(error)) if isinstance(error, TypeError) else None
    name, given = found[1] if found else "", options or {}
    if name in given:
        parameters = inspect.signature(get_filesystem_class(get_protocol(where)).__init__).parameters.values()
        known = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY) and p.name != "self"]
        return InputError(f"{where}: {unknown_names('option of its file system', [name], known)}")
    for key, value in given.items():
        if isinstance(value, Mapping) and name in value:
            return InputError(f"{where}: unknown option {name!r} in {key!r} of its file system; leave it out")
    return None


def store_address(store: FsspecStore) -> str:
    """Return the URL of a store, without credentials."""
    fs = getattr(store.fs, "sync_fs", store.fs)
    return mask_secrets(fs.unstrip_protocol(store.path))


def _naming(
    doing: str,
) -> Callable[
    [Callable[Concatenate[RemoteStore, _P], Awaitable[_R]]], Callable[Concatenate[RemoteStore, _P], Awaitable[_R]]
]:
    def decorate(
        method: Callable[Concatenate[RemoteStore, _P], Awaitable[_R]],
    ) -> Callable[Concatenate[RemoteStore, _P], Awaitable[_R]]:
        @wraps(method)
        async def wrapper(self: RemoteStore, /, *args: _P.args, **kwargs: _P.kwargs) -> _R:
            with self._errors(doing):
                return await method(self, *args, **kwargs)

        return wrapper

    return decorate


class RemoteStore(FsspecStore):
    """A store behind a URL.

    A chunk that does not exist reads as missing values; one that cannot be read is an error, also where it is read
    long after the store was opened.
    """

    get = _naming("reading")(FsspecStore.get)  # type: ignore[assignment]
    get_partial_values = _naming("reading")(FsspecStore.get_partial_values)  # type: ignore[assignment]
    exists = _naming("reading")(FsspecStore.exists)  # type: ignore[assignment]
    set = _naming("writing")(FsspecStore.set)  # type: ignore[assignment]
    delete = _naming("writing")(FsspecStore.delete)  # type: ignore[assignment]

    async def list(self) -> AsyncIterator[str]:
        """List all keys."""
        with self._errors("listing"):
            async for key in super().list():
                yield key

    async def list_prefix(self, prefix: str) -> AsyncIterator[str]:
        """List all keys that start with a prefix."""
        with self._errors("listing"):
            async for key in super().list_prefix(prefix):
                yield key

    async def list_dir(self, prefix: str) -> AsyncIterator[str]:
        """List the names directly below a prefix."""
        with self._errors("listing"):
            async for key in super().list_dir(prefix):
                yield key

    def _errors(self, doing: str) -> Any:
        return connection_errors(store_address(self), doing, getattr(self.fs, "storage_options", None))
