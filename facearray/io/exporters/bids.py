"""A BIDS derivative dataset: motion recordings as the Brain Imaging Data Structure describes them.

Of the published conventions the one for motion fits best: its channels have a type, a unit and a tracked point, and a
channel of type ``LATENCY`` holds the true time of every sample, where ``_physio`` files know a constant rate only.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.errors import SchemaError
from facearray.io.exporters.flat import column_names
from facearray.io.exporters.form import Form, check_columns
from facearray.io.exporters.frames import BLOCK_BYTES, Assembler, blocks
from facearray.io.exporters.staging import staged_folder

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["is_export", "read", "write"]

BIDS_VERSION = "1.10.0"
SIDECAR = "facearray.json"

#: Coordinate of videos that says whose recording each is; by default every video is of a participant of its own.
PARTICIPANT = "participant_id"

_NO_VALUE = "n/a"
_UNITS = {"": _NO_VALUE, "degree": "deg"}
_ANGLE_AXES = {"Pitch": "x", "Yaw": "y", "Roll": "z"}
_POSITIONS = {"X": "x", "Y": "y", "Z": "z"}


@dataclass(frozen=True, slots=True)
class _Channel:
    """One column of a recording, and its row in the table of channels."""

    name: str
    component: str
    type: str
    tracked_point: str
    units: str
    dtype: np.dtype


def write(ds: xr.Dataset, path: Path, *, overwrite: bool) -> None:
    """Write a Dataset as a BIDS dataset of motion recordings, one a video; videos without frames have none.

    Parameters
    ----------
    ds
        A Dataset that follows the schema.
    path
        The folder.
    overwrite
        Whether an export that is there is replaced.

    Raises
    ------
    SchemaError
        If there is a text for every frame, which no channel can hold, or two channels have one name.
    """
    form = Form.of(ds)
    channels = list(_channels(form))
    check_columns([channel.name for channel in channels])
    stems = _stems(form)
    with staged_folder(path, overwrite=overwrite, is_ours=is_export) as folder:
        for video, stem in enumerate(stems):
            form.frames.append(_write_recording(ds, form, video, folder / stem, channels))
        _write_dataset(folder, form, stems)


def is_export(path: Path) -> bool:
    """Whether a folder is an export of this format."""
    return (path / SIDECAR).is_file() and (path / "dataset_description.json").is_file()


def read(path: Path) -> xr.Dataset:
    """Read what `write` wrote, into memory."""
    import pyarrow as pa
    from pyarrow import csv

    form = Form.from_json((path / SIDECAR).read_text(encoding="utf-8"), str(path / SIDECAR))
    channels = list(_channels(form))
    types = {channel.name: pa.from_numpy_dtype(channel.dtype) for channel in channels}
    assembler = Assembler(form)
    for video, (stem, n_frames) in enumerate(zip(_stems(form), form.frames, strict=True)):
        if n_frames:
            table = csv.read_csv(
                path / f"{stem}_motion.tsv",
                read_options=csv.ReadOptions(column_names=list(types), block_size=BLOCK_BYTES),
                parse_options=csv.ParseOptions(delimiter="\t"),
                convert_options=csv.ConvertOptions(column_types=types, null_values=[_NO_VALUE]),
            )
            assembler.put_frames(video, _frames(form, table))
    return assembler.dataset()


def _channels(form: Form) -> Iterator[_Channel]:
    """Channels in the order of their columns: the time first, then by variable, face and element."""
    texts = sorted(name for name, part in form.frame_variables.items() if part.numpy_dtype.kind not in "biuf")
    if texts:
        raise SchemaError(
            f"found {', '.join(map(repr, texts))} of texts or times for every frame; expected numbers in BIDS "
            "channels; leave them out with Dataset.drop_vars, or export to Parquet, CSV or NetCDF"
        )
    for name in _order(form):
        part = form.variables[name]
        faces = range(form.sizes["face"]) if "face" in part.dims else [None]
        for face in faces:
            for column in column_names(name, form):
                yield _channel(name, column, face, form, part.numpy_dtype)


def _order(form: Form) -> list[str]:
    return ["timestamp", *(name for name in form.frame_variables if name != "timestamp")]


def _channel(name: str, column: str, face: int | None, form: Form, dtype: np.dtype) -> _Channel:
    point = _NO_VALUE if face is None else f"face{face}"
    full_name = column if face is None else f"{column}_face{face}"
    if name == "timestamp":
        return _Channel("latency", _NO_VALUE, "LATENCY", point, "s", dtype)
    if name == "features":
        units = [str(unit) for unit in form.values["unit"]]
        unit = units[[str(feature) for feature in form.values["feature"]].index(column)]
        component = _ANGLE_AXES.get(column) or _POSITIONS.get(column) or _NO_VALUE
        kind = "ORNT" if column in _ANGLE_AXES else "POS" if column in _POSITIONS else "MISC"
        return _Channel(full_name, component, kind, point, _UNITS.get(unit, unit), dtype)
    if name == "landmarks":
        axis, number = column.split("_")[-2:]
        return _Channel(full_name, axis, "POS", f"{point}_landmark{number}", "px", dtype)
    return _Channel(full_name, _NO_VALUE, "MISC", point, _NO_VALUE, dtype)


def _write_recording(ds: xr.Dataset, form: Form, video: int, stem: Path, channels: list[_Channel]) -> int:
    """Write the files of one video and return its number of frames."""
    import pyarrow as pa
    from pyarrow import csv

    schema = pa.schema([pa.field(channel.name, pa.string()) for channel in channels])
    options = csv.WriteOptions(include_header=False, delimiter="\t", quoting_style="none")
    numbers, times = [], []
    stem.parent.mkdir(parents=True, exist_ok=True)
    recording = stem.with_name(f"{stem.name}_motion.tsv")
    with csv.CSVWriter(str(recording), schema, write_options=options) as writer:
        for block in blocks(ds, form, video):
            columns = [
                _texts(column)
                for name in _order(form)
                for column in block.values[name].values.reshape(block.n_frames, math.prod(_shape(form, name))).T
            ]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))
            numbers.append(block.values["frame_number"].values)
            times.append(block.values["timestamp"].values)
    number, time = np.concatenate(numbers), np.concatenate(times)
    if not len(number):
        recording.unlink()
        return 0
    rates = _rates(number, time, float(form.values["fps"][video]))
    _write_json(stem.with_name(f"{stem.name}_motion.json"), _recording_metadata(channels, rates))
    rows = [[c.name, c.component, c.type, c.tracked_point, c.units] for c in channels]
    header = ["name", "component", "type", "tracked_point", "units"]
    _write_tsv(stem.with_name(f"{stem.name}_channels.tsv"), header, rows)
    return len(number)


def _texts(values: NDArray[Any]) -> pa.Array:
    """Numbers as texts that give the same number again."""
    import pyarrow as pa
    import pyarrow.compute as pc

    found = values.astype(np.int8) if values.dtype.kind == "b" else np.ascontiguousarray(values)
    return pc.fill_null(pc.cast(pa.array(found, from_pandas=True), pa.string()), _NO_VALUE)


def _frames(form: Form, table: pa.Table) -> dict[str, NDArray[Any]]:
    """Return a recording as variables with dims (frame[, face], …)."""
    found, start = {}, 0
    for name in _order(form):
        shape = _shape(form, name)
        width = math.prod(shape)
        values = np.empty((table.num_rows, width), dtype=form.variables[name].numpy_dtype)
        for i in range(width):
            values[:, i] = table.column(start + i).to_numpy()
        found[name] = values.reshape(table.num_rows, *shape)
        start += width
    return found


def _shape(form: Form, name: str) -> tuple[int, ...]:
    """Sizes of a variable's dims within one frame."""
    part = form.variables[name]
    return ((form.sizes["face"],) if "face" in part.dims else ()) + form.shape(part)


def _rates(number: NDArray[Any], time: NDArray[Any], fps: float) -> dict[str, float]:
    """Nominal and mean rate of the stored frames; what is not known is left out."""
    rates = {}
    known = np.flatnonzero(np.isfinite(time))
    span = time[known[-1]] - time[known[0]] if len(known) > 1 else 0.0
    if span > 0:
        rates["SamplingFrequencyEffective"] = float((known[-1] - known[0]) / span)
    step = float(np.median(np.diff(number))) if len(number) > 1 else 1.0
    if np.isfinite(fps) and fps > 0 and step > 0:
        rates["SamplingFrequency"] = fps / step
    elif rates:
        rates["SamplingFrequency"] = rates["SamplingFrequencyEffective"]
    return rates


def _recording_metadata(channels: list[_Channel], rates: dict[str, float]) -> dict[str, Any]:
    kinds = Counter(channel.type for channel in channels)
    return {
        "TaskName": "face",
        **rates,
        "TrackingSystemName": "facearray",
        "SoftwareVersions": version("facearray"),
        "RecordingType": "continuous",
        "MissingValues": _NO_VALUE,
        "MotionChannelCount": len(channels),
        "TrackedPointsCount": len({c.tracked_point for c in channels} - {_NO_VALUE}),
        **{f"{kind}ChannelCount": count for kind, count in sorted(kinds.items())},
    }


def _stems(form: Form) -> list[str]:
    """Path of every video's recording, but for the end of its name."""
    given = [str(v) for v in form.values[PARTICIPANT]] if PARTICIPANT in form.joined else form.labels
    participants = _labels(given)
    runs: Counter[str] = Counter()
    several = {name for name, count in Counter(participants).items() if count > 1}
    stems = []
    for name in participants:
        runs[name] += 1
        run = f"_run-{runs[name]}" if name in several else ""
        stems.append(f"sub-{name}/motion/sub-{name}_task-face_tracksys-facearray{run}")
    return stems


def _labels(names: list[str]) -> list[str]:
    """Return names with letters and digits only, as BIDS wants them; different names stay different."""
    shortest = {name: re.sub(r"[^0-9A-Za-z]", "", re.sub(r"(?<=.)\.\w+$|^sub-", "", name)) for name in names}
    count = Counter(shortest.values())
    numbered = {name: f"{i + 1:06d}" for i, name in enumerate(shortest)}
    unique = all(shortest.values()) and max(count.values(), default=1) == 1
    return [(shortest if unique else numbered)[name] for name in names]


def _write_dataset(folder: Path, form: Form, stems: list[str]) -> None:
    description = {
        "Name": "Detections of faces",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "facearray", "Version": version("facearray")}],
    }
    _write_json(folder / "dataset_description.json", description)
    (folder / "README").write_text(
        "What faces did in every frame of videos, exported by facearray. Every recording has a table of its channels; "
        "the channel\n`latency` has the time of each frame, whose rate may vary.\n"
    )
    (folder / ".bidsignore").write_text(f"{SIDECAR}\n")
    (folder / SIDECAR).write_text(form.to_json(), encoding="utf-8")
    recorded = [video for video, n_frames in enumerate(form.frames) if n_frames]
    participants: dict[str, list[int]] = {stem.partition("/")[0]: [] for stem in stems}
    for video in recorded:
        participants[stems[video].partition("/")[0]].append(video)
    present = [name for name, videos in participants.items() if videos]
    _write_tsv(folder / "participants.tsv", ["participant_id"], [[name] for name in present])
    columns = {"video": form.values["video"], **{n: v for n, v in form.joined.items() if n != PARTICIPANT}}
    for name in present:
        rows = [
            [f"{stems[video].partition('/')[2]}_motion.tsv", *(_cell(values[video]) for values in columns.values())]
            for video in participants[name]
        ]
        _write_tsv(folder / name / f"{name}_scans.tsv", ["filename", *columns], rows)


def _cell(value: Any) -> str:
    text = str(value)
    missing = value is None or text in ("nan", "NaT", "")
    return _NO_VALUE if missing else re.sub(r"[\t\r\n]+", " ", text)


def _write_tsv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    path.write_text("".join("\t".join(row) + "\n" for row in [header, *rows]), encoding="utf-8")


def _write_json(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
