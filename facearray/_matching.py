"""Labels of videos that a table writes differently: with a folder, another extension, other case, without zeros."""

from __future__ import annotations

import difflib
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

__all__ = ["Conversion", "find_column", "find_conversion", "nearest"]

#: What may differ, in the order in which it is made alike.
_DIFFERENCES = ("folder", "extension", "zeros", "case")

#: Keys that are searched for those that are merely alike.
_MOST_KEYS = 10_000


@dataclass(frozen=True, slots=True)
class _Step:
    """A change of a text, and the expression that makes it, with ``{}`` for the text."""

    code: str
    apply: Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Conversion:
    """What makes the keys of a table and the labels of videos the same."""

    keys: tuple[_Step, ...] = ()
    labels: tuple[_Step, ...] = ()

    @property
    def n_steps(self) -> int:
        """How many changes that takes."""
        return len(self.keys) + len(self.labels)

    @property
    def of_keys(self) -> str:
        """The expression that changes ``name``, a key."""
        return _code(self.keys)

    @property
    def of_labels(self) -> str:
        """The expression that changes ``name``, a label."""
        return _code(self.labels)

    def key_of(self, label: str, keys: Iterable[str]) -> str:
        """Give the first key that becomes the label."""
        wanted = _applied(self.labels, label)
        return next(key for key in keys if _applied(self.keys, key) == wanted)

    def fits(self, keys: Iterable[str], labels: Sequence[str], *, once: bool) -> bool:
        """Whether every label has a key then, and just one where ``once`` asks for that."""
        wanted = {_applied(self.labels, label) for label in labels}
        if len(wanted) < len(labels):
            return False
        counts = Counter(_applied(self.keys, key) for key in keys)
        return all(counts[label] == 1 if once else counts[label] > 0 for label in wanted)


def find_conversion(keys: Sequence[str], labels: Sequence[str], *, once: bool = True) -> Conversion | None:
    """Find the conversion of the fewest steps by which a table has a key for every label; None if there is none.

    Parameters
    ----------
    keys
        Of the rows of a table.
    labels
        Of the videos, each once.
    once
        Whether a label may have one key only.

    Examples
    --------
    >>> find_conversion(["clips/1.csv", "clips/2.csv"], ["001.mp4", "002.mp4"]).of_keys
    "name.rsplit('/', 1)[-1].rsplit('.', 1)[0].zfill(3) + '.mp4'"
    """
    if not labels or len(set(keys)) < len(labels):
        return None
    plans = sorted(_plans(keys, labels), key=lambda plan: plan.n_steps)
    return next((plan for plan in plans if plan.fits(keys, labels, once=once)), None)


def find_column(
    columns: Mapping[Any, Sequence[str]], labels: Sequence[str], *, once: bool = True
) -> tuple[Any, Conversion] | None:
    """Find the column of keys that takes the fewest steps, and its conversion; None if no column has all labels."""
    found = [(name, find_conversion(keys, labels, once=once)) for name, keys in columns.items()]
    fitting = [(name, conversion) for name, conversion in found if conversion is not None]
    return min(fitting, key=lambda each: each[1].n_steps, default=None)


def nearest(labels: Iterable[str], keys: Sequence[str]) -> dict[str, str]:
    """Find for labels the keys that are the same but for the differences, or else much alike."""
    keys = list(dict.fromkeys(keys))
    same = {_bare(key): key for key in reversed(keys)}
    found = {}
    for label in labels:
        near = [same[_bare(label)]] if _bare(label) in same else []
        near = near or difflib.get_close_matches(label, keys[:_MOST_KEYS], n=1, cutoff=0.85)
        if near:
            found[label] = near[0]
    return found


def _plans(keys: Sequence[str], labels: Sequence[str]) -> Iterator[Conversion]:
    """Conversions of the keys, of the labels, and of both."""
    keys_apart, labels_apart = (_separator(names) for names in (keys, labels))
    suffixes = {PurePosixPath(label).suffix for label in labels}
    suffix = suffixes.pop() if len(suffixes) == 1 else ""
    ends = {"": ()} | ({suffix: (_Step(f"{{}} + {suffix!r}", lambda name: name + suffix),)} if suffix else {})
    for n in range(len(_DIFFERENCES) + 1):
        for chosen in itertools.combinations(_DIFFERENCES, n):
            for end, added in ends.items():
                for width in (_width(labels, end), 0) if "zeros" in chosen else (0,):
                    yield Conversion((*(_step(what, keys_apart, width) for what in chosen), *added))
            of_labels = tuple(_step(what, labels_apart, 0) for what in chosen)
            yield Conversion((), of_labels)
            yield Conversion(tuple(_step(what, keys_apart, 0) for what in chosen), of_labels)


def _step(what: str, separator: str, width: int) -> _Step:
    steps: dict[str, _Step] = {
        "folder": _Step(f"{{}}.rsplit({separator!r}, 1)[-1]", lambda name: name.rsplit(separator, 1)[-1]),
        "extension": _Step("{}.rsplit('.', 1)[0]", lambda name: name.rsplit(".", 1)[0]),
        "zeros": _Step(f"{{}}.zfill({width})", lambda name: name.zfill(width))
        if width
        else _Step("{}.lstrip('0')", lambda name: name.lstrip("0")),
        "case": _Step("{}.lower()", str.lower),
    }
    return steps[what]


def _separator(names: Iterable[str]) -> str:
    return "\\" if any("\\" in name for name in names) else "/"


def _width(labels: Sequence[str], end: str) -> int:
    """How long all labels are without their end; 0 if they are not of one length."""
    lengths = {len(label.removesuffix(end)) for label in labels}
    return lengths.pop() if len(lengths) == 1 else 0


def _applied(steps: Iterable[_Step], name: str) -> str:
    for step in steps:
        name = step.apply(name)
    return name


def _code(steps: Iterable[_Step]) -> str:
    code = "name"
    for step in steps:
        code = step.code.replace("{}", code, 1)
    return code


def _bare(name: str) -> str:
    return _applied([_step(what, _separator([name]), 0) for what in _DIFFERENCES], name)
