"""Readers of other tools' files, one module each."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol, cast

from facearray.errors import unknown_names
from facearray.io.recording import Recording

__all__ = ["HEAD_BYTES", "READERS", "Reader", "load_reader"]

#: Bytes of a file that :meth:`Reader.sniff` is given.
HEAD_BYTES = 64 * 1024

#: Module of every reader, by the name that ``source`` takes; imported when it is asked for.
READERS: Mapping[str, str] = {
    name: f"facearray.io.readers.{name}"
    for name in ("affectiva", "imotions", "libreface", "mediapipe", "openface", "pyfeat")
}


class Reader(Protocol):
    """What a module of :data:`READERS` has to have.

    Attributes
    ----------
    name
        Its key in :data:`READERS`.
    title
        What the tool calls itself.
    suffixes
        Suffixes, in lower case, by which a folder's files are known.
    conversions
        (column or group of columns, what they become) of everything that is not taken over as it is; the tables of
        the documentation are made of it.
    """

    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def title(self) -> str: ...  # noqa: D102
    @property
    def suffixes(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def conversions(self) -> tuple[tuple[str, str], ...]: ...  # noqa: D102

    def sniff(self, head: bytes, path: Path) -> bool:
        """Say whether a file is one of this tool, by its first :data:`HEAD_BYTES` bytes."""

    def read(self, path: Path) -> Iterator[Recording]:
        """Read the recordings of a file, in the order of their first appearance.

        A recording may come in several parts with the same label, one after the other and each with later frames
        than the one before, so that memory is bounded; all parts have the same features.

        Raises
        ------
        ReadError
            If the file is not what it should be.
        """


def load_reader(name: str) -> Reader:
    """Return a reader by its name.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    if name not in READERS:
        raise unknown_names("source", [name], sorted(READERS))
    return cast("Reader", importlib.import_module(READERS[name]))
