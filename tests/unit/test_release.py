"""What a release is made of: changelog, citation, continuous integration, image."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

from facearray.detection.executors.clusters import KEEP_MEMORY

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(not (ROOT / "Makefile").exists(), reason="not a clone of the repository")

HEADINGS = ["Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"]


@pytest.fixture(scope="module")
def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def changelog_problems(text: str) -> list[str]:
    """Where a changelog is not in the form of Keep a Changelog."""
    problems, versions, seen = [], [], []
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            seen = []
            found = re.fullmatch(r"## \[(Unreleased|\d+\.\d+\.\d+)\](?: - \d{4}-\d\d-\d\d)?", line)
            problems += [] if found else [f"{number}: {line}: not a version with a date"]
            versions += [found[1]] if found else []
        elif line.startswith("### "):
            seen.append(line.removeprefix("### "))
            if seen != [heading for heading in HEADINGS if heading in seen]:
                problems.append(f"{number}: {line}: expected each of {', '.join(HEADINGS)} once at most, in this order")
        elif line.startswith("#") and number > 1:
            problems.append(f"{number}: {line}: a heading of another level")
        elif len(line) > 140:
            problems.append(f"{number}: {len(line)} characters in a line")
    released = [Version(version) for version in versions if version != "Unreleased"]
    if versions[:1] != ["Unreleased"] or released != sorted(released, reverse=True):
        problems.append(f"versions {versions}: expected Unreleased, then the newest first")
    return problems


def test_changelog__has_the_fixed_headings():
    assert changelog_problems((ROOT / "CHANGELOG.md").read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("# C\n## [Unreleased]\n### New features\n", "3: ### New features"),
        ("# C\n## [Unreleased]\n### Fixed\n### Added\n", "4: ### Added"),
        ("# C\n## [Unreleased]\n### Added\n### Added\n", "4: ### Added"),
        ("# C\n## [Unreleased]\n## 0.1.0\n", "3: ## 0.1.0"),
        ("# C\n## [0.1.0] - 2026-01-01\n", "versions ['0.1.0']"),
        ("# C\n## [Unreleased]\n## [0.1.0] - 2026-01-01\n## [0.2.0] - 2026-02-01\n", "versions"),
        ("# C\n## [Unreleased]\n" + "x" * 150, "3: 150 characters"),
    ],
)
def test_changelog__other_forms_are_found(text, problem):
    assert changelog_problems(text)[0].startswith(problem)


def test_citation__is_of_this_version(project):
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert (citation["title"], citation["version"]) == (project["name"], project["version"])
    assert citation["license"] == project["license"]
    assert citation["keywords"] == project["keywords"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]
    assert citation["cff-version"] == "1.2.0"


def test_workflow__tests_every_platform_python_and_kind_of_install(project):
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8"))
    job = workflow["jobs"]["tests"]
    matrix = job["strategy"]["matrix"]
    assert matrix == {
        "os": ["ubuntu-latest", "macos-latest", "windows-latest"],
        "python": ["3.11", "3.12", "3.13", "3.14"],
        "install": ["minimal", "full"],
    }
    assert f">={matrix['python'][0]}" == project["requires-python"]
    conditions = [step["if"] for step in job["steps"] if "if" in step]
    for install in matrix["install"]:
        assert f"matrix.install == '{install}'" in conditions
    assert workflow["permissions"] == {"contents": "read"}
    assert "secrets." not in str(workflow)


def test_oldest__are_the_lower_bounds(project):
    command = [sys.executable, ROOT / "tools" / "oldest.py"]
    lines = subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
    extras = [line for name, lines in project["optional-dependencies"].items() for line in lines if name != "pyfeat"]
    wanted = [line.replace(">=", "==") for line in project["dependencies"] + extras if not line.startswith("pip>")]
    assert sorted(lines) == sorted(wanted)


def test_workflow__commands_are_those_that_exist(project):
    text = (ROOT / ".github" / "workflows" / "tests.yml").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"run: make ([\w-]+)", text)
    assert targets
    assert [target for target in targets if not re.search(rf"^{target}:", makefile, re.MULTILINE)] == []
    for path in re.findall(r"(?:tools|\.ci)/[\w.]+", text):
        assert (ROOT / path).exists()


def instructions(text: str) -> list[tuple[str, str]]:
    """Instructions of a Containerfile and their arguments, lines put together."""
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    joined = "\n".join(lines).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in joined.splitlines() if line.strip()]


@pytest.fixture(scope="module")
def image():
    return instructions((ROOT / "Containerfile").read_text(encoding="utf-8"))


def test_image__keeps_the_settings_of_our_own_workers(image):
    variables = dict(pair.split("=") for name, text in image if name == "ENV" for pair in shlex.split(text))
    assert {name: variables[name] for name in KEEP_MEMORY} == {name: str(value) for name, value in KEEP_MEMORY.items()}
    assert variables["OMP_NUM_THREADS"] == "1"


def test_image__is_built_from_files_that_are_there(image, project):
    copied = [part for name, text in image if name == "COPY" and "--from" not in text for part in text.split()[:-1]]
    assert [path for path in copied if not (ROOT / path).exists()] == []
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {f"!{path}" for path in copied} == {line for line in ignored if line.startswith("!")}
    for path in ["README.md", *project["license-files"], "facearray"]:
        assert path in copied, "hatchling needs it"
    (extras,) = (text.removeprefix("EXTRAS=") for name, text in image if name == "ARG" and text.startswith("EXTRAS="))
    assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_image__does_not_run_as_root(image):
    assert [text for name, text in image if name == "USER"] == ["1000"]
    bases = [text.split()[0] for name, text in image if name == "FROM"]
    (version,) = {re.fullmatch(r"python:([\d.]+)-slim", base)[1] for base in bases}
    assert Requirement("python>=3.11").specifier.contains(version)
