"""Files of other tools as one Dataset, in memory or straight into a store."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import Any, TypeVar

import xarray as xr
from zarr.abc.store import Store as ZarrStore

from facearray._warning import warn_caller
from facearray._words import counted
from facearray.errors import FaceArrayError, InputError, ReadError
from facearray.io import assembling
from facearray.io.assembling import assemble
from facearray.io.journal import Journal
from facearray.io.layout import Layout
from facearray.io.lease import Lease
from facearray.io.location import StoreLike, address, check_options
from facearray.io.paths import MISSING, FileKind, Paths, Source, find_files, natural_key, shortest_ends
from facearray.io.readers import READERS, Reader, load_reader
from facearray.io.readers.recognition import AttributesError, recognize
from facearray.io.recording import Recording
from facearray.io.rows import RowWriter
from facearray.io.store import Store, frame_capacity, open_store
from facearray.io.uniting import Outline, block, unite

__all__ = ["from_recordings", "read"]

#: Faults that the warning about them lists.
SHOWN = 30

_T = TypeVar("_T")


def read(
    paths: Paths,
    *,
    source: str = "auto",
    fps: float | None = None,
    store: StoreLike | None = None,
    overwrite: bool = False,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Read what other tools found in videos: one Dataset with our names, units and signs.

    Files may be of different tools. Measures that the vocabulary does not have become features of group ``other``;
    what is converted, and how, is in the attribute ``options`` and in the documentation's tables.

    Parameters
    ----------
    paths
        A path, a glob, a folder, a list of these, or a mapping of label to path.
    source
        Which tool made the files: ``"pyfeat"``, ``"openface"``, ``"imotions"``, ``"affectiva"``, ``"mediapipe"``,
        ``"libreface"``; or ``"auto"`` to tell by the contents of each file.
    fps
        The frame rate, in frames a second, that the files' frame numbers count. Where a file has no times,
        ``timestamp`` is the frame number divided by it, and NaN without it.
    store
        Path or URL of a new store, or a Zarr store object. The recordings are written to it part by part, so that
        memory is bounded, however many and long they are; every file is read twice.
    overwrite
        Whether a store that is there already is deleted.
    storage_options
        Options of the file system that the URL of the store names.

    Returns
    -------
    xarray.Dataset
        As :func:`facearray.open_store` gives it, in memory or, with `store`, lazy. A row is a recording: a file, or
        what the file itself calls one (``input`` of py-feat). Rows are sorted naturally by label; a mapping keeps its
        order. Features are the union over all recordings, NaN where one lacks them.

        A file that cannot be read is a row with ``status`` ``"failed"`` and the reason in ``error``. A table of
        attributes, without anything that is of frames, is no recording: it is named in the warning and left out, but
        for one that a mapping gives a label.

    Warns
    -----
    UserWarning
        If files have faults: those that failed or are no recordings, and what was left out of others, with file, line
        and column.

    Raises
    ------
    InputError
        If nothing matches a glob, a folder has no files, the source does not exist, the frame rate is not positive,
        there is a store already, or there are options but no store behind a URL.
    ReadError
        If no file can be read, be it that none of them exists.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> columns = ["frame", "face_id", "timestamp", "confidence", "success", "gaze_angle_x", "gaze_angle_y"]
    >>> table = pd.DataFrame([[1, 0, 0.0, 0.98, 1, 0.1, -0.2]], columns=columns)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_csv(f"{folder}/001.csv", index=False)
    ...     ds = read(f"{folder}/*.csv")
    >>> ds.attrs["detector"], ds.fex.gaze.squeeze().round(2).values  # OpenFace has radians
    ('OpenFace 2', array([-11.46,   5.73], dtype=float32))
    """
    _check(source, fps)
    check_options(storage_options, store)
    if store is not None and not overwrite and Store.exists(store, storage_options=storage_options):
        raise InputError(
            f"found a store at {address(store)}; expected none; name another place, or replace it "
            "(overwrite=True, --overwrite)"
        )
    files = find_files(paths, _kind(source))
    contents = _in_parallel(partial(_content, source=source, keep=store is None), files)
    rows = _rows(contents, keep_order=isinstance(paths, Mapping))
    read_ones = [row.outline for row in rows if row.outline is not None]
    faults = _faults(contents, rows)
    if not read_ones:
        raise ReadError("no file can be read:\n" + _listed(faults))
    fps = None if fps is None else float(fps)
    layout = unite(read_ones, fps=fps)
    if store is None:
        ds = _in_memory(rows, layout, fps)
    else:
        ds = _in_store(rows, layout, fps, store, overwrite=overwrite, storage_options=storage_options)
        faults += _new_failures(ds, rows)
    if faults:
        warn_caller(f"found faults in {counted(len(faults), 'place')}:\n" + _listed(faults))
    return ds


def from_recordings(recordings: Iterable[Recording], *, tool: str) -> xr.Dataset:
    """Put recordings that are in memory together, as :func:`read` does those of files.

    Parameters
    ----------
    recordings
        Whole recordings in the schema's names and units, such as
        :func:`facearray.io.readers.mediapipe.from_results` makes them of a detector's results.
    tool
        What made them; the Dataset's ``detector``.

    Returns
    -------
    xarray.Dataset
        In memory, a row for each recording, in the order in which they are given; dims (video, frame, face, feature[,
        landmark, axis][, component]), NaN where a recording has no face, no value or no such measure.

    Raises
    ------
    InputError
        If there are none, or several of the same label.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from facearray.io.readers.mediapipe import from_results
    >>> nobody = SimpleNamespace(face_landmarks=[], face_blendshapes=[], facial_transformation_matrixes=[])
    >>> recording = from_results([nobody] * 3, label="empty room", width=640, height=480, fps=25)
    >>> from_recordings([recording], tool="MediaPipe FaceLandmarker").n_faces_found.values
    array([[0, 0, 0]], dtype=int16)
    """
    rows = [
        _Row(
            recording.label,
            _Content(
                Source(recording.label, recording.source, MISSING),
                outlines={recording.label: Outline.of(recording, tool)},
                parts={recording.label: [recording]},
            ),
            recording.label,
        )
        for recording in recordings
    ]
    labels = [row.label for row in rows]
    repeated = sorted({label for label in labels if labels.count(label) > 1})
    if repeated or not rows:
        found = f"the labels {', '.join(map(repr, repeated))} more than once" if rows else "no recordings"
        raise InputError(f"found {found}; expected recordings, each with a label of its own")
    return _in_memory(rows, unite((row.content.outlines[row.name] for row in rows), fps=None), None)


@dataclass(frozen=True, slots=True)
class _Content:
    """What is in a file, by the names that it has for its recordings."""

    file: Source
    reader: Reader | None = None
    outlines: dict[str, Outline] = field(default_factory=dict)
    parts: dict[str, list[Recording]] = field(default_factory=dict)
    error: str = ""
    is_recording: bool = True


@dataclass(frozen=True, slots=True)
class _Row:
    """A row of the Dataset: a recording, or a file that cannot be read."""

    label: str
    content: _Content
    name: str = ""

    @property
    def outline(self) -> Outline | None:
        return self.content.outlines.get(self.name)


def _check(source: str, fps: float | None) -> None:
    if source != "auto":
        load_reader(source)
    if fps is not None and not (isinstance(fps, int | float) and math.isfinite(fps) and fps > 0):
        raise InputError(f"found fps={fps!r}; expected frames a second, a positive number, or None if it is unknown")


def _kind(source: str) -> FileKind:
    readers = [load_reader(name) for name in (READERS if source == "auto" else [source])]
    suffixes = sorted({suffix for reader in readers for suffix in reader.suffixes})
    return FileKind("paths", "file", "files", tuple(suffixes))


def _in_parallel(function: Callable[[Source], _T], files: Sequence[Source]) -> list[_T]:
    with ThreadPoolExecutor(min(len(files), os.cpu_count() or 1)) as pool:
        return list(pool.map(function, files))


def _content(file: Source, *, source: str, keep: bool) -> _Content:
    """Read a file; its values are kept or forgotten again."""
    try:
        reader = _reader(file, source)
        content = _Content(file, reader)
        for part in reader.read(Path(file.path)):
            outline = Outline.of(part, reader.title)
            known = content.outlines.get(part.label)
            content.outlines[part.label] = outline if known is None else known.followed_by(outline)
            if keep:
                content.parts.setdefault(part.label, []).append(part)
        if not content.outlines:
            raise ReadError(f"{Path(file.path).name}: found no recording; expected at least one")
    except (FaceArrayError, OSError) as error:
        return _Content(file, error=str(error), is_recording=not isinstance(error, AttributesError))
    return content


def _reader(file: Source, source: str) -> Reader:
    if not file.exists:
        raise ReadError(f"{file.location}: found no such file")
    return load_reader(source) if source != "auto" else recognize(Path(file.path))


def _rows(contents: Sequence[_Content], *, keep_order: bool) -> list[_Row]:
    """Give every recording a label of its own, and put them in order."""
    if keep_order:
        return [row for content in contents for row in _given_rows(content)]
    places: dict[str, list[tuple[_Content, str]]] = {}
    for content in (content for content in contents if content.is_recording):
        for name in content.outlines or [""]:
            places.setdefault(_place(content.file, name), []).append((content, name))
    for path in [path for path, rows in places.items() if len(rows) > 1]:
        # Recordings of one name from one folder: the names of the files, then both, tell them apart.
        for content, name in places.pop(path):
            several = len(content.outlines) > 1
            places[os.fspath(PurePath(content.file.path, name)) if several else content.file.path] = [(content, name)]
    labels = shortest_ends(list(places))
    rows = [_Row(labels[path], content, name) for path, ((content, name),) in places.items()]
    return sorted(rows, key=lambda row: natural_key(row.label))


def _given_rows(content: _Content) -> list[_Row]:
    """Return the rows of a file that has a label of its own."""
    if len(content.outlines) < 2:
        return [_Row(content.file.label, content, name) for name in content.outlines or [""]]
    paths = {name: os.fspath(PurePath(name)) for name in content.outlines}
    ends = shortest_ends(list(paths.values()))
    return [_Row(f"{content.file.label}/{ends[path]}", content, name) for name, path in paths.items()]


def _place(file: Source, name: str) -> str:
    """Return a path whose end is the recording's name: beside its file, unless the name is a path already."""
    return os.fspath(PurePath(file.path).parent / name) if name else file.path


def _in_memory(rows: Sequence[_Row], layout: Layout, fps: float | None) -> xr.Dataset:
    n_frames = max((row.outline.n_frames for row in rows if row.outline), default=0)
    return assemble(
        layout,
        [
            assembling.Row(
                label=row.label,
                source=row.content.file.location,
                error="" if row.outline else row.content.error,
                record=row.outline.record(fps) if row.outline else {},
                blocks=(block(part, layout, fps=fps) for part in row.content.parts.pop(row.name, [])),
            )
            for row in rows
        ],
        n_frames,
    )


def _in_store(
    rows: Sequence[_Row],
    layout: Layout,
    fps: float | None,
    store: StoreLike,
    *,
    overwrite: bool,
    storage_options: Mapping[str, Any] | None,
) -> xr.Dataset:
    with tempfile.TemporaryDirectory() as scratch:
        # A store object has no place beside it; a journal that is gone afterwards serves, since the store is finished.
        place = os.fspath(Path(scratch, "journal")) if isinstance(store, ZarrStore) else None
        journal = Journal.beside(store, journal=place, storage_options=storage_options)
        with Lease(journal) as lease:
            target = Store.create(
                store,
                layout,
                [(row.label, row.content.file.location) for row in rows],
                frame_capacity(max(row.outline.n_frames for row in rows if row.outline), exact=True),
                journal=place,
                storage_options=storage_options,
                overwrite=overwrite,
            )
            journal.record({i: (row.label, row.content.file.fingerprint) for i, row in enumerate(rows)})
            by_file: dict[int, list[int]] = {}
            for i, row in enumerate(rows):
                by_file.setdefault(id(row.content), []).append(i)
            write = partial(_write_file, target=target, journal=journal, layout=layout, fps=fps)
            with ThreadPoolExecutor(min(len(by_file), os.cpu_count() or 1)) as pool:
                for _ in pool.map(write, ([(i, rows[i]) for i in numbers] for numbers in by_file.values())):
                    lease.check()
            target.finalize(journal)
    return open_store(store, storage_options=storage_options)


def _write_file(
    rows: list[tuple[int, _Row]], *, target: Store, journal: Journal, layout: Layout, fps: float | None
) -> None:
    """Write the recordings of a file, and mark each as soon as it is complete."""
    content = rows[0][1].content
    if content.reader is None:
        journal.mark_failed(rows[0][0], content.error)
        return
    numbers = {row.name: i for i, row in rows}
    left = {row.name: row.outline.n_frames for _, row in rows if row.outline}
    writers: dict[str, RowWriter] = {}
    try:
        for part in content.reader.read(Path(content.file.path)):
            name = part.label
            if name not in left:
                raise ReadError(f"{content.file.location}: found {name!r}, which was not there before; read it again")
            if name not in writers:
                writers[name] = target.row(numbers[name]).__enter__()
            writers[name].write(**block(part, layout, fps=fps))
            left[name] -= len(part.frame_number)
            if not left[name]:
                _finish(writers.pop(name), journal, content.outlines[name].record(fps))
                del left[name]
        if left:
            raise ReadError(f"{content.file.location}: found fewer frames than before; read it again")
    except (FaceArrayError, OSError) as error:
        for name in left:
            journal.mark_failed(numbers[name], str(error))
        for writer in writers.values():
            writer.__exit__(type(error), error, error.__traceback__)


def _finish(writer: RowWriter, journal: Journal, record: Mapping[str, Any]) -> None:
    writer.__exit__(None, None, None)
    journal.mark_done(writer.row, record)


def _faults(contents: Iterable[_Content], rows: Iterable[_Row]) -> list[str]:
    found: dict[str, None] = {}
    in_rows = {id(row.content) for row in rows}
    for content in contents:
        if content.error:
            found[content.error if id(content) in in_rows else f"{content.error}; it is left out"] = None
        for outline in content.outlines.values():
            found |= dict.fromkeys(outline.problems)
    return list(found)


def _new_failures(ds: xr.Dataset, rows: Sequence[_Row]) -> list[str]:
    """Return what went wrong only when the files were read for the second time."""
    return [str(error) for error, row in zip(ds["error"].values, rows, strict=True) if error and row.outline]


def _listed(faults: Sequence[str]) -> str:
    more = [f"… and {len(faults) - SHOWN} more"] if len(faults) > SHOWN else []
    return "\n".join(f"  - {fault}" for fault in [*faults[:SHOWN], *more])
