"""Print the lower bounds of pyproject.toml as constraints: the oldest set that it allows.

    python tools/oldest.py > oldest.txt && pip install . -c oldest.txt

pip itself is left out, because a new one installs the set; so is py-feat, which has an environment of its own.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

PYPROJECT = Path(__file__).resolve().parents[1] / "pyproject.toml"


def main() -> None:
    """Print a line for every package that the package or an extra needs."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    extras = [line for name, lines in project["optional-dependencies"].items() for line in lines if name != "pyfeat"]
    for line in sorted(project["dependencies"] + extras):
        if not line.startswith("pip>"):
            print(line.replace(">=", "=="))


if __name__ == "__main__":
    main()
