"""JSON as tools leave it behind: one document, or several after one another."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from facearray.errors import ReadError

__all__ = ["read_documents"]

_BETWEEN = re.compile(r"[\s,]*")


def read_documents(path: Path) -> list[Any]:
    """Parse a file of JSON documents that have nothing, white space or a comma between them.

    Raises
    ------
    ReadError
        If there is none, or where one is malformed or cut off.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError(
            f"{path}: found a byte that is not UTF-8 at position {error.start}; expected JSON; save the file as UTF-8"
        ) from error
    decoder = json.JSONDecoder()
    documents = []
    position = _skip(text, 0)
    while position < len(text):
        try:
            document, position = decoder.raw_decode(text, position)
        except json.JSONDecodeError as error:
            raise ReadError(
                f"{path}, line {error.lineno}, column {error.colno}: found no complete JSON ({error.msg}); expected it "
                "whole; the file was cut off or edited: export it again"
            ) from error
        except RecursionError as error:
            raise ReadError(f"{path}: found JSON nested too deeply; expected the results of a tool") from error
        documents.append(document)
        position = _skip(text, position)
    if not documents:
        raise ReadError(f"{path}: found an empty file; expected JSON; export it again")
    return documents


def _skip(text: str, position: int) -> int:
    match = _BETWEEN.match(text, position)
    return position if match is None else match.end()
