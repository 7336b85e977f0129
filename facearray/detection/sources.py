"""What the argument `videos` stands for: which files there are, and what each of them is called."""

from __future__ import annotations

from facearray.io.paths import MISSING, FileKind, Paths, Source, find_files, fingerprint
from facearray.io.remote import OptionsOf

__all__ = ["MISSING", "PICTURE_SUFFIXES", "VIDEO_SUFFIXES", "Source", "Videos", "find_videos", "fingerprint"]

#: Suffixes by which a folder's videos are known, in lower case.
VIDEO_SUFFIXES = tuple(
    ".3g2 .3gp .asf .avi .flv .gif .m2ts .m4v .mjpeg .mkv .mov .mp4 .mpeg .mpg .mts .mxf .ogv .ts .vob .webm "
    ".wmv".split()
)

#: Suffixes by which a folder's pictures are known, in lower case.
PICTURE_SUFFIXES = (".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp")

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
