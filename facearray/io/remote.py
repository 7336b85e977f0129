"""Files behind URLs: which there are, and how each is told from a later one of its name, without reading them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from glob import has_magic
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from facearray._secrets import mask_secrets
from facearray.errors import StoreError
from facearray.io.location import file_system, store_errors

__all__ = [
    "OptionsOf",
    "RemoteFile",
    "describe",
    "describe_all",
    "is_remote",
    "name_of",
    "remote_files",
    "remote_fingerprint",
]

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://")

#: The options of the file system that a URL names.
OptionsOf = Callable[[str], Mapping[str, Any] | None]

#: Kinds of URL that cannot be listed: each stands for one file.
_WITHOUT_FOLDERS = ("http", "https")

#: What servers give to tell contents apart, and what they give to tell versions of one file apart.
_OF_CONTENT = ("content_md5", "md5Hash", "ETag", "etag")
_OF_VERSION = ("LastModified", "last_modified", "mtime", "updated", "created")

#: Files that are asked about at the same time.
_THREADS = 16


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file behind a URL.

    Attributes
    ----------
    url
        Its URL, with whatever secrets it has.
    info
        What its server says about it; None if it cannot be found or reached.
    """

    url: str
    info: Mapping[str, Any] | None


def is_remote(path: str) -> bool:
    """Whether a text is a URL of another kind than ``file://``."""
    scheme = _SCHEME.match(path)
    return scheme is not None and scheme[1].lower() not in ("file", "local")


def name_of(url: str) -> str:
    """Return the path of a URL in a form to make labels of: without secrets, and without the query if it can be.

    Examples
    --------
    >>> name_of("https://ann:pw@example.org/a/my%20talk.mp4?sig=9f2c"), name_of("s3://bucket/a#1.mp4")
    ('example.org/a/my talk.mp4', 'bucket/a#1.mp4')
    """
    scheme, _, rest = url.partition("://")
    if scheme.lower() in _WITHOUT_FOLDERS:
        parts = urlsplit(url)
        return f"{parts.hostname or ''}{unquote(parts.path)}"
    return mask_secrets(url).partition("://")[2].lstrip("/") or rest


def describe(url: str, options: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    """Ask what is known about a file, as it is now; None if there is none or it cannot be reached.

    Raises
    ------
    InputError
        If the URL is of a kind that is unknown or needs another package.
    """
    fs, path = file_system(url, options)
    try:
        with store_errors(url, doing="reading", storage_options=options):
            fs.invalidate_cache()
            info: Mapping[str, Any] = fs.info(path)
    except StoreError:
        return None
    return info


def describe_all(urls: Iterable[str], options: OptionsOf) -> dict[str, RemoteFile]:
    """Ask about many files at the same time; see :func:`describe`."""
    urls = list(dict.fromkeys(urls))
    with ThreadPoolExecutor(_THREADS) as pool:
        infos = pool.map(lambda url: describe(url, options(url)), urls)
        return {url: RemoteFile(url, info) for url, info in zip(urls, infos, strict=True)}


def remote_fingerprint(info: Mapping[str, Any] | None, location: str) -> str | None:
    """Identify a version of a remote file by its size, and the ETag or else the date that its server gives.

    Object stores make the ETag of the content, so that a copy keeps it if it was uploaded in the same way. Where there
    is only a date, or neither, it is the fingerprint of a file at one place.

    Parameters
    ----------
    info
        What the server says; see :func:`describe`.
    location
        Where it is, without secrets.

    Returns
    -------
    str or None
        ``"<size>-<hash>"``; None for what is no file, or could not be reached.

    Examples
    --------
    >>> remote_fingerprint({"type": "file", "size": 3, "ETag": '"9f2c"'}, "s3://bucket/a.mp4")
    '3-ff4109dcb73c19a3303b33484de224cd'
    """
    if info is None or info.get("type") == "directory":
        return None
    found = next((f"{name}={info[name]}" for name in _OF_CONTENT if info.get(name) is not None), None)
    if found is None:
        version = next((info[name] for name in _OF_VERSION if info.get(name) is not None), "")
        # Listings of some file systems have as a number what is a date where one file is asked about.
        found = f"{location} {version.timestamp() if isinstance(version, datetime) else version}"
    size = "unknown" if info.get("size") is None else info["size"]
    return f"{size}-{hashlib.blake2b(found.encode(), digest_size=16).hexdigest()}"


def remote_files(
    file: RemoteFile, suffixes: tuple[str, ...], options: Mapping[str, Any] | None = None
) -> list[RemoteFile] | None:
    """List the files that a URL stands for: a file, a folder or a glob.

    Parameters
    ----------
    file
        The URL and what is known about it. URLs of web servers stand for one file each.
    suffixes
        Suffixes, in lower case, of the files that a folder, or a glob that does not end in a suffix, stands for.
    options
        Options of the file system.

    Returns
    -------
    list of RemoteFile or None
        None if it is a folder or glob without any.

    Raises
    ------
    StoreError
        If a folder or glob cannot be listed.
    """
    url, info = file.url, file.info
    scheme = url.partition("://")[0].lower()
    is_folder = info is not None and info.get("type") == "directory"
    if scheme in _WITHOUT_FOLDERS or (info is not None and not is_folder) or not (is_folder or has_magic(url)):
        return [file]
    fs, path = file_system(url, options)
    with store_errors(url, doing="listing", storage_options=options):
        if is_folder:
            listed = {entry["name"]: entry for entry in fs.ls(path, detail=True)}
            listed = {name: entry for name, entry in listed.items() if not PurePosixPath(name).name.startswith(".")}
        else:
            listed = fs.glob(path, detail=True)
    suffix = PurePosixPath(path).suffix
    any_suffix = not is_folder and suffix and not has_magic(suffix)
    found = [
        RemoteFile(fs.unstrip_protocol(name), entry)
        for name, entry in sorted(listed.items())
        if entry.get("type") != "directory" and (any_suffix or PurePosixPath(name).suffix.lower() in suffixes)
    ]
    return found or None
