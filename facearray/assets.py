"""Named, hash-checked files: model weights and sample recordings.

None of them is part of the package. Every file has one name, one size, one SHA-256 and an ordered list of places that
it can come from; whichever of them answers, the hash decides. A file is looked for

1. in the folder that ``FACEARRAY_ASSETS`` names, for machines without a network;
2. in the cache: the folder ``assets`` below the one that ``FACEARRAY_CACHE`` names, or below the user's cache folder;
3. in its sources, from which it goes to the cache.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from facearray._assets.registry import ASSETS, Asset, Kind
from facearray.errors import AssetError, unknown_names

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

__all__ = [
    "ASSETS",
    "Asset",
    "Kind",
    "cache_root",
    "download",
    "install",
    "missing",
    "path",
    "pull",
    "sha256",
    "status",
]

#: Seconds to wait for another process that is fetching.
_LOCK_TIMEOUT = 1800.0


def path(name: str) -> Path:
    """Where a file is on this machine; it is fetched first if it has to be.

    Parameters
    ----------
    name
        Name of the file, one of ``ASSETS``.

    Returns
    -------
    Path
        Of a file whose hash is the registered one.

    Raises
    ------
    InputError
        If there is no file of that name.
    AssetError
        If the file cannot be fetched, or ``FACEARRAY_ASSETS`` holds a different file of that name.

    Examples
    --------
    >>> path("face_landmarker.task").name  # doctest: +SKIP
    'face_landmarker.task'
    """
    return pull([name])[name]


def pull(names: Iterable[str] | None = None, *, kind: Kind | None = None, progress: bool = True) -> dict[str, Path]:
    """Fetch the files that are not on this machine yet.

    Several processes may do this at once: one fetches, the others wait for it and use what it brought.

    Parameters
    ----------
    names
        Names of the files; by default all models and samples, or all of the kind.
    kind
        Only files of this kind.
    progress
        Show a progress bar if standard error is a terminal.

    Returns
    -------
    dict
        From name to path.

    Raises
    ------
    InputError
        If a name or the kind does not exist.
    AssetError
        If any file cannot be had; it lists every source that was tried, with its reason. The others are in the
        cache all the same.

    Examples
    --------
    >>> files = pull(kind="model")  # doctest: +SKIP
    """
    assets = _select(names, kind)
    found = _find(assets)
    if len(found) < len(assets):
        with _lock(_cache_folder()):
            found = _find(assets)
            found |= _fetch([asset for asset in assets if asset.name not in found], progress=progress)
    return {asset.name: found[asset.name] for asset in assets}


def status() -> list[tuple[Asset, Path | None]]:
    """Every file, with its path if it is on this machine already; nothing is fetched.

    Raises
    ------
    AssetError
        If ``FACEARRAY_ASSETS`` holds a file that is not the registered one.
    """
    found = _find(ASSETS.values())
    return [(asset, found.get(asset.name)) for asset in ASSETS.values()]


def download(addresses: Mapping[str, str], check: Callable[[Path], str], *, progress: bool = True) -> dict[str, Path]:
    """Fetch files that nobody has published the hash of, those that are not on this machine yet.

    A download that was cut goes on where it was, within this call or in a later one.

    Parameters
    ----------
    addresses
        From the names of the files, which may have a folder, to where they can be fetched.
    check
        Says why a complete download is not what it should be; empty if it is.
    progress
        Show progress bars if standard error is a terminal.

    Returns
    -------
    dict
        From name to path.

    Raises
    ------
    AssetError
        If any file cannot be had, with the reason for each; the others are in the cache all the same.

    Examples
    --------
    >>> addresses = {"talk.mp4": "https://example.org/talk.mp4"}
    >>> files = download(addresses, lambda path: "" if path.stat().st_size else "it is empty")  # doctest: +SKIP
    """
    found = _here(addresses)
    if len(found) < len(addresses):
        with _lock(_cache_folder()):
            found = _here(addresses)
            missing = {name: url for name, url in addresses.items() if name not in found}
            found |= _download(missing, check, progress=progress)
    return {name: found[name] for name in addresses}


def missing(names: Iterable[str]) -> list[str]:
    """Name those of some files that are not on this machine; nothing is fetched.

    Raises
    ------
    InputError
        If a name does not exist.
    AssetError
        If ``FACEARRAY_ASSETS`` holds a file that is not the registered one.
    """
    assets = _select(names, None)
    found = _find(assets)
    return [asset.name for asset in assets if asset.name not in found]


def install(contents: Mapping[str, bytes]) -> None:
    """Put files into the cache whose contents came some other way.

    Parameters
    ----------
    contents
        From name to content. Another process may do the same at the same time.

    Raises
    ------
    InputError
        If a name does not exist.
    AssetError
        If a content is not that of the registered file, or the cache cannot be written; nothing is stored then.
    """
    from facearray._assets.fetch import unwritable

    cache = _cache_folder()
    for asset in _select(contents, None):
        content = contents[asset.name]
        if problem := asset.problem(len(content), hashlib.sha256(content).hexdigest()):
            raise AssetError(f"{asset.name}: {problem}")
    with _lock(cache):
        for name, content in contents.items():
            temporary = cache / f"{name}.{os.getpid()}.part"
            try:
                temporary.parent.mkdir(parents=True, exist_ok=True)
                temporary.write_bytes(content)
                temporary.replace(cache / name)
            except OSError as error:
                raise unwritable(cache, error) from error
            finally:
                temporary.unlink(missing_ok=True)


def sha256(name: str) -> str:
    """Give the registered hash of a file, which need not be on this machine.

    Raises
    ------
    InputError
        If there is no file of that name.

    Examples
    --------
    >>> sha256("face_landmarker.task")[:8]
    '64184e22'
    """
    (asset,) = _select([name], None)
    return asset.sha256


def _select(names: Iterable[str] | None, kind: Kind | None) -> list[Asset]:
    if kind is not None and kind not in get_args(Kind):
        raise unknown_names("kind of asset", [kind], get_args(Kind))
    if names is None:
        # data sets are for those who ask for them
        return [asset for asset in ASSETS.values() if asset.kind == kind or (kind is None and asset.kind != "study")]
    wanted = list(dict.fromkeys(names))
    if unknown := [name for name in wanted if name not in ASSETS]:
        raise unknown_names("asset", unknown, list(ASSETS))
    return [ASSETS[name] for name in wanted if kind in (None, ASSETS[name].kind)]


def _find(assets: Iterable[Asset]) -> dict[str, Path]:
    """Paths of files that are here; a wrong one is an error in the given folder, and counts as absent in the cache."""
    given, cache = _given_folder(), _cache_folder()
    found, wrong = {}, []
    for asset in assets:
        if given and (own := given / asset.name).is_file():
            found[asset.name] = own
            if problem := _problem(asset, own):
                wrong.append(f"  - {own}: {problem}\n")
        elif (cached := cache / asset.name).is_file() and not _problem(asset, cached):
            found[asset.name] = cached
    if wrong:
        raise AssetError(
            f"the folder of FACEARRAY_ASSETS has files that are not the registered ones:\n{''.join(wrong)}"
            "replace or remove them, or unset FACEARRAY_ASSETS"
        )
    return found


def _here(names: Iterable[str]) -> dict[str, Path]:
    """Paths of files that are here, whatever their content."""
    folders = [folder for folder in (_given_folder(), _cache_folder()) if folder is not None]
    return {name: folder / name for name in names for folder in reversed(folders) if (folder / name).is_file()}


def _given_folder() -> Path | None:
    chosen = os.environ.get("FACEARRAY_ASSETS")
    if not chosen:
        return None
    folder = Path(chosen).expanduser().absolute()
    if not folder.is_dir():
        raise AssetError(f"found FACEARRAY_ASSETS={chosen}; expected a folder; name an existing one, or unset it")
    return folder


def cache_root() -> Path:
    """Folder below which everything is kept that can be had again: that of ``FACEARRAY_CACHE``, or the user's cache."""
    import platformdirs

    chosen = os.environ.get("FACEARRAY_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else platformdirs.user_cache_path("facearray")


def _cache_folder() -> Path:
    return cache_root() / "assets"


def _problem(asset: Asset, file: Path) -> str:
    stat = file.stat()
    return asset.problem(stat.st_size, _hash_of_file(file, stat.st_mtime_ns, stat.st_size))


@lru_cache(maxsize=1024)
def _hash_of_file(file: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001 - what the memory goes by
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _fetch(assets: Iterable[Asset], *, progress: bool) -> dict[str, Path]:
    from facearray._assets.fetch import Fetcher, progress_bars

    with progress_bars(progress) as bars:
        fetcher = Fetcher(ASSETS, _cache_folder(), bars)
        found = {asset.name: file for asset in assets if (file := fetcher.fetch(asset))}
    fetcher.raise_for_failures()
    return found


def _download(addresses: Mapping[str, str], check: Callable[[Path], str], *, progress: bool) -> dict[str, Path]:
    from facearray._assets.fetch import progress_bars, unwritable
    from facearray._assets.resume import download as download_file
    from facearray._assets.sources import SourceError, UnreachableError

    folder, problems = _cache_folder(), []
    found: dict[str, Path] = {}
    with progress_bars(progress) as bars:
        for name, url in addresses.items():
            file, task = folder / name, bars.add_task(name, total=None)
            try:
                file.parent.mkdir(exist_ok=True)
                download_file(url, file, check, partial(_update, bars, task))
                found[name] = file
            except UnreachableError as error:
                problems.append(f"  - {name}: {url}: {error}; the rest was not tried\n")
                break
            except SourceError as error:
                problems.append(f"  - {name}: {url}: {error}\n")
            except OSError as error:
                raise unwritable(folder, error) from error
            finally:
                bars.remove_task(task)
    if problems:
        raise AssetError(
            f"cannot fetch {len(addresses) - len(found)} of {len(addresses)} files:\n{''.join(problems)}"
            "run the same again: what is here is kept, and downloads go on where they were cut; or put the files "
            f"into the folder of FACEARRAY_ASSETS under these names, or into {folder}"
        )
    return found


def _update(bars: Progress, task: TaskID, n_bytes: int, size: int | None) -> None:
    bars.update(task, completed=n_bytes, total=size)


@contextmanager
def _lock(cache: Path) -> Iterator[None]:
    from filelock import FileLock, Timeout

    from facearray._assets.fetch import unwritable

    try:
        cache.mkdir(parents=True, exist_ok=True)
        lock = FileLock(cache / ".lock")
        lock.acquire(timeout=_LOCK_TIMEOUT)
    except Timeout:
        raise AssetError(
            f"another process has been fetching files into {cache} for {_LOCK_TIMEOUT:.0f} s; end it and try again"
        ) from None
    except OSError as error:
        raise unwritable(cache, error) from error
    try:
        yield
    finally:
        lock.release()
