"""What an argument that names files stands for: which files there are, and what each of them is called."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from urllib.parse import urlsplit
from urllib.request import url2pathname

from natsort import natsort_keygen

from facearray._secrets import SecretOptions, mask_secrets
from facearray.errors import InputError
from facearray.io.location import check_kind
from facearray.io.remote import (
    OptionsOf,
    RemoteFile,
    describe_all,
    is_remote,
    name_of,
    remote_files,
    remote_fingerprint,
)

__all__ = ["MISSING", "FileKind", "Paths", "Source", "find_files", "fingerprint", "natural_key", "shortest_ends"]

#: Fingerprint of what is not a readable file.
MISSING = "missing"

_PART = 2**20
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")
_natural = natsort_keygen()

#: What can be given for files.
Paths = str | os.PathLike[str] | Iterable[str | os.PathLike[str]] | Mapping[str, str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class FileKind:
    """What files are looked for.

    Attributes
    ----------
    argument
        Name of the argument that names them, for messages.
    one, many
        What one, and several of them are called, for messages.
    suffixes
        Suffixes, in lower case, by which a folder's files are known.
    remote
        Whether they may lie behind URLs of other kinds than ``file://``.
    """

    argument: str
    one: str
    many: str
    suffixes: tuple[str, ...]
    remote: bool = False

    def is_known(self, file: Path) -> bool:
        """Say whether a file has one of the suffixes."""
        return file.suffix.lower() in self.suffixes


@dataclass(frozen=True, slots=True)
class Source:
    """One recording that was asked for. It need not exist: then its row fails and says so.

    Attributes
    ----------
    label
        What it is called on the ``video`` dim; any text that is not empty.
    path
        Absolute path, as the operating system knows it; or a URL, with whatever secrets it has.
    fingerprint
        See :func:`fingerprint`, and :func:`facearray.io.remote.remote_fingerprint` for a URL.
    options
        Options of the file system that a URL names.
    """

    label: str
    path: str
    fingerprint: str
    options: SecretOptions | None = field(default=None, compare=False)

    @property
    def exists(self) -> bool:
        """Whether there is a readable file."""
        return self.fingerprint != MISSING

    @property
    def is_remote(self) -> bool:
        """Whether it lies behind a URL."""
        return is_remote(self.path)

    @property
    def location(self) -> str:
        """The path as text that can be stored and printed: without secrets, whatever bytes a file name consists of."""
        return mask_secrets(self.path, self.options) if self.is_remote else _printable(self.path)

    def __repr__(self) -> str:
        return f"Source(label={self.label!r}, location={self.location!r}, fingerprint={self.fingerprint!r})"


def find_files(files: Paths, kind: FileKind, options: OptionsOf | None = None) -> list[Source]:
    """List the files that an argument stands for; see :func:`facearray.detection.sources.find_videos`.

    Parameters
    ----------
    files
        A path, a ``file://`` URL, a glob, a folder, an iterable of these, or a mapping of label to path or URL.
    kind
        What is looked for.
    options
        Gives the options of the file system that a URL names.

    Raises
    ------
    InputError
        If there is nothing but empty folders and globs without a match, a URL of another kind, an empty label or
        path, or something that is neither path nor text.
    StoreError
        If a remote folder or glob cannot be listed.
    """
    options = options or _no_options
    if isinstance(files, Mapping):
        return _from_mapping(files, kind, options)
    if isinstance(files, str | os.PathLike):
        files = [files]
    if not isinstance(files, Iterable):
        raise InputError(
            f"{kind.argument}: found {type(files).__name__}; expected a path, a glob, a folder, or a list or mapping "
            "of them"
        )
    problems: list[str] = []
    asked: list[str] = []
    for item in files:
        try:
            asked.append(_place(item, kind))
        except InputError as error:
            problems.append(str(error))
    remote = describe_all(filter(is_remote, asked), options)
    paths: dict[str, str] = {}
    empty: list[str] = []
    for path in asked:
        found = _expand_remote(remote, path, kind, options) if is_remote(path) else _expand(path, kind)
        if found is None:
            empty.append(path)
            found = [path]
        for each in found:
            paths.setdefault(_identity(each), each)
    if not problems and len(paths) == len({_identity(path) for path in empty}):
        problems = [_nothing_in(path, kind) for path in empty]
        problems = problems or [f"{kind.argument} is empty; expected at least one path"]
    if problems:
        raise InputError("; ".join(problems))
    named = _named(paths.values())
    labels = shortest_ends(list(named))
    return sorted(
        (_source(label, named[name], remote, options) for name, label in labels.items()),
        key=lambda source: natural_key(source.label),
    )


def _no_options(_: str) -> None:
    return None


def _source(label: str, path: str, remote: Mapping[str, RemoteFile], options: OptionsOf) -> Source:
    if not is_remote(path):
        return Source(label, path, fingerprint(path))
    info = remote[path].info if path in remote else None
    source = Source(label, path, MISSING, SecretOptions(options(path) or {}))
    return replace(source, fingerprint=remote_fingerprint(info, source.location) or MISSING)


def _named(paths: Iterable[str]) -> dict[str, str]:
    """Return what labels are made of → path; URLs that differ only in secrets name one file."""
    named: dict[str, str] = {}
    for path in paths:
        name = name_of(path) if is_remote(path) else path
        if name in named and is_remote(path):
            name = f"{name}?{mask_secrets(path).partition('?')[2]}"
        named.setdefault(name, path)
    return named


def fingerprint(path: str | os.PathLike[str]) -> str:
    """Identify a file by its content, cheaply: a copied or renamed file keeps its fingerprint.

    It is the size in bytes and the BLAKE2b hash (128 bits) of the first and the last MiB: two files that differ
    only between the two, and have the same size, are taken for one.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    str
        ``"<size>-<hash>"``, or ``"missing"`` for what is not a readable file.
    """
    digest = hashlib.blake2b(digest_size=16)
    path = Path(path)
    try:
        if not path.is_file():
            return MISSING
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(0)
            digest.update(file.read(_PART))
            file.seek(max(size - _PART, min(size, _PART)))
            digest.update(file.read(_PART))
    except OSError:
        return MISSING
    return f"{size}-{digest.hexdigest()}"


def _from_mapping(files: Mapping[str, str | os.PathLike[str]], kind: FileKind, options: OptionsOf) -> list[Source]:
    sources, problems = [], []
    for label, item in files.items():
        if not isinstance(label, str) or not label.strip() or not _is_text(label):
            problems.append(f"{kind.argument}: found the label {label!r}; expected text that is not empty")
        try:
            path = _place(item, kind)
        except InputError as error:
            problems.append(str(error))
        else:
            sources.append((label, path))
    if not files:
        problems.append(f"{kind.argument} is empty; expected at least one label and path")
    if problems:
        raise InputError("; ".join(problems))
    remote = describe_all((path for _, path in sources if is_remote(path)), options)
    return [_source(_printable(label), path, remote, options) for label, path in sources]


def _place(item: object, kind: FileKind) -> str:
    """Make an absolute path of a path or ``file://`` URL, without resolving links; other URLs stay as they are."""
    if not isinstance(item, str | os.PathLike):
        raise InputError(
            f"{kind.argument}: found {item!r} ({type(item).__name__}); expected a path as text or pathlib.Path"
        )
    path = os.fspath(item)
    if not isinstance(path, str) or not path or "\0" in path or not _is_text(path):
        raise InputError(
            f"{kind.argument}: found the path {path!r}; expected text that is not empty, without null characters"
        )
    if scheme := _SCHEME.match(path):
        if kind.remote and is_remote(path):
            check_kind(path)
            return path
        if scheme[1].lower() != "file":
            # The rest of a URL may hold a password or a signature.
            raise InputError(
                f"{kind.argument}: found a URL that starts with '{scheme[0]}'; expected a local path or a file:// URL; "
                "download the file first"
            )
        path = url2pathname(urlsplit(path.replace("?", "%3F").replace("#", "%23")).path)
    return os.path.abspath(Path(path).expanduser())  # noqa: PTH100  (resolve would follow links)


def _expand(path: str, kind: FileKind) -> list[str] | None:
    """List the files that a path stands for, or None if it is a folder or glob without any."""
    if Path(path).is_dir():
        found = [file for file in Path(path).iterdir() if not file.name.startswith(".") and kind.is_known(file)]
    elif os.path.lexists(path) or not glob.has_magic(path):
        return [path]
    else:
        # Path.glob would take hidden files too.
        found = [Path(match) for match in glob.glob(path, recursive=True)]  # noqa: PTH207
        suffix = PurePath(path).suffix
        if not suffix or glob.has_magic(suffix):
            found = [file for file in found if kind.is_known(file)]
    return [str(file) for file in found if file.is_file()] or None


def _expand_remote(known: dict[str, RemoteFile], url: str, kind: FileKind, options: OptionsOf) -> list[str] | None:
    """List the files that a URL stands for, and add to what is known what the listing says about each."""
    found = remote_files(known[url], kind.suffixes, options(url))
    known.update({file.url: file for file in found or ()})
    return None if found is None else [file.url for file in found]


def _nothing_in(path: str, kind: FileKind) -> str:
    suffixes = " ".join(sorted(kind.suffixes))
    if is_remote(path):
        return f"nothing matches {mask_secrets(path)}; expected at least one {kind.one} (of {suffixes})"
    if Path(path).is_dir():
        return f"the folder {path!r} has no {kind.many} directly in it; looked for {suffixes}"
    return f"nothing matches {path!r}; expected at least one {kind.one} (of {suffixes} if no suffix is given)"


def _identity(path: str) -> str:
    """Reduce a path to what is the same for the same file, but not for two links to one file."""
    if is_remote(path):
        return path
    return os.path.normcase(Path(path).parent.resolve() / Path(path).name)


def natural_key(label: str) -> tuple[object, str]:
    """Key that sorts ``2.mp4`` before ``10.mp4``."""
    return _natural(label), label


def shortest_ends(paths: list[str]) -> dict[str, str]:
    """Give each path the shortest end of it that no other path has, at least the file name."""
    labels: dict[str, str] = {}
    pending, length = paths, 1
    while pending:
        sharing: dict[str, list[str]] = defaultdict(list)
        for path in pending:
            sharing[PurePath(*PurePath(path).parts[-length:]).as_posix()].append(path)
        labels |= {same[0]: _printable(label) for label, same in sharing.items() if len(same) == 1}
        pending = [path for same in sharing.values() if len(same) > 1 for path in same]
        length += 1
    return {path: labels[path] for path in paths}


def _is_text(text: str) -> bool:
    """Whether text can be written down; bytes of a file name that are no text can, other lone surrogates cannot."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _printable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
