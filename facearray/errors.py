"""The exceptions of the package: few, specific, each saying what was found, what was expected and what to do."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence

__all__ = [
    "ArgumentError",
    "AssetError",
    "CapacityError",
    "ClusterError",
    "DetectorError",
    "FaceArrayError",
    "InputError",
    "LeaseError",
    "MismatchError",
    "ReadError",
    "SchemaError",
    "StoreError",
    "StructureError",
    "VideoError",
    "check_alpha",
    "unknown_names",
]


#: Names that an error lists.
SHOWN_NAMES = 30


class FaceArrayError(Exception):
    """Base class of every error that facearray raises on purpose."""


class AssetError(FaceArrayError):
    """A model or sample file is missing, cannot be fetched, or is not the file that was asked for."""


class CapacityError(FaceArrayError):
    """A video has more frames than its store has room for; only the client of a run may grow a store.

    Parameters
    ----------
    row
        Position of the video in the store.
    capacity
        Frames that there is room for.
    n_frames
        Frames that there are at least.
    """

    def __init__(self, row: int, capacity: int, n_frames: int) -> None:
        # All arguments go to the base class, so that the error survives the way back from another process.
        super().__init__(row, capacity, n_frames)
        self.row, self.capacity, self.n_frames = row, capacity, n_frames

    def __str__(self) -> str:
        return (
            f"row {self.row}: found room for {self.capacity} frames; expected at least {self.n_frames}; resize the "
            "store and write the row again"
        )


class ClusterError(FaceArrayError):
    """The Dask scheduler or its workers cannot be reached, or cannot be started."""


class DetectorError(FaceArrayError):
    """A detector raised, or returned something that is not what it promised."""


class InputError(FaceArrayError, ValueError):
    """An argument has a value that cannot be used."""


class ArgumentError(InputError, TypeError):
    """A function is called with an argument that it does not have, without a name for one, or without a needed one."""


class ReadError(FaceArrayError):
    """A file of another tool cannot be read as what it should be; the message names file, line and column."""


class SchemaError(FaceArrayError, ValueError):
    """A Dataset does not have the dims, variables, coordinates or dtypes of the schema."""


class StoreError(FaceArrayError, OSError):
    """The disk or network of a store failed: there is no space or permission, or it cannot be reached."""


class StructureError(FaceArrayError):
    """A store holds another structure, detector, set of options or source than what is to be written into it.

    Also if there is something that is no store, or one that is not made completely.
    """


class MismatchError(StructureError, InputError):
    """What is at a place is not what the call is about: a store of other options or recordings, or no store at all."""


class LeaseError(FaceArrayError):
    """Another run is writing into the store."""


class VideoError(FaceArrayError):
    """A video or picture cannot be decoded, or not completely."""


def check_alpha(alpha: float) -> None:
    """Check a level of significance.

    Raises
    ------
    InputError
        Unless it is a number from 0 to 1.
    """
    if not 0 <= alpha <= 1:
        raise InputError(f"found alpha={alpha}; expected a share between 0 and 1")


def unknown_names(kind: str, unknown: Iterable[str], known: Sequence[str]) -> InputError:
    """Make the error for names that do not exist, with the nearest existing ones.

    Parameters
    ----------
    kind
        What the names stand for, in the singular (``"feature"``).
    unknown
        The names that were asked for and do not exist.
    known
        The names that exist.

    Examples
    --------
    >>> raise unknown_names("feature", ["AU1"], ["AU01", "AU02"])
    Traceback (most recent call last):
    facearray.errors.InputError: unknown feature 'AU1' (did you mean 'AU01'?); known: AU01, AU02
    """
    same = {_key(name): name for name in known}
    lower = {name.lower(): name for name in known}
    parts = []
    for name in sorted(set(unknown)):
        close = [lower[near] for near in difflib.get_close_matches(name.lower(), lower, n=2)]
        nearest = [same[_key(name)]] if _key(name) in same else close
        hint = f" (did you mean {' or '.join(map(repr, nearest))}?)" if nearest else ""
        parts.append(f"{name!r}{hint}")
    shown = ", ".join(sorted(known)[:SHOWN_NAMES]) or "none"
    more = f" and {len(known) - SHOWN_NAMES} more" if len(known) > SHOWN_NAMES else ""
    return InputError(f"unknown {kind} {', '.join(parts)}; known: {shown}{more}")


def _key(name: str) -> str:
    """Reduce a name to what counts when names are compared: AU1 and au01 are the same."""
    return re.sub(r"(?<=[^\W\d_])0+(?=\d)", "", name.lower())
