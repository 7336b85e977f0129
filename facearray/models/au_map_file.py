"""Files of what users fit, maps of action units and models of faces: numbers and texts, and where maps are."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError, ReadError, unknown_names

__all__ = [
    "FileKind",
    "check_arrays",
    "check_names",
    "content_hash",
    "existing_map",
    "map_path",
    "read_fitted",
    "write_fitted",
]

#: Bytes that the content of a file may take, so that a small file cannot fill the memory.
MAX_BYTES = 256 * 2**20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_SUFFIX = ".npz"


class Fitted(Protocol):
    """What is fitted and saved."""

    @property
    def sha256(self) -> str:
        """Hash of all that it is."""


_T = TypeVar("_T", bound=Fitted)


@dataclass(frozen=True, slots=True)
class FileKind:
    """A kind of file.

    Attributes
    ----------
    name
        What it holds, in messages and in the file.
    format
        Of its content; a reader refuses others.
    writer
        What writes it, in messages.
    """

    name: str
    format: str
    writer: str


def map_path(name: str | PathLike[str]) -> Path:
    """Where a map of that name, or that path, is.

    Raises
    ------
    InputError
        If it is neither a name nor the path of a file of that kind.
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return _folder() / f"{name}{_SUFFIX}"
    path = Path(name)
    if path.suffix != _SUFFIX:
        raise InputError(
            f"found {os.fspath(name)!r} for a map; expected a name of letters, digits, - and _, or a path that ends in "
            f"{_SUFFIX}"
        )
    return path


def existing_map(name: str | PathLike[str]) -> Path:
    """Where a map is that has been saved.

    Raises
    ------
    InputError
        If there is none.
    """
    path = map_path(name)
    if path.is_file():
        return path
    if path.parent == _folder():
        raise unknown_names("map", [path.stem], [other.stem for other in _folder().glob(f"*{_SUFFIX}")])
    raise InputError(f"found no file {path}; expected a map that AUMap.save wrote")


def write_fitted(
    path: Path, kind: FileKind, header: str, arrays: Mapping[str, NDArray[np.float64]], sha256: str
) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    text = np.frombuffer(json.dumps({"sha256": sha256, kind.name: header}).encode(), np.uint8)
    np.savez_compressed(content, allow_pickle=False, header=text, **arrays)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        partial.write_bytes(content.getvalue())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def content_hash(header: str, arrays: Mapping[str, NDArray[np.float64]]) -> str:
    """SHA-256 of all that a map is, the same on every machine."""
    digest = hashlib.sha256(header.encode())
    for array in arrays.values():
        digest.update(np.ascontiguousarray(array, "<f8").tobytes())
    return digest.hexdigest()


def read_fitted(
    path: Path, kind: FileKind, build: Callable[[dict[str, Any], dict[str, NDArray[np.float64]]], _T]
) -> _T:
    """Read what `write_fitted` wrote; nothing in the file is run.

    Parameters
    ----------
    path
        A file.
    kind
        What it has to be.
    build
        Makes the object of the header's content and the arrays; it may raise what wrong content raises, as
        `check_names` and `check_arrays` do.

    Raises
    ------
    ReadError
        If the file is damaged, of another kind, or its content is too large or not what was saved.
    """
    try:
        header, arrays = _content(path)
        content = json.loads(header[kind.name])
        if content["format"] != kind.format:
            raise ValueError(f"found the format {content['format']!r}; expected {kind.format!r}")
        found, saved = build(content, arrays), header["sha256"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"found no {error} in it" if isinstance(error, KeyError) else str(error)
        raise ReadError(
            f"cannot read the {kind.name} {path.name}: {reason}; expected a file that {kind.writer} wrote; "
            "save it again"
        ) from error
    if found.sha256 != saved:
        raise ReadError(f"cannot read the {kind.name} {path.name}: its content is not what was saved; save it again")
    return found


def check_names(what: str, found: Sequence[str], expected: Sequence[str]) -> None:
    """Make sure that a file is about what this version has.

    Raises
    ------
    ValueError
        That says what it lacks, and what is unknown.
    """
    if list(found) != list(expected):
        unknown, missing = sorted(set(found) - set(expected)), sorted(set(expected) - set(found))
        raise ValueError(
            f"found other {what} than this version has: {', '.join(unknown) or 'none'} that it has not, "
            f"{', '.join(missing) or 'none'} left out, or another order"
        )


def check_arrays(
    arrays: Mapping[str, NDArray[np.float64]], expected: Mapping[str, tuple[int, ...]], *, finite: Collection[str]
) -> None:
    """Make sure that arrays have their shapes, and some of them numbers only.

    Raises
    ------
    ValueError
        About all that have not.
    """
    problems = [
        f"found {name} of the shape {arrays[name].shape}; expected {shape}"
        for name, shape in expected.items()
        if arrays[name].shape != shape
    ]
    problems += [
        f"found {name} with values that are not finite; expected numbers"
        for name in finite
        if not np.isfinite(arrays[name]).all()
    ]
    if problems:
        raise ValueError("; ".join(problems))


def _content(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(member.file_size for member in archive.infolist())
        if size > MAX_BYTES:
            raise ValueError(f"found {size} bytes; expected at most {MAX_BYTES}")
        with np.load(path, allow_pickle=False) as content:
            arrays = {name: content[name] for name in content.files}
    except (OSError, EOFError, zipfile.BadZipFile) as error:
        raise ValueError(str(error)) from error
    header = json.loads(arrays.pop("header").tobytes())
    wrong = [name for name, array in arrays.items() if array.dtype != np.float64]
    if wrong or not isinstance(header, dict):
        raise ValueError(f"found {', '.join(wrong) or 'a header'} of another kind; expected numbers")
    return header, arrays


def _folder() -> Path:
    import platformdirs

    given = os.environ.get("FACEARRAY_DATA")
    return (Path(given) if given else platformdirs.user_data_path("facearray", appauthor=False)) / "au_maps"
