"""Files beside the package that have to say the same as it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from facearray import assets

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
#: Names on conda-forge that differ.
CONDA = {"dask": "dask-core", "torch": "pytorch"}

pytestmark = pytest.mark.skipif(not (ROOT / "Makefile").exists(), reason="not a clone of the repository")


def requirements(*lines: str) -> dict[str, str]:
    return {canonicalize_name(r.name): str(r.specifier) for r in map(Requirement, lines)}


def all_requirements() -> dict[str, str]:
    """Of everything that `make venv` installs."""
    project, groups = PROJECT["project"], PROJECT["dependency-groups"]
    names = [entry["include-group"] for entry in groups["dev"]]
    grouped = [line for name in names for line in groups[name]]
    return requirements(*project["dependencies"], *project["optional-dependencies"]["node"], *grouped)


def test_pyproject__has_lower_bounds_only():
    extras, groups = PROJECT["project"]["optional-dependencies"], PROJECT["dependency-groups"]
    others = [line for lines in (*extras.values(), *groups.values()) for line in lines if isinstance(line, str)]
    bounds = (all_requirements() | requirements(*others)).items()
    assert [name for name, bound in bounds if not re.fullmatch(r">=[\d.]+", bound)] == []


def test_environment__mirrors_the_dependencies():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    conda = requirements(*(line for line in listed if isinstance(line, str)))
    pip = requirements(*(line for line in listed[-1]["pip"] if not line.startswith("-e")))
    wanted = {CONDA.get(name, name): bound for name, bound in requirements(*PROJECT["project"]["dependencies"]).items()}
    assert conda | pip == wanted | {"python": PROJECT["project"]["requires-python"], "nodejs": ">=20"}


def test_constraints__pin_every_dependency_within_its_bounds():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = requirements(*(line for line in lines if line and not line.startswith("#")))
    for name, bound in all_requirements().items():
        assert name in pins, f"run tools/constraints.py: {name} is not pinned"
        version = pins[name].removeprefix("==")
        assert Requirement(f"{name}{bound}").specifier.contains(version), f"{name}: {version} is not {bound}"


def test_notice__names_every_model_file():
    notice = (ROOT / "NOTICE").read_text(encoding="utf-8")
    models = [asset.name for asset, _ in assets.status() if asset.kind == "model"]
    assert len(models) > 3
    assert [name for name in models if name not in notice and "manifest" not in name] == []
