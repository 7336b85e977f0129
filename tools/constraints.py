"""Print the exact versions of everything that `make venv` installs, as pip constraints.

Run ``.venv/bin/python tools/constraints.py > constraints.txt`` in an environment whose tests pass.
"""

from __future__ import annotations

import tomllib
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

HEADER = """\
# The set that `make venv` and the checks install; pyproject.toml stays open upwards.
# Made by tools/constraints.py. torch has no build tag here, so that a CPU wheel that pip is pointed to is taken.
"""


def pins() -> dict[str, str]:
    """Versions of the installed packages that the project, its node extra and its dev group need."""
    project = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    groups = project["dependency-groups"]
    grouped = [line for entry in groups["dev"] for line in groups[entry["include-group"]]]
    waiting = [Requirement(line) for line in ["pip", *project["project"]["dependencies"], *extras["node"], *grouped]]
    seen: set[tuple[str, frozenset[str]]] = set()
    found = {}
    while waiting:
        requirement = waiting.pop()
        name, wanted = canonicalize_name(requirement.name), frozenset(requirement.extras)
        if (name, wanted) in seen:
            continue
        seen.add((name, wanted))
        try:
            installed = distribution(name)
        except PackageNotFoundError:  # for another platform or Python
            continue
        found[name] = Version(installed.version).public
        for line in installed.requires or []:
            needed = Requirement(line)
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                waiting.append(needed)
    return found


if __name__ == "__main__":
    print(HEADER + "\n".join(f"{name}=={version}" for name, version in sorted(pins().items())))
