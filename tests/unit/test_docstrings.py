"""What a reader of any public function is told: arguments, results, missing values, errors, sources, and an example."""

from __future__ import annotations

import dataclasses
import doctest
import importlib
import inspect
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from facearray import errors

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "api" / "index.md"
SHARED = ROOT.parent / "shared" / "data"

#: Cannot raise anything of their own.
RAISE_NOTHING = {"detectors.list", "models.au_baselines.person_baseline", "signal.steps"}
#: Statistics in name only: a table, an order, a sentence, and the values that others are computed from.
NO_STATISTIC = {"stats.clusters", "stats.describe", "stats.isc_order", "stats.unit_values"}
#: Compute nothing that somebody has published: times are cut, frames taken out or averaged, steps listed.
NO_METHOD = {"signal.align", "signal.bin", "signal.mask", "signal.quality", "signal.resample", "signal.steps"}
#: Take a Dataset and read no values.
READ_NO_VALUES = {"signal.steps"}
#: Examples that cannot run everywhere, and why.
NOT_RUN = {
    "assets.download": "needs a network",
    "assets.path": "needs a model file",
    "assets.pull": "needs a network",
    "datasets.good_bad_news": "needs the clips of the study",
    "datasets.sample_pictures": "needs sample files",
    "datasets.sample_video": "needs sample files",
    "models.action_units": "needs a model file, which has the canonical face",
    "models.au_table.estimate": "needs a model file, which has the canonical face",
    "models.au_table.estimate_parts": "needs a model file, which has the canonical face",
    "models.gaze.eye_directions": "needs a model file, which has the canonical face",
    "plot.render": "needs a video",
    "plot.view": "waits until the viewer is closed",
}
#: What is measured in what, by the names of arguments; of those that mean something else elsewhere, the function.
UNITS = {
    "[Ss]econd": (
        "after before duration hold max_duration max_gap max_lag merge min_duration padding seconds start step stop t0 "
        "tr window"
    ),
    "Hz": "band frequencies frequency high_pass low_pass",
    "[Ff]rames a second|[Vv]alues a second": "fps rate",
    "degrees": "gaze max_angle",
    "pixels": "height min_size width",
    "share|[Ll]evel|0 to 1": "alpha cluster_alpha confidence min_valid",
}
#: Have the name and are something else: videos, a penalty, and a face.
OTHER_UNITS = {("detect", "window"), ("plot.FaceModel.fit", "alpha"), ("plot.animate_face", "start")}
#: Words in which a docstring says what becomes of values that are not there.
MISSING = re.compile(
    r"NaN|missing|without|left out|lack|no value|not have|cannot be estimated|could not|has no|[Nn]o values are|padding"
    r"|have a value|gaps where|As (from|for) `"
)

OPTIONS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS

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
    found += [f"no unit of {p}" for p in without_unit(name, told.get("Parameters", ""))]
    found += [f"an error {e} that there is not" for e in raised(told) if not is_error(e)]
    found += [f"no reference for {who} {year}" for who, year in cited(told) if not is_given(who, year, told)]
    found += example_faults(name, told.get("Examples", ""))
    if (
        name.startswith("stats.")
        and name not in NO_STATISTIC
        and not re.search(r"\(\d{4}\)", told.get("References", ""))
    ):
        found.append("no source")
    if name.startswith("signal.") and name not in NO_METHOD and not refers(told):
        found.append("no source")
    return found


def raised(told: dict[str, str]) -> list[str]:
    """Names of errors and warnings."""
    text = told.get("Raises", "") + told.get("Warns", "")
    return [name.strip() for line in re.findall(r"^(\w[\w, ]*)$", text, re.MULTILINE) for name in line.split(",")]


def is_error(name: str) -> bool:
    return name in errors.__all__ or name in ("OSError", "UserWarning")


def cited(told: dict[str, str]) -> list[tuple[str, str]]:
    """Surname and year of each work that is named outside of the references."""
    text = "\n".join(words for section, words in told.items() if section != "References")
    return re.findall(r"([A-Z][\w-]+)(?:\s+et al\.|\s+&\s+[A-Z][\w-]+)?\s+\(?((?:18|19|20)\d\d)\b", text)


def is_given(who: str, year: str, told: dict[str, str]) -> bool:
    works = re.split(r"\n\s*\n", told.get("References", ""))
    return any(who in work and f"({year})" in work for work in works)


def refers(told: dict[str, str]) -> bool:
    """Whether a source is given, or the function whose definition this is."""
    return bool(re.search(r"\(\d{4}\)", told.get("References", "")) or re.search(r"As from|Result of", str(told)))


def without_unit(name: str, text: str) -> list[str]:
    """Arguments whose unit is not said."""
    pieces = re.split(r"^([*\w][*\w, ]*)$", text, flags=re.MULTILINE)
    found = []
    for names, words in zip(pieces[1::2], pieces[2::2], strict=True):
        for unit, measured in UNITS.items():
            mine = {p.strip() for p in names.split(",")} & set(measured.split())
            if not re.search(rf"{unit}|[Aa]s (?:for|of) [`:]", words):
                found += [p for p in sorted(mine) if (name, p) not in OTHER_UNITS]
    return found


def example_faults(name: str, text: str) -> list[str]:
    """What is wrong with an example: it does not run, or shows nothing."""
    examples = doctest.DocTestParser().get_examples(inspect.cleandoc(text))
    skipped = [example for example in examples if example.options.get(doctest.SKIP)]
    found = []
    if skipped and name not in NOT_RUN and not name.startswith(("models.AUMap", "plot.FaceModel.fit")):
        found.append("an example that is not run")
    if examples and not skipped and not any(example.want for example in examples):
        found.append("an example that shows nothing")
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
    assert {*RAISE_NOTHING, *NO_STATISTIC, *NO_METHOD, *READ_NO_VALUES, *NOT_RUN} <= set(public())


def dataclasses_of_the_page() -> list[str]:
    if not PAGE.exists():
        return []
    names = re.findall(r"^   ([\w.]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return [name for name in names if inspect.isclass(found := resolved(name)) and dataclasses.is_dataclass(found)]


@pytest.mark.parametrize("name", dataclasses_of_the_page())
def test_docstrings__of_classes_say_what_every_field_is(name):
    kind = resolved(name)
    told = sections(inspect.getdoc(kind) or "")
    documented = re.findall(r"^(\w[\w, ]*)$", told.get("Attributes", told.get("Parameters", "")), re.MULTILINE)
    named = {one.strip() for line in documented for one in line.split(",")}
    assert {field.name for field in dataclasses.fields(kind) if not field.name.startswith("_")} <= named


def methods_of_the_page() -> list[str]:
    """Methods of public classes that take arguments, whether or not they are listed."""
    if not PAGE.exists():
        return []
    names = re.findall(r"^   ([\w.]+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    classes = [name for name in names if inspect.isclass(resolved(name)) and not issubclass(resolved(name), Exception)]
    return [
        f"{name}.{method}"
        for name in classes
        for method in vars(resolved(name))
        if not method.startswith("_")
        and inspect.isroutine(found := getattr(resolved(name), method))
        and callable(found)
        and inspect.signature(found).parameters.keys() - {"self"}
    ]


@pytest.mark.parametrize("name", methods_of_the_page())
def test_docstrings__of_methods_say_what_they_take_and_give(name):
    # the function that returns the object has the source and the example
    others = ("no example", "no Raises", "no source")
    assert [fault for fault in faults(name, resolved(name)) if fault not in others] == []


@pytest.mark.skipif(not (SHARED / "good_bad_news").is_dir(), reason="the detections are not here")
@pytest.mark.parametrize(
    "name",
    [
        "assets.path",
        "models.AUMap",
        "models.action_units",
        "models.au_table.estimate",
        "models.au_table.estimate_parts",
        "models.gaze.eye_directions",
        "plot.FaceModel",
    ],
)
def test_docstrings__examples_that_need_files_show_what_they_give(name, asset, monkeypatch, tmp_path):
    asset("face_landmarker.task")
    monkeypatch.setenv("FACEARRAY_ASSETS", str(SHARED))
    monkeypatch.setenv("FACEARRAY_DATA", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    found = resolved(name)
    text = (inspect.getdoc(found) or "").replace("  # doctest: +SKIP", "")
    names = {**vars(sys.modules[found.__module__]), "facearray": importlib.import_module("facearray")}
    example = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
    failed, attempted = doctest.DocTestRunner(optionflags=OPTIONS).run(example)
    assert attempted > 0
    assert failed == 0


def test_docstrings__what_is_not_said_is_noticed():
    def bare(ds: xr.Dataset, by: str, window: float, step: float) -> xr.Dataset:  # noqa: F821
        """Do something.

        Parameters
        ----------
        ds
            Detections.
        too_much
            Nothing, after Nobody & None (1999).
        window, step
            Lengths.

        Raises
        ------
        BadError
            Never.

        Examples
        --------
        >>> x = 1
        """

    assert faults("stats.bare", bare) == [
        "no parameter by",
        "a parameter too_much that it has not",
        "no Returns",
        "nothing about missing values",
        "no unit of step",
        "no unit of window",
        "an error BadError that there is not",
        "no reference for Nobody 1999",
        "an example that shows nothing",
        "no source",
    ]
