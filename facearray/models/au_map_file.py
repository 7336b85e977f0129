"""Files of fitted maps: numbers and texts, found by a name or a path."""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import InputError, unknown_names

__all__ = ["content_hash", "existing_map", "map_path", "read_map", "write_map"]

#: Bytes that the content of a file may take, so that a small file cannot fill the memory.
MAX_BYTES = 256 * 2**20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_SUFFIX = ".npz"


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


def write_map(path: Path, header: Mapping[str, str], arrays: Mapping[str, NDArray[np.float64]]) -> None:
    """Write a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
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


def read_map(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """Read what `write_map` wrote.

    Raises
    ------
    ValueError
        If the file is of another kind, or its content too large.
    """
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
