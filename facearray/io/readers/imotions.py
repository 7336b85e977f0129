"""Text exports of iMotions with the facial coding of FACET or AFFDEX, alone or between rows of other sensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facearray.errors import ReadError
from facearray.io.readers import affdex
from facearray.io.readers.columns import Block, Table, head_names
from facearray.io.readers.notes import note
from facearray.io.readers.placement import Slots, schema_order
from facearray.io.recording import Recording
from facearray.schema import FEATURES

name = "imotions"
title = "iMotions"
suffixes = (".txt", ".csv", ".tsv")
conversions = (
    (
        "`Name` (or the respondent's name above the header) and `StimulusName` (or `SourceStimuliName`)",
        "the label, with a colon between; a respondent who saw several stimuli is several videos",
    ),
    ("rows of other sensors", "left out; the values that iMotions holds of them in rows of the face are in `other`"),
    (
        "`FrameNo`",
        "`frame_number`; rows with -1, before the first frame, are left out; without it, rows of the face are counted",
    ),
    ("`NoOfFaces`", "`n_faces_found`; rows with -1 are frames that were not analysed, and are left out"),
    ("`FrameTime` (without it `Timestamp`): ms", "`timestamp`, divided by 1000"),
    (
        "FACET: `AU1 Evidence` …, `Joy Evidence` …: log odds to the base 10",
        "`AU01` …, `happiness` …: 1 / (1 + 10^-evidence), which does not sum to 1; the evidence stays in `other`",
    ),
    ("FACET: `Pitch Degrees` `Roll Degrees` `Yaw Degrees`", "`Pitch` `Roll` `Yaw`, same directions"),
    ("`FaceRect X` …", "`FaceRectX` …"),
    *((f"AFFDEX: {what}", how) for what, how in affdex.CONVERSIONS),
    ("columns of text", "those that say the same in all rows are notes; the others are left out and named"),
)

_EMOTIONS = {
    "Joy": "happiness",
    "Anger": "anger",
    "Surprise": "surprise",
    "Fear": "fear",
    "Disgust": "disgust",
    "Sadness": "sadness",
    "Neutral": "neutral",
}
_RENAMED = {
    "Pitch Degrees": "Pitch",
    "Roll Degrees": "Roll",
    "Yaw Degrees": "Yaw",
    **{f"FaceRect {side}": f"FaceRect{side}" for side in ("X", "Y", "Width", "Height")},
}
_EVIDENCE = re.compile(r"(.+) Evidence")
_FACIAL = re.compile(r".+ (Evidence|Intensity|Probability|Degrees)|FaceRect .+|[A-Z_]+ [XY]|\d+ [XY]")

#: Sensors whose rows are frames of the face.
_SENSOR = re.compile(r"facet|affdex|affectiva", re.IGNORECASE)
#: Columns that only AFFDEX has.
_AFFDEX = ("Brow Furrow", "Inner Brow Raise")

#: Which sensor a row is of; where a file has both, the second is a column of each sensor.
_SOURCES = ("Combined Event Source", "EventSource")

_NUMBER, _N_FACES = "FrameNo", "NoOfFaces"
_TIMES = ("FrameTime", "Timestamp")
_RESPONDENT, _STIMULI = ("Name", "Respondent", "Respondent Name"), ("StimulusName", "SourceStimuliName")
_TEXTS = (
    *("StudyName", "ExportDate", "Age", "Gender", "SlideType", "StimType", "CollectionPhase", "SlideEvent"),
    *("GazeAOI", "FixationAOI", "PostMarker", "Annotation", "LiveMarker", "KeyStroke", "MarkerText", "SceneType"),
    *("SceneOutput", "SceneParent", *_SOURCES, *_RESPONDENT, *_STIMULI),
)
_UNITS = (
    (re.compile(r".+ Evidence"), "log10 odds"),
    (re.compile(r"[A-Z_]+ [XY]|\d+ [XY]"), "px"),
    (re.compile(r"Timestamp|MediaTime|FrameTime"), "ms"),
)


def sniff(head: bytes, path: Path) -> bool:  # noqa: ARG001
    """Say whether a file is an export of iMotions with facial coding."""
    return bool(head_names(head, _is_header))


def read(path: Path) -> Iterator[Recording]:
    """Read the videos of a file, one for each respondent and stimulus.

    Raises
    ------
    ReadError
        If the file has no header with facial coding, no rows of it, columns of both FACET and AFFDEX, or frames that
        are out of order.
    """
    table = Table(path, _is_header)
    if _is_affdex(table.names) and any(_EVIDENCE.fullmatch(column) for column in table.names):
        raise ReadError(f"{path.name}: found columns of FACET and of AFFDEX; expected one of them; export them apart")
    table.require([_present(_TIMES, table.names) or _TIMES[0]])
    source = _Source(table)
    found = False
    for block in table.blocks(texts=_TEXTS):
        rows = block.rows(_is_frame(block))
        labels = source.labels(rows)
        found |= len(rows) > 0
        changes = np.flatnonzero(labels[1:] != labels[:-1]) + 1
        for part in np.split(np.arange(len(rows)), changes):
            if len(part):
                yield source.recording(rows.rows(part))
    if not found:
        raise ReadError(f"{path.name}: found no row of FACET or AFFDEX; expected frames of a face")


@dataclass(slots=True)
class _Source:
    """A file that is being read: which video is at its turn, and which were."""

    table: Table
    label: str = ""
    slots: Slots = field(init=False)
    n_frames: int = 0
    seen: dict[str, int] = field(default_factory=dict)

    def labels(self, rows: Block) -> NDArray[np.object_]:
        """Return the name of the video that each row belongs to."""
        respondent, stimulus = (_present(names, rows.texts) for names in (_RESPONDENT, _STIMULI))
        same = [_preamble(self.table.preamble).get("Respondent Name", "")] * len(rows)
        persons = rows.texts[respondent] if respondent else same
        stimuli = rows.texts[stimulus] if stimulus else [""] * len(rows)
        labels = np.empty(len(rows), object)
        labels[:] = [_label(*pair) or self.table.path.name for pair in zip(persons, stimuli, strict=True)]
        return labels

    def recording(self, rows: Block) -> Recording:
        """Take over rows of one video; those after rows of the same video are its next part."""
        label = str(self.labels(rows)[0])
        if label != self.label:
            self.label, self.n_frames = label, 0
            self.slots = Slots(self.table.path, _NUMBER)
            self.seen[label] = self.seen.get(label, 0) + 1
        names = self.table.names
        counted = np.arange(self.n_frames, self.n_frames + len(rows), dtype=np.float64)
        self.n_frames += len(rows)
        features = _features(rows)
        order = schema_order(features)
        n_faces = _n_faces(rows)
        placement = self.slots.place(frame=rows.column(_NUMBER) if _NUMBER in names else counted, line=rows.line)
        n_faces_found = placement.of_frames(n_faces).astype(np.int16)
        return Recording(
            label=label if self.seen[label] == 1 else f"{label} ({self.seen[label]})",
            source=str(self.table.path),
            features=order,
            values=placement.spread(np.stack([features[name] for name in order], axis=1)),
            frame_number=placement.frames,
            timestamp=placement.of_frames(rows.column(_present(_TIMES, names) or _TIMES[0]) / 1000),
            n_faces_found=n_faces_found,
            track_id=np.where(n_faces_found > 0, 0, -1).astype(np.int32)[:, None],
            version=_preamble(self.table.preamble).get("Version", ""),
            units=tuple((name, unit) for name in order for pattern, unit in _UNITS if pattern.fullmatch(name)),
            notes=(*_notes(names), *_texts(rows, self.table.preamble, label), *sorted(self.table.notes)),
            problems=(*self.table.problems, *self.slots.problems),
        )


def _label(person: str, stimulus: str) -> str:
    """Return a name that is no path, though stimuli may be addresses of web pages."""
    return re.sub(r"[\\/]+", "_", ": ".join(filter(None, (person, stimulus))))


def _present(names: Sequence[str], among: Container[str]) -> str | None:
    return next((name for name in names if name in among), None)


def _is_header(cells: Sequence[str]) -> bool:
    if cells and cells[0].startswith("#"):
        return False
    is_facet = "FrameNo" in cells and any(_EVIDENCE.fullmatch(cell) for cell in cells)
    return is_facet or (_is_affdex(cells) and "Timestamp" in cells)


def _is_affdex(names: Sequence[str]) -> bool:
    return all(name in names for name in _AFFDEX)


def _is_frame(block: Block) -> NDArray[np.bool_]:
    """Tell rows that are frames of the face, analysed, from those of other sensors."""
    is_frame = np.ones(len(block), bool)
    if column := _present(_SOURCES, block.texts):
        is_frame &= np.array([bool(text and _SENSOR.search(text)) for text in block.texts[column]], bool)
    for column in (_NUMBER, _N_FACES):
        if column in block.names:
            is_frame &= block.column(column) != -1
    return is_frame


def _n_faces(rows: Block) -> NDArray[np.float64]:
    if _N_FACES in rows.names:
        n_faces = rows.column(_N_FACES).copy()
        n_faces[np.isnan(n_faces)] = 0
        return n_faces
    facial = [name for name in rows.names if _is_facial(name)]
    return np.asarray(np.isfinite(rows.numbers(facial)).any(axis=1), np.float64)


def _is_facial(column: str) -> bool:
    return bool(_FACIAL.fullmatch(column)) or affdex.is_metric(column)


def _features(rows: Block) -> dict[str, NDArray[np.float64]]:
    """Measures of all rows in the schema's names and units; what it does not know under its own name."""
    of_affdex = _is_affdex(rows.names)
    has_face = _n_faces(rows) > 0
    found: dict[str, NDArray[np.float64]] = {}
    for column in rows.names:
        if column in (_NUMBER, _N_FACES, "FrameTime") or column in rows.texts:
            continue
        values = rows.column(column)
        if _is_facial(column):
            values = np.where(has_face, values, np.nan)
        if of_affdex and affdex.is_metric(column):
            found[affdex.feature(column)] = values / affdex.divisor(column)
            continue
        found[_RENAMED.get(column, column)] = values
        if (match := _EVIDENCE.fullmatch(column)) and (known := _known(match[1])):
            with np.errstate(over="ignore"):
                found[known] = 1 / (1 + 10**-values)
    return found


def _known(measure: str) -> str | None:
    """Feature of the schema that evidence is for."""
    if match := re.fullmatch(r"AU(\d+)", measure):
        unit = f"AU{int(match[1]):02d}"
        return unit if unit in FEATURES else None
    return _EMOTIONS.get(measure)


def _notes(names: Sequence[str]) -> list[str]:
    engine: Callable[[str], bool] = (
        (lambda what: not what.startswith("FACET"))
        if _is_affdex(names)
        else (lambda what: not what.startswith("AFFDEX"))
    )
    return [note(title, what, how) for what, how in conversions if engine(what)]


def _texts(rows: Block, preamble: Sequence[str], label: str) -> list[str]:
    """Return notes on what texts say of all rows, and on which say different things."""
    said = {key: value for key, value in _preamble(preamble).items() if key != "Version"}
    varying = []
    for column, texts in rows.texts.items():
        different = {text for text in texts if text}
        if column in (*_SOURCES, *_RESPONDENT, *_STIMULI):
            continue
        if len(different) > 1:
            varying.append(column)
        elif different:
            said[column] = different.pop()
    notes = (
        [f"in all rows of {label}: {', '.join(f'{column} {text}' for column, text in said.items())}"] if said else []
    )
    return [*notes, *([note(title, f"texts in {', '.join(varying)}", "left out")] if varying else [])]


def _preamble(lines: Sequence[str]) -> dict[str, str]:
    """Return what lines such as ``#Version : 6.1`` say, but those that describe the columns."""
    pairs = {}
    for line in lines:
        if line.startswith("#METADATA"):
            break
        if match := re.match(r"#\s*([^:,\t]+?)\s*[:,\t]\s*(.*?)[\s,]*$", line):
            pairs[match[1]] = match[2]
    return {key: value for key, value in pairs.items() if value}
