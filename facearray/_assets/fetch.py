"""Getting files out of their sources into a folder."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

from facearray._assets.registry import Asset
from facearray._assets.sources import Archive, Https, Member, Source, SourceError, UnreachableError
from facearray.errors import AssetError

__all__ = ["Fetcher", "progress_bars", "unwritable"]


class Fetcher:
    """Goes through the sources of files, and through each archive and each dead host once.

    Parameters
    ----------
    registry
        All files that an archive may hold: whatever is in one that has to be downloaded is kept.
    folder
        Where the files go; each appears there whole and checked, or not at all.
    bars
        Where downloads are shown.
    """

    def __init__(self, registry: Mapping[str, Asset], folder: Path, bars: Progress) -> None:
        self._registry = registry
        self._folder = folder
        self._bars = bars
        self._failed: list[str] = []
        self._reasons: dict[tuple[str, str], set[str]] = {}
        self._dead_hosts: dict[str, str] = {}
        self._unpacked: dict[Archive, dict[str, str]] = {}

    def fetch(self, asset: Asset) -> Path | None:
        """Try one source of a file after the other; None if none of them gave it."""
        for source in asset.sources:
            try:
                self._fetch_from(source, asset)
            except SourceError as error:
                self._reasons.setdefault((str(source), str(error)), set()).add(asset.name)
            else:
                return self._folder / asset.name
        self._failed.append(asset.name)
        return None

    def raise_for_failures(self) -> None:
        """Raise one ``AssetError`` about all files that no source gave."""
        if not self._failed:
            return
        tried = "".join(
            f"  - {source}: {reason}\n"
            for (source, reason), names in self._reasons.items()
            if not names.isdisjoint(self._failed)
        )
        raise AssetError(
            f"cannot fetch {', '.join(sorted(self._failed))}\n"
            f"tried:\n{tried}"
            "any of these helps:\n"
            "  - with a network, try again: facearray models pull\n"
            "  - behind a mirror or proxy, set it where each looks for it: `pip config set global.index-url URL`, "
            "`npm config set registry URL`, HTTPS_PROXY for addresses\n"
            "  - without a network, run `facearray models pull` on another machine, copy its cache "
            f"(here {self._folder}), and let FACEARRAY_ASSETS name the copy"
        )

    def _fetch_from(self, source: Source, asset: Asset) -> None:
        match source:
            case Https():
                self._download(source, asset)
            case Member(archive):
                if archive not in self._unpacked:
                    self._unpacked[archive] = self._unpack(archive)
                if reason := self._unpacked[archive].get(asset.name):
                    raise SourceError(reason)

    def _download(self, source: Https, asset: Asset) -> None:
        if reason := self._dead_hosts.get(source.host):
            raise SourceError(reason)
        try:
            with self._bar(asset.name, asset.size) as advance:
                content = source.fetch(asset.size, advance)
        except UnreachableError as error:
            self._dead_hosts[source.host] = str(error)
            raise
        self._keep(asset, content)

    def _unpack(self, archive: Archive) -> dict[str, str]:
        """Keep all known files of an archive; says by name what is wrong with those that could not be kept."""
        wanted = {
            source.path: asset
            for asset in self._registry.values()
            for source in asset.sources
            if isinstance(source, Member) and source.archive == archive
        }
        try:
            with tempfile.TemporaryDirectory(prefix="facearray-") as folder, self._bar(str(archive), None):
                file = archive.download(Path(folder))
                contents = archive.read(file, {member: asset.size for member, asset in wanted.items()})
        except SourceError as error:
            return {asset.name: str(error) for asset in wanted.values()}
        problems = {asset.name: f"it has no {member}" for member, asset in wanted.items() if member not in contents}
        for member, content in contents.items():
            try:
                self._keep(wanted[member], content)
            except SourceError as error:
                problems[wanted[member].name] = f"{member}: {error}"
        return problems

    def _keep(self, asset: Asset, content: bytes) -> None:
        if problem := asset.problem(len(content), hashlib.sha256(content).hexdigest()):
            raise SourceError(problem)
        file = self._folder / asset.name
        part = file.with_name(f".{file.name}.part")
        try:
            file.parent.mkdir(exist_ok=True)
            if file.is_file() and file.read_bytes() == content:
                return
            part.write_bytes(content)
            part.replace(file)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    @contextmanager
    def _bar(self, label: str, size: int | None) -> Iterator[Callable[[int], None]]:
        task = self._bars.add_task(label, total=size)
        try:
            yield lambda n: self._bars.advance(task, n)
        finally:
            self._bars.remove_task(task)


def progress_bars(show: bool) -> Progress:
    """Progress bars on standard error, which show nothing unless that is a terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    return Progress(*columns, console=console, transient=True, disable=not (show and console.is_terminal))


def unwritable(folder: Path, error: OSError) -> AssetError:
    """Make the error for a cache that cannot be written."""
    return AssetError(f"cannot write into {folder}: {error}; let FACEARRAY_CACHE name a folder that can be written")
