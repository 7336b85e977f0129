"""`detect`: many videos into one store, in this process."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from facearray.detection.detector import Detector
from facearray.detection.detectors import load_detector
from facearray.detection.plan import Plan, Task, plan_rows
from facearray.detection.progress import Progress
from facearray.detection.row import RowOptions, count_frames, detect_row
from facearray.detection.slots import SLOT_RULES, check_place, slot_rule
from facearray.detection.sources import Videos, find_videos
from facearray.errors import CapacityError, DetectorError, InputError, VideoError
from facearray.io.journal import ROWS_PER_PART, Journal
from facearray.io.lease import Lease
from facearray.io.store import Layout, Store, StoreLike, frame_capacity, open_store

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["RunOptions", "RunReport", "detect", "run"]

logger = logging.getLogger(__name__)

#: Largest number of a frame that a store can hold.
MAX_EVERY = 2**31 - 1

#: Largest number of slots: they take room in every frame, whether anybody is in them or not.
MAX_FACES = 256


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """What to compute and how; the attributes are the keywords of :func:`detect`.

    Raises
    ------
    InputError
        With every option that cannot be used.
    """

    detector: str | Detector = "mediapipe"
    max_faces: int = 1
    every: int = 1
    batch_size: int | None = None
    device: str = "auto"
    landmarks: bool = True
    embedding: bool = False
    slots: str = "auto"
    client: object = None
    overwrite: bool = False
    retry_failed: bool = False
    take_over: bool = False
    progress: bool = True
    journal: str | os.PathLike[str] | None = None
    storage_options: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        problems = []
        if not _is_count(self.max_faces) or self.max_faces > MAX_FACES:
            problems.append(
                f"found max_faces={self.max_faces!r}; expected a whole number of at least 1 and at most {MAX_FACES}"
            )
        if self.slots not in SLOT_RULES:
            problems.append(f"found slots={self.slots!r}; expected one of {', '.join(map(repr, SLOT_RULES))}")
        if not _is_count(self.every) or self.every > MAX_EVERY:
            problems.append(
                f"found every={self.every!r}; expected a whole number of at least 1 and at most {MAX_EVERY}"
            )
        if self.batch_size is not None and not _is_count(self.batch_size):
            problems.append(f"found batch_size={self.batch_size!r}; expected a whole number of at least 1, or None")
        if self.client is not None:
            problems.append(f"found client={self.client!r}; expected None: this version computes in its own process")
        if problems:
            raise InputError("these options cannot be used:\n" + "\n".join(f"  - {p}" for p in problems))

    @property
    def slot_rule(self) -> str:
        """The rule for slots, with what ``"auto"`` stands for."""
        return slot_rule(self.slots, max_faces=self.max_faces, embedding=self.embedding)

    def load_detector(self) -> Detector:
        """Return the detector that the options name.

        Raises
        ------
        InputError
            If there is no such detector, or it cannot run on the device or give what is asked for.
        """
        if isinstance(self.detector, str):
            return load_detector(
                self.detector,
                device=self.device,
                landmarks=self.landmarks,
                embedding=self.embedding,
                # Whoever is followed may be anybody in the frame.
                max_faces=self.max_faces if self.slot_rule == "largest" else None,
            )
        if self.embedding and self.detector.n_components is None:
            raise InputError(f"found embedding=True; detector {self.detector.name!r} computes none")
        described = getattr(self.detector, "max_faces", None)
        needed = self.max_faces if self.slot_rule == "largest" else None
        if described is not None and (needed is None or described < needed):
            raise InputError(
                f"found a detector {self.detector.name!r} that describes {described} faces a frame; expected "
                f"{needed or 'all of them'} for max_faces={self.max_faces} and slots={self.slot_rule!r}; make it with "
                f"max_faces={needed}"
            )
        return self.detector


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


@dataclass(frozen=True, slots=True)
class RunReport:
    """What became of the videos that a run was asked for.

    Attributes
    ----------
    records
        Label of each video → its record: ``status`` ("done", "failed"), ``n_frames``, ``n_faces_found``, ``seconds``,
        ``error`` and so on.
    computed
        Labels of those that this run computed; the others were finished before.
    missing
        Label → reason, of videos that are done although what was asked for under their label does not exist.
    """

    records: Mapping[str, Mapping[str, Any]]
    computed: frozenset[str]
    missing: Mapping[str, str]

    @property
    def failures(self) -> dict[str, str]:
        """Label → reason, of every video that is not done, or done from a file that is not there now."""
        failed = {label: record["error"] for label, record in self.records.items() if record["status"] != "done"}
        return failed | dict(self.missing)

    def rows(self) -> list[dict[str, Any]]:
        """One mapping a video, for tables: what it is called, how it ended, what was found, how fast."""
        return [
            {
                "video": label,
                "status": record["status"],
                "n_frames": record.get("n_frames", 0),
                "n_faces_found": record.get("n_faces_found", 0),
                "seconds": record.get("seconds"),
                "computed": label in self.computed,
            }
            for label, record in self.records.items()
        ]


def detect(
    videos: Videos,
    store: StoreLike,
    *,
    detector: str | Detector = "mediapipe",
    max_faces: int = 1,
    every: int = 1,
    batch_size: int | None = None,
    device: str = "auto",
    landmarks: bool = True,
    embedding: bool = False,
    slots: str = "auto",
    client: object = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    take_over: bool = False,
    progress: bool = True,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Find the faces in every frame of some videos and store what they do.

    Videos that the store already holds are not computed again, so that a run which was interrupted goes on where it
    was when it is started again, and new videos are appended. A file that is stored already is its row, even if it
    would be called otherwise now, because of others that are given with it; a copy of it at another path is stored
    too, with a warning. A video that cannot be read does not stop the others:
    its row has ``status`` "failed" and the reason in ``error``.

    Parameters
    ----------
    videos
        A path, glob or folder, a list of them, or a mapping label → path. Pictures are videos of one frame. Unless
        a mapping names it, a video is labelled by its file name; see :func:`facearray.detection.sources.find_videos`.
    store
        Path or URL of the Zarr store; made if it does not exist.
    detector
        Name of a detector, or an object that follows :class:`facearray.detection.detector.Detector`.
    max_faces
        Person slots in each video, at most 256. Faces beyond them are counted in ``n_faces_found``.
    every
        Take every n-th frame of the source. The values of a frame do not depend on it.
    batch_size
        Frames in one call of the detector; by default as many as are fast at the video's resolution. The values of
        a frame do not depend on it.
    device
        ``"auto"``, ``"cpu"``, ``"cuda"`` or ``"mps"``.
    landmarks
        Whether the face mesh is stored (478 points a face: 94 % of the store's size).
    embedding
        Whether an identity embedding is stored, 128 numbers a face, and people are told apart by it: a slot is then
        the same person's throughout a video, also after they were away. Without, a slot keeps its face only as long
        as it can be followed from frame to frame; ``track_id`` says where another track begins.
    slots
        Who gets which slot. ``"first"``: people in the order in which they appear, of one frame the larger first.
        ``"dominant"``: people by the area of their faces over all frames. ``"largest"``: the faces of each frame by
        size, whoever they are. ``"auto"`` is ``"largest"`` for ``max_faces=1`` without embedding, which is the
        fastest, and else ``"first"``. :doc:`/detector` has the details.
    client
        Reserved for a Dask client; only None is possible so far: rows are computed in this process.
    overwrite
        Whether a store that exists already is deleted first.
    retry_failed
        Whether videos that failed in an earlier run are tried again.
    take_over
        Whether to go on with a store that a run on another machine, known to be dead, was writing into.
    progress
        Whether to show progress bars on a terminal or in a notebook.
    journal
        Path or URL of the store's journal; by default ``<store>.run``. Needed if the store is a Zarr store object.
    storage_options
        Options of the file system that a URL names.

    Returns
    -------
    xarray.Dataset
        The opened store, lazy; dims (video, frame, face, feature[, landmark, axis]).

    Raises
    ------
    InputError
        If an argument has a value that cannot be used, or there is no video at all.
    StructureError
        If the store holds another structure, detector, set of options, or other recordings under the same labels.
    LeaseError
        If another run is writing into the store.
    StoreError
        If the store's disk or network fails; the same call goes on when it works again.
    AssetError
        If a model file is missing and cannot be fetched.

    Examples
    --------
    >>> import facearray as fa
    >>> ds = fa.detect("clips/*.mp4", "study.zarr")  # doctest: +SKIP
    >>> ds.fex.aus.mean("frame")  # doctest: +SKIP
    """
    options = RunOptions(
        detector=detector,
        max_faces=max_faces,
        every=every,
        batch_size=batch_size,
        device=device,
        landmarks=landmarks,
        embedding=embedding,
        slots=slots,
        client=client,
        overwrite=overwrite,
        retry_failed=retry_failed,
        take_over=take_over,
        progress=progress,
        journal=journal,
        storage_options=storage_options,
    )
    report = run(videos, store, options)
    for label, reason in report.failures.items():
        logger.warning("%s: %s", label, reason)
    return open_store(store, journal=journal, storage_options=storage_options)


def run(videos: Videos, store: StoreLike, options: RunOptions) -> RunReport:
    """Do what :func:`detect` does, and say what became of each video."""
    sources = find_videos(videos)
    journal = Journal.beside(store, journal=options.journal, storage_options=options.storage_options)
    detector = options.load_detector()
    if options.slot_rule != "largest":
        check_place(detector)
    layout = Layout.from_detector(
        detector,
        max_faces=options.max_faces,
        options={"every": options.every, "slots": options.slot_rule},
        landmarks=options.landmarks,
        embedding=options.embedding,
    )
    # What can be refused at once is refused before anything is written, the lease included.
    if Store.exists(store, storage_options=options.storage_options) and not options.overwrite:
        Store.open(store, storage_options=options.storage_options).check(layout)
    with Lease(journal, take_over=options.take_over) as lease:
        target = _open_or_create(store, layout, options)
        journal.check_labels(target.labels)
        for problem in journal.repair():
            logger.warning(problem)
        plan = plan_rows(
            target,
            journal,
            sources,
            every=options.every,
            retry_failed=options.retry_failed,
            check=lease.check,
        )
        if plan.tasks:
            target.reopen()
        try:
            _compute(plan, target, journal, lease, detector, layout, options)
        except (KeyboardInterrupt, InputError):
            lease.check()
            target.finalize(journal)
            raise
        lease.check()
        target.finalize(journal)
        rows = [*plan.done, *plan.failed, *(task.row for task in plan.tasks)]
        places = target.sources if plan.missing else []
        return RunReport(
            _records(target, journal, sorted(rows)),
            frozenset(task.source.label for task in plan.tasks),
            {
                task.source.label: f"found no file {task.source.location}; the store holds this video from an earlier "
                f"run, read from {places[task.row]}"
                for task in plan.missing
            },
        )


def _records(target: Store, journal: Journal, rows: Sequence[int]) -> dict[str, Mapping[str, Any]]:
    """Return label → record; of rows from before the journal there is only what is stored."""
    records = journal.records()
    stored = target.coordinates(journal) if any(row not in records for row in rows) else {}
    return {
        target.labels[row]: records.get(row)
        or {
            "status": str(stored["status"][row]),
            "error": str(stored["error"][row]),
            "n_frames": int(stored["n_frames"][row]),
            "n_faces_found": None,
        }
        for row in rows
    }


def _open_or_create(store: StoreLike, layout: Layout, options: RunOptions) -> Store:
    if not options.overwrite and Store.exists(store, storage_options=options.storage_options):
        target = Store.open(store, storage_options=options.storage_options)
        target.check(layout)
        return target
    return Store.create(
        store,
        layout,
        [],
        frame_capacity(0),
        journal=options.journal,
        storage_options=options.storage_options,
        overwrite=options.overwrite,
    )


def _compute(
    plan: Plan,
    target: Store,
    journal: Journal,
    lease: Lease,
    detector: Detector,
    layout: Layout,
    options: RunOptions,
) -> None:
    row_options = RowOptions(
        every=options.every,
        batch_size=options.batch_size,
        max_faces=options.max_faces,
        slots=options.slot_rule,
        landmarks=layout.n_landmarks is not None,
        embedding=layout.n_components is not None,
    )
    with Progress(len(plan.tasks), enabled=options.progress) as progress:
        for count, task in enumerate(plan.tasks, start=1):
            progress.start(task.source.label, task.n_frames)
            try:
                record = _compute_row(task, target, lease, detector, row_options, progress)
            except (VideoError, DetectorError) as error:
                lease.check()
                journal.mark_failed(task.row, str(error), {"seconds": None})
            else:
                lease.check()
                journal.mark_done(task.row, record)
                if record["n_missing"]:
                    logger.warning("%s: %d frames were lost to damage", task.source.label, record["n_missing"])
            progress.finish()
            if count % ROWS_PER_PART == 0:
                lease.check()
                journal.compact()


def _compute_row(
    task: Task, target: Store, lease: Lease, detector: Detector, options: RowOptions, progress: Progress
) -> dict[str, Any]:
    def compute() -> dict[str, Any]:
        writer = target.row(task.row, check=lease.check)
        return detect_row(task.source, writer, detector, options, on_frames=progress.advance)

    try:
        return compute()
    except CapacityError:
        # The container promised fewer frames than there are; only decoding tells how many.
        n_frames = count_frames(task.source, every=options.every)
        lease.check()
        target.resize(frame_capacity(n_frames, exact=True))
        progress.start(task.source.label, n_frames)
        return compute()
