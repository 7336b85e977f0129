"""`detect`: the arguments of a run, and its store as what comes of it, now or awaited."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from facearray.detection.detector import Detector
from facearray.detection.executors.reach import synchronous
from facearray.detection.options import RunOptions
from facearray.detection.run import run
from facearray.detection.sources import Videos
from facearray.errors import FaceArrayError
from facearray.io.location import options_for
from facearray.io.store import StoreLike, open_store

if TYPE_CHECKING:
    import xarray as xr
    from distributed import Client

__all__ = ["detect"]

logger = logging.getLogger(__name__)


def detect(
    videos: Videos,
    store: StoreLike,
    *,
    detector: str | Detector = "mediapipe",
    max_faces: int = 1,
    every: int = 1,
    batch_size: int | None = None,
    device: str = "auto",
    runtime: str = "auto",
    compile: bool = False,  # noqa: A002 - torch's name
    landmarks: bool = True,
    embedding: bool = False,
    slots: str = "auto",
    client: Client | None = None,
    window: int | None = None,
    retries: int = 2,
    time_limit: float | None = None,
    overwrite: bool = False,
    retry_failed: bool = False,
    take_over: bool = False,
    progress: bool = True,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
    video_options: Mapping[str, Any] | None = None,
) -> xr.Dataset:
    """Find the faces in every frame of some videos and store what they do.

    Videos that the store already holds are not computed again, so that a run which was interrupted goes on where it
    was when it is started again, and new videos are appended. A file that is stored already is its row, even if it
    would be called otherwise now, because of others that are given with it; a copy of it at another path is stored
    too, with a warning. A video that cannot be read, or that the detector fails on, does not stop the others: its row
    has ``status`` "failed" and the reason in ``error``.

    Parameters
    ----------
    videos
        A path, URL, glob or folder, a list of them, or a mapping label → path. Pictures are videos of one frame. Unless
        a mapping names it, a video is labelled by its file name; see :func:`facearray.detection.sources.find_videos`.
        What lies behind a URL (``s3://…``, ``https://…``) is copied into a bounded cache while its row is computed.
    store
        Path or URL of the Zarr store; made if it does not exist.
    detector
        Name of a detector, one of ``facearray.detectors.list()``, or an object that follows
        :class:`facearray.detection.detector.Detector`.
    max_faces
        Person slots in each video, at most 256. Faces beyond them are counted in ``n_faces_found``.
    every
        Take every n-th frame of the source. The values of a frame do not depend on it.
    batch_size
        Frames in one call of the detector; by default as many as are fast at the video's resolution. The values of
        a frame do not depend on it.
    device
        ``"cpu"``, ``"cuda"``, ``"mps"``, or ``"auto"``: CUDA where there is any, else MPS, else the CPU.
        With a `client` what the workers have counts, and one that lacks it is named.
    runtime
        What computes the networks: ``"torch"``; ``"litert"``, twice as fast on a CPU, with the package of the extra
        ``litert``; or ``"auto"``, LiteRT where it is installed and the device is the CPU. They differ in the last
        digits (by a thousandth of a pixel), so a store is continued by the one that began it.
    compile
        Whether torch compiles the networks for the device first. That takes minutes and needs a C++ compiler; the next
        process finds them in a cache.
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
        Of a Dask cluster whose workers compute the videos, one a task; None computes them in this process. With an
        asynchronous client, an awaitable of the Dataset is returned. All workers have to see the store, its journal
        and the videos under the same paths.
    window
        Videos in the hands of the cluster at once; by default, and at most, twice as many as it can compute at once.
    retries
        Times that a video is tried again on the cluster when its worker dies, is lost or runs out of memory, before it
        fails. Videos that cannot be decoded are not tried again.
    time_limit
        Seconds that a video may take before it fails; None for no limit.
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
        Options of the file system that the URLs of the store and its journal name; an error where there is no URL.
    video_options
        Options of the file system that the URLs of videos name. By default ``storage_options`` for those of the store's
        kind, and for all if the store is local.

    Returns
    -------
    xarray.Dataset
        The opened store, lazy; dims (video, frame, face, feature[, landmark, axis][, component]). Boxes and landmarks
        are in pixels of the source frame, ``timestamp`` in seconds, and the coordinate ``unit`` says what features are
        in. A frame without a face is NaN, and so is padding, which ``frame_number`` -1 marks.

    Raises
    ------
    InputError
        If an argument has a value that cannot be used, or there is no video at all: none of those that are named
        exists, and the store has none of them.
    MismatchError
        If the store holds another structure, detector, set of options, or other recordings under the same labels; if
        there is something else than a store.
    StructureError
        If the store was changed since a run made it, or the journal is another store's.
    LeaseError
        If another run is writing into the store.
    StoreError
        If the store's disk or network fails; the same call goes on when it works again.
    AssetError
        If a model file is missing and cannot be fetched.
    DetectorError
        If another package's detector cannot be loaded or made.
    ClusterError
        If the scheduler of the client's cluster cannot be reached any more.

    Examples
    --------
    With the default detector that is ``facearray.detect("clips/*.mp4", "study.zarr")``; here one that needs no files:

    >>> import tempfile
    >>> from PIL import Image
    >>> from facearray.testing import FakeDetector
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     Image.new("RGB", (64, 48), (51, 51, 51)).save(f"{folder}/grey.png")
    ...     ds = detect(f"{folder}/*.png", f"{folder}/study.zarr", detector=FakeDetector(), progress=False).load()
    >>> ds.status.values.tolist(), ds.features.sel(feature="AU12").isel(frame=0).values
    (['done'], array([[0.2]], dtype=float32))
    """
    options = RunOptions(
        detector=detector,
        max_faces=max_faces,
        every=every,
        batch_size=batch_size,
        device=device,
        runtime=runtime,
        compile=compile,
        landmarks=landmarks,
        embedding=embedding,
        slots=slots,
        client=client,
        window=window,
        retries=retries,
        time_limit=time_limit,
        overwrite=overwrite,
        retry_failed=retry_failed,
        take_over=take_over,
        progress=progress,
        journal=journal,
        storage_options=storage_options,
        video_options=video_options,
    )
    if client is not None and client.asynchronous:
        return cast("xr.Dataset", _detect_meanwhile(videos, store, options))
    return _detect(videos, store, options)


def _detect(videos: Videos, store: StoreLike, options: RunOptions, stop: threading.Event | None = None) -> xr.Dataset:
    report = run(videos, store, options, stop=stop)
    for label, reason in report.failures.items():
        logger.warning("%s: %s", label, reason)
    of_store = options_for(options.storage_options, store, options.journal)
    return open_store(store, journal=options.journal, storage_options=of_store)


async def _detect_meanwhile(videos: Videos, store: StoreLike, options: RunOptions) -> xr.Dataset:
    """Run in a thread, with a client of its own, so that the event loop, and a cluster that lives in it, go on."""
    stop = threading.Event()

    def compute() -> xr.Dataset | None:
        with synchronous(options.client) as client, suppress(KeyboardInterrupt):
            return _detect(videos, store, replace(options, client=client), stop)
        return None

    running = asyncio.ensure_future(asyncio.to_thread(compute))
    try:
        return cast("xr.Dataset", await asyncio.shield(running))
    except asyncio.CancelledError:
        # As with Ctrl-C, the rows in work end and the store is left in order.
        stop.set()
        with suppress(FaceArrayError):
            await running
        raise
