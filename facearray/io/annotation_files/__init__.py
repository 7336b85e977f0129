"""Files of annotation programs, as the table that `facearray.intervals.annotate` takes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields
from pathlib import Path

import pandas as pd

from facearray.errors import InputError, ReadError, unknown_names
from facearray.io.annotation_files import boris, elan, observer
from facearray.io.annotation_files.entry import Entry
from facearray.io.annotation_files.text import find_rows

__all__ = ["read_annotations"]

_COLUMNS = [field.name for field in fields(Entry)]
_READERS: Mapping[str, Callable[[str, bytes], list[Entry]]] = {
    "boris": boris.read,
    "elan": elan.read,
    "observer": observer.read,
}


def read_annotations(
    path: str | os.PathLike[str],
    *,
    source: str = "auto",
    video: str | None = None,
    tier: str | Iterable[str] | None = None,
) -> pd.DataFrame:
    """Read the annotations of one file as a table.

    Parameters
    ----------
    path
        File of ELAN (``.eaf``), BORIS (tabular or aggregated events, exported as TSV or CSV) or The Observer XT (event
        log, exported as text; UTF-16, UTF-8 or Windows-1252, any usual delimiter, decimal points or commas).
    source
        ``"elan"``, ``"boris"`` or ``"observer"``; by default what the file looks like.
    video
        Label of the video that the annotations are about, for a file about one recording. By default the file name of
        the medium that ELAN and BORIS were given (of ELAN's media the first video); for The Observer, which does not
        export it, the name of the observation.
    tier
        Only these tiers: one name or several. By default all.

    Returns
    -------
    pandas.DataFrame
        One row an annotation, in the file's order, with the columns

        - ``video``, and ``start`` and ``end`` in seconds of the video; a point event starts where it ends
        - ``label``: ELAN's annotation, or the behaviour that was coded
        - ``tier``: ELAN's tier; otherwise ``state`` or ``point``
        - ``subject``: ELAN's participant, or the subject that was observed
        - ``modifier``, ``category``, ``comment``: of a coded behaviour

        Texts that are not there are empty. Annotations of ELAN whose times are not aligned lie evenly between those
        that are; those that refer to others have their times, and share them evenly where one is subdivided.

    Raises
    ------
    InputError
        If an argument has a value that cannot be used, or does not fit the file.
    ReadError
        If the file cannot be read as what it should be, naming the line: an unknown format, a document type or
        entities in XML, a state that does not end or begins twice, a time that is none.

    Examples
    --------
    >>> import tempfile
    >>> columns = ["Media file name", "Subject", "Behavior", "Behavior type", "Time"]
    >>> rows = [["a.mp4", "ann", "talk", "START", 1.0], ["a.mp4", "ann", "talk", "STOP", 2.5]]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     pd.DataFrame(rows, columns=columns).to_csv(f"{folder}/coded.csv", index=False)
    ...     read_annotations(f"{folder}/coded.csv")[["video", "start", "end", "label", "tier", "subject"]]
       video  start  end label   tier subject
    0  a.mp4    1.0  2.5  talk  state     ann
    """
    if source != "auto" and source not in _READERS:
        raise unknown_names("source of annotations", [source], ["auto", *_READERS])
    file = Path(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{file}: found nothing that can be read ({error.strerror}); expected a file") from error
    entries = _reader(file, content, source)(str(file), content)
    return _of_video(file, _of_tiers(entries, tier), video)


def _reader(file: Path, content: bytes, source: str) -> Callable[[str, bytes], list[Entry]]:
    """Reader of the file: named, or found out."""
    if source != "auto":
        return _READERS[source]
    if file.suffix.lower() == ".eaf" or elan.MARK in content[:4096]:
        return elan.read
    for recognized_by, read in ((boris.RECOGNIZED_BY, boris.read), (observer.RECOGNIZED_BY, observer.read)):
        if any(find_rows(str(file), content, columns) is not None for columns in recognized_by):
            return read
    raise ReadError(
        f"{file}: found no format that is known; expected ELAN's .eaf, tabular or aggregated events of BORIS, or an "
        "event log of The Observer; export it as text, or name it with source="
    )


def _of_tiers(entries: Sequence[Entry], tier: str | Iterable[str] | None) -> list[Entry]:
    if tier is None:
        return list(entries)
    wanted = [tier] if isinstance(tier, str) else list(tier)
    known = sorted({entry.tier for entry in entries})
    if unknown := [name for name in wanted if name not in known]:
        raise unknown_names("tier", unknown, known)
    return [entry for entry in entries if entry.tier in wanted]


def _of_video(file: Path, entries: Sequence[Entry], video: str | None) -> pd.DataFrame:
    table = pd.DataFrame([[getattr(entry, name) for name in _COLUMNS] for entry in entries], columns=_COLUMNS)
    recordings = sorted(set(table["video"]))
    if video is not None and len(recordings) > 1:
        raise InputError(
            f"{file}: found {len(recordings)} recordings ({', '.join(recordings[:5])}) with video={video!r}; expected "
            "one; change the column 'video' of the table instead"
        )
    if video is None and "" in recordings:
        raise InputError(f"{file}: found no name of the recording; expected one; pass video=")
    return table if video is None else table.assign(video=video)
