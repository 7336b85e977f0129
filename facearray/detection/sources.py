"""What the argument `videos` stands for: which files there are, and what each of them is called."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from facearray.errors import InputError
from facearray.io.location import similar_names
from facearray.io.paths import MISSING, FileKind, Paths, Source, find_files, fingerprint
from facearray.io.remote import OptionsOf

__all__ = [
    "MISSING",
    "PICTURE_SUFFIXES",
    "VIDEO_SUFFIXES",
    "Source",
    "Videos",
    "find_videos",
    "fingerprint",
    "none_exists",
]

#: Suffixes by which a folder's videos are known, in lower case.
VIDEO_SUFFIXES = tuple(
    ".3g2 .3gp .asf .avi .flv .gif .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm "
    ".wmv".split()
)

#: Suffixes by which a folder's pictures are known, in lower case.
PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

#: Videos that a message names.
SHOWN = 10

#: What can be given for `videos`.
Videos = Paths

_VIDEOS = FileKind("videos", "video or picture", "videos or pictures", VIDEO_SUFFIXES + PICTURE_SUFFIXES, remote=True)


def find_videos(videos: Videos, options: OptionsOf | None = None) -> list[Source]:
    r"""List the recordings that `videos` stands for.

    Parameters
    ----------
    videos
        A path, a URL, a glob (``**`` spans folders), a folder, an iterable of these, or a mapping of label to path or
        URL. Globs and folders may be URLs too (``s3://bucket/study/*.mp4``), but not those of web servers.

        - A folder stands for the videos and pictures directly in it, known by their suffixes
          (:data:`VIDEO_SUFFIXES`, :data:`PICTURE_SUFFIXES`); hidden files are left out.
        - A glob stands for the files that it matches. If its last part does not end in a suffix (``study/**``),
          files with other than the known suffixes are left out, as in a folder.
        - A path that exists is that file, even if it reads like a glob.
        - A file that is given twice counts once.
    options
        Gives the options of the file system that a URL names.

    Returns
    -------
    list of Source
        Sorted naturally by label (``2.mp4`` before ``10.mp4``); a mapping keeps its order and its labels.
        Elsewhere the label is the file name with extension; where several files share it, each one's is the end of
        its path, with ``/`` between the parts, as long as is needed to tell it from the others. Bytes of a file
        name that are not text appear as ``\xff``. Of a URL, neither label nor location show secrets. No remote file
        is read: its fingerprint is what its server says about it.

        What is named and does not exist (a missing file, a folder without videos, a glob without a match) is
        listed too, with the fingerprint ``"missing"``: the other recordings do not depend on it.

    Raises
    ------
    InputError
        If there is nothing but empty folders and globs without a match, a URL of a kind that is unknown or needs
        another package, an empty label or path, or something that is neither path nor text.
    StoreError
        If a remote folder or glob cannot be listed.

    Examples
    --------
    >>> [source.label for source in find_videos(["b/10.mp4", "b/2.mp4", "a/2.mp4"])]
    ['10.mp4', 'a/2.mp4', 'b/2.mp4']
    >>> find_videos({"baseline": "b/2.mp4"})[0].fingerprint
    'missing'
    """
    return find_files(videos, _VIDEOS, options)


def none_exists(sources: Sequence[Source]) -> InputError:
    """Make the error for videos none of which exists, with files of similar names in the same folders."""
    problems = [f"  - found no {source.location}{_hint(source)}\n" for source in sources[:SHOWN]]
    if len(sources) > SHOWN:
        problems.append(f"  - … and {len(sources) - SHOWN} more\n")
    return InputError(
        f"videos:\n{''.join(problems)}expected at least one that exists and can be read; nothing was written"
    )


def _hint(source: Source) -> str:
    """Say what is there instead."""
    if source.is_remote:
        return ", or it cannot be reached"
    path = Path(source.path)
    if path.is_file():
        return " that can be read; check its permissions"
    try:
        names = [file.name for file in path.parent.iterdir() if _VIDEOS.is_known(file)]
    except OSError:
        return f"; there is no folder {path.parent}"
    near = similar_names(path.name, names)
    return f"; did you mean {' or '.join(map(repr, near))}?" if near else ""
