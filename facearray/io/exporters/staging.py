"""Output that is there whole or not at all."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from facearray.errors import InputError, StructureError
from facearray.io.location import check_folder

__all__ = ["staged_files", "staged_folder"]


@contextmanager
def staged_folder(path: Path, *, overwrite: bool, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Give a folder to write into, which becomes `path` when all went well and is deleted otherwise.

    Parameters
    ----------
    path
        The folder to be.
    overwrite
        Whether one that is there is replaced.
    is_ours
        Whether an existing folder is an export, so that it may be deleted.

    Raises
    ------
    InputError
        If there is something already and it is not to be overwritten, or no folder to put it into.
    StructureError
        If there is something that is not an export of this format, which is never deleted.
    """
    _check_room([path], overwrite=overwrite)
    if path.exists() and not (path.is_dir() and is_ours(path)):
        raise StructureError(
            f"{path}: found something that is no export of this format; expected an export or nothing; "
            "remove it yourself or choose another path"
        )
    staging = _beside(path)
    staging.mkdir()
    try:
        yield staging
        old = _beside(path)
        if path.exists():
            path.rename(old)
        try:
            staging.rename(path)
        except BaseException:
            if old.exists():
                old.rename(path)
            raise
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


@contextmanager
def staged_files(*paths: Path, overwrite: bool) -> Iterator[list[Path]]:
    """Give files to write, which become `paths` when all went well and are deleted otherwise.

    Parameters
    ----------
    paths
        The files to be; the last one is put in place last.
    overwrite
        Whether files that are there are replaced.

    Raises
    ------
    InputError
        If there is something already and it is not to be overwritten, or no folder to put it into.
    StructureError
        If there is a folder in the place of a file.
    """
    _check_room(paths, overwrite=overwrite)
    for path in paths:
        if path.is_dir():
            raise StructureError(f"{path}: found a folder; expected a file or nothing; choose another path")
    staging = [_beside(path) for path in paths]
    try:
        yield staging
        # Files of two exports are never there side by side; a single one is replaced in one step.
        for path in reversed(paths[1:] and paths):
            path.unlink(missing_ok=True)
        for temporary, path in zip(staging, paths, strict=True):
            temporary.replace(path)
    finally:
        for temporary in staging:
            temporary.unlink(missing_ok=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex}.partial")


def _check_room(paths: tuple[Path, ...] | list[Path], *, overwrite: bool) -> None:
    for path in paths:
        check_folder(path)
        if path.exists() and not overwrite:
            raise InputError(
                f"{path}: found something there already; choose another path, or replace it "
                "(overwrite=True, --overwrite)"
            )
