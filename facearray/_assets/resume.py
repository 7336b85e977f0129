"""Downloads that go on where they were cut, for large files whose hash nobody has published."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facearray._assets.sources import HTTPS_TIMEOUT, SourceError, UnreachableError, cause

if TYPE_CHECKING:
    import requests

__all__ = ["download"]

#: Connections for one file, as long as each of them brings something.
_MAX_CONNECTIONS = 20

#: What a cut connection may lose at most of what it brought.
_PIECE_BYTES = 2**14

_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def download(url: str, file: Path, check: Callable[[Path], str], progress: Callable[[int, int | None], None]) -> None:
    """Download a file; it appears whole and checked, or not at all.

    What has arrived when a connection is cut stays beside the file, and this call or the next one asks for the rest
    where the server allows it and still has the same content.

    Parameters
    ----------
    url
        Address.
    file
        Where the file goes.
    check
        Says why a complete download is not what it should be; empty if it is.
    progress
        Called with the bytes that are here and how many there will be, or None where the server does not say.

    Raises
    ------
    SourceError
        If the answer is an error, if connections break without bringing anything, or if the content is not what it
        should be; ``UnreachableError`` if there is no connection at all.
    """
    partial = _Partial(file)
    for _ in range(_MAX_CONNECTIONS):
        before = partial.received
        try:
            if _fetch(url, partial, progress):
                break
        except _OtherContentError:
            partial.remove()
        except SourceError:
            if partial.received == before:
                raise
    else:
        raise SourceError(f"the connection was cut {_MAX_CONNECTIONS} times; {partial.size} bytes are here")
    if problem := check(partial.path):
        partial.remove()
        raise SourceError(problem)
    partial.path.replace(file)
    partial.remove()


class _OtherContentError(SourceError):
    """What is here is not a part of what the server has now."""


class _Partial:
    """What is here of a file, and what the server said of the whole: its size and its version."""

    def __init__(self, file: Path) -> None:
        self.received = 0
        self.path = file.with_name(f".{file.name}.part")
        self._note = file.with_name(f".{file.name}.part.json")

    @property
    def size(self) -> int:
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def whole(self) -> dict[str, Any]:
        with suppress(OSError, ValueError):
            found = json.loads(self._note.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
        return {}

    def begin(self, *, size: int | None, version: str | None) -> None:
        """Forget what is here; another content follows."""
        self.path.write_bytes(b"")
        self._note.write_text(json.dumps({"size": size, "version": version}), encoding="utf-8")

    def append(self, pieces: Iterable[bytes]) -> Iterator[int]:
        """Write pieces behind what is here, and give the size after each."""
        with self.path.open("ab") as out:
            for piece in pieces:
                out.write(piece)
                self.received += len(piece)
                yield out.tell()

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)


def _fetch(url: str, partial: _Partial, progress: Callable[[int, int | None], None]) -> bool:
    """Ask once for what is missing; whether the file is complete now."""
    import requests

    try:
        with requests.get(url, stream=True, timeout=HTTPS_TIMEOUT, headers=_headers(partial)) as answer:
            if answer.status_code == requests.codes.requested_range_not_satisfiable:
                return _is_complete_or_forgotten(partial)
            answer.raise_for_status()
            _prepare(answer, partial)
            size = partial.whole.get("size")
            for n_bytes in partial.append(answer.iter_content(_PIECE_BYTES)):
                progress(n_bytes, size)
    except (requests.exceptions.ChunkedEncodingError, requests.ReadTimeout) as error:
        raise SourceError(f"the connection was cut: {cause(error)}") from None
    except (requests.ConnectionError, requests.Timeout) as error:
        raise UnreachableError(f"no connection: {cause(error)}") from None
    except requests.RequestException as error:
        raise SourceError(str(error)) from None
    if size is not None and partial.size != size:
        raise SourceError(f"the connection was cut: {partial.size} of {size} bytes are here")
    return True


def _headers(partial: _Partial) -> dict[str, str]:
    headers = {"Accept-Encoding": "identity"}
    if partial.size and (whole := partial.whole):
        headers["Range"] = f"bytes={partial.size}-"
        if version := whole.get("version"):
            headers["If-Range"] = version
    return headers


def _prepare(answer: requests.Response, partial: _Partial) -> None:
    """Keep what is here if the answer goes on from there; else begin anew."""
    found = _CONTENT_RANGE.fullmatch(answer.headers.get("Content-Range", ""))
    if answer.status_code == 206:
        if found and int(found[1]) == partial.size and partial.whole.get("size") in (None, int(found[2])):
            return
        raise _OtherContentError("the server has other content than before, or sent another part than it was asked for")
    length = answer.headers.get("Content-Length", "")
    etag = answer.headers.get("ETag", "")
    version = etag if etag and not etag.startswith("W/") else answer.headers.get("Last-Modified")
    partial.begin(size=int(length) if length.isdigit() else None, version=version)


def _is_complete_or_forgotten(partial: _Partial) -> bool:
    """After the answer that there is nothing behind what is here."""
    if partial.size == partial.whole.get("size"):
        return True
    raise _OtherContentError("the server has other content than before")
