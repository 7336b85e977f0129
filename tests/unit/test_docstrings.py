"""What a reader of any public function is told: arguments, results, missing values, errors, sources, and an example."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "api" / "index.md"

#: Cannot raise anything of their own.
RAISE_NOTHING = {"detectors.list", "models.au_baselines.person_baseline", "signal.steps"}
#: Statistics in name only: a table, an order, a sentence, and the values that others are computed from.
NO_STATISTIC = {"stats.clusters", "stats.describe", "stats.isc_order", "stats.unit_values"}
#: Take a Dataset and read no values.
READ_NO_VALUES = {"signal.steps"}
#: Words in which a docstring says what becomes of values that are not there.
MISSING = re.compile(
    r"NaN|missing|without|left out|lack|no value|not have|cannot be estimated|could not|has no|[Nn]o values are|padding"
    r"|have a value|gaps where|As (from|for) `"
)

pytestmark = pytest.mark.skipif(not PAGE.exists(), reason="not a clone of the repository")


def public() -> list[str]:
    """Names on the page of the reference that are functions or methods."""
    if not PAGE.exists():
        return []
    names = re.findall(r"^   ([a-z]\w*(?:\.\w+)*)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return sorted({name for name in names if inspect.isroutine(resolved(name))})


def resolved(name: str) -> Any:
    parts = name.split(".")
    for n in range(len(parts) - 1, -1, -1):
        try:
            found: Any = importlib.import_module(".".join(["facearray", *parts[:n]]))
        except ImportError:
            continue
        if n == 0 or all(hasattr(found, part) for part in parts[n : n + 1]):
            break
    for part in parts[n:]:
        found = getattr(found, part)
    return found


def sections(doc: str) -> dict[str, str]:
    """Text of each section of a numpydoc docstring, with what stands before the first one as ``""``."""
    pieces = re.split(r"^(\w[\w ]*)\n-{3,}$", doc, flags=re.MULTILINE)
    return {"": pieces[0], **dict(zip(pieces[1::2], pieces[2::2], strict=True))}


def faults(name: str, function: Any) -> list[str]:
    """What a docstring does not say."""
    doc = inspect.getdoc(function) or ""
    told = sections(doc)
    signature = inspect.signature(function)
    parameters = [p.name for p in signature.parameters.values() if p.name not in ("self", "cls")]
    documented = re.findall(r"^([*\w][*\w, ]*)$", told.get("Parameters", ""), re.MULTILINE)
    named = [one.strip().lstrip("*") for line in documented for one in line.split(",")]
    found = [f"no parameter {p}" for p in parameters if p not in named]
    found += [f"a parameter {p} that it has not" for p in named if p not in parameters]
    if signature.return_annotation not in (None, "None") and not {"Returns", "Yields"} & told.keys():
        found.append("no Returns")
    if "Raises" not in told and name not in RAISE_NOTHING:
        found.append("no Raises")
    if ">>>" not in told.get("Examples", "") and not is_shown_by_class(function):
        found.append("no example")
    if takes_detections(signature) and name not in READ_NO_VALUES and not MISSING.search(doc):
        found.append("nothing about missing values")
    if (
        name.startswith("stats.")
        and name not in NO_STATISTIC
        and not re.search(r"\(\d{4}\)", told.get("References", ""))
    ):
        found.append("no source")
    return found


def is_shown_by_class(function: Any) -> bool:
    owner, _, method = function.__qualname__.rpartition(".")
    example = inspect.getdoc(getattr(inspect.getmodule(function), owner, None)) if owner else ""
    return f".{method}(" in sections(example or "").get("Examples", "")


def takes_detections(signature: inspect.Signature) -> bool:
    first = next(iter(signature.parameters.values()), None)
    return first is not None and bool(re.search(r"Dataset|DataArray", str(first.annotation)))


@pytest.mark.parametrize("name", public())
def test_docstrings__say_what_a_reader_needs(name):
    assert faults(name, resolved(name)) == []


def test_docstrings__all_functions_of_the_page_are_found():
    assert len(public()) > 90


def test_docstrings__names_in_lists_of_exceptions_exist():
    assert {*RAISE_NOTHING, *NO_STATISTIC, *READ_NO_VALUES} <= set(public())


def test_docstrings__what_is_not_said_is_noticed():
    def bare(ds: xr.Dataset, by: str) -> xr.Dataset:  # noqa: F821
        """Do something.

        Parameters
        ----------
        ds
            Detections.
        too_much
            Nothing.
        """

    assert faults("stats.bare", bare) == [
        "no parameter by",
        "a parameter too_much that it has not",
        "no Returns",
        "no Raises",
        "no example",
        "nothing about missing values",
        "no source",
    ]
