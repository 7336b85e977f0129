"""Install what `make dist` has built into a fresh environment, away from the repository, and use it there.

    python tools/check_dist.py build/dist

1. The wheel has the package, its type information and its licences, and nothing else; the one that is built from the
   source distribution is the same, file by file.
2. With the wheel and its dependencies alone (no extra), `tools/check_install.py` runs: import, reading, statistics,
   pictures, detection.
3. `tools/follow_readme.py` follows the README in an empty folder.

The environment has the versions of constraints.txt and takes a few minutes and some gigabytes in a temporary folder,
which is removed. Sample files come from where `facearray models pull` put them, or from `FACEARRAY_ASSETS`.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"

METADATA = {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "licenses/LICENSE", "licenses/NOTICE"}


def contents(wheel: Path) -> dict[str, str]:
    """Hashes of the files in a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def check_contents(wheel: Path) -> list[str]:
    """Problems of what is in the wheel."""
    found = set(contents(wheel))
    info = next(name.partition("/")[0] for name in found if name.endswith("/METADATA"))
    tracked = ["git", "ls-files", "facearray"]
    listed = subprocess.run(tracked, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    wanted = set(listed) | {f"{info}/{name}" for name in METADATA}
    problems = [f"{name} is not in the wheel" for name in sorted(wanted - found)]
    problems += [f"{name} is in the wheel" for name in sorted(found - wanted)]
    return problems + ([] if "facearray/py.typed" in found else ["the wheel has no type information"])


def check_same(wheel: Path, sdist: Path, folder: Path) -> list[str]:
    """Differences of the wheel from the one that the source distribution builds."""
    command = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--wheel-dir", folder, sdist]
    subprocess.run(command, check=True)
    (built,) = folder.glob("*.whl")
    one, other = contents(wheel), contents(built)
    return [
        f"{name} differs between the wheel and the source distribution"
        for name in sorted(set(one) | set(other))
        if one.get(name) != other.get(name) and not name.endswith("/RECORD")
    ]


def main() -> int:
    """Check both distributions."""
    dist = Path(sys.argv[1]).resolve()
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if problems := check_contents(wheel) + check_same(wheel, sdist, folder / "from_source"):
            print("\n".join(problems), file=sys.stderr)
            return 1
        print(f"{wheel.name} and {sdist.name} have the package and nothing else", flush=True)
        python = folder / "env" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
        subprocess.run([sys.executable, "-m", "venv", folder / "env"], check=True)
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
        subprocess.run([*pip, "pip"], check=True)
        subprocess.run([*pip, wheel], check=True)
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        if SHARED.is_dir():
            environment.setdefault("FACEARRAY_ASSETS", str(SHARED))
        empty = folder / "empty"
        empty.mkdir()
        for command in (
            [python, "-I", ROOT / "tools" / "check_install.py"],
            [python, "-I", ROOT / "tools" / "follow_readme.py", ROOT / "README.md", folder / "readme"],
        ):
            subprocess.run(command, check=True, cwd=empty, env=environment)
    print("installed from the wheel, away from the repository: everything ran")
    return 0


if __name__ == "__main__":
    sys.exit(main())
