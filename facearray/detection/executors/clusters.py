"""The cluster that a command line asks for: processes of this machine, or a scheduler that runs already."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from facearray._secrets import mask_secrets
from facearray.errors import ClusterError, InputError

if TYPE_CHECKING:
    from distributed import Client

__all__ = ["CONFIG", "KEEP_MEMORY", "connect"]

#: Seconds to wait for a scheduler.
TIMEOUT = 30

#: One thread for each of the libraries that would take all cores; decoding takes one too.
_ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS"), "1")

#: Memory that networks free is kept for the next batch. Dask's own setting gives every bit of it back to the system at
#: once, which then has to clear it again: that took two thirds of a worker's time. The recipes in examples/ say it too.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**28, "MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_ARENA_MAX": 1}

#: Settings of Dask for clusters of our own; docs/clusters.md has them for those of others.
CONFIG = {
    # Who is to blame for a worker's death, and how often a row is tried again, is decided by the client.
    "distributed.scheduler.allowed-failures": 0,
    # What takes memory here are networks and frames, which Dask cannot move to disk: it would wait in vain.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.nanny.pre-spawn-environ": {**_ONE_THREAD, **KEEP_MEMORY},
}

#: What a process imports once, from which workers are forked: they share its memory, and are there in no time.
_IMPORTED = ("__main__", "facearray.detection.executors.plugin", "facearray.detection.mediapipe", "torch")

#: Where such a process can be forked: Windows has none, and frameworks of macOS do not bear it.
_CAN_FORK = sys.platform == "linux"


@contextmanager
def connect(
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    scheduler_file: str | os.PathLike[str] | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[Client | None]:
    """Provide a client of the cluster that was asked for; None if none was.

    Parameters
    ----------
    workers
        Processes to start on this machine, each with one thread for every library; they end with the context.
    scheduler
        Address of a scheduler, as ``tcp://10.0.0.1:8786``.
    scheduler_file
        File in which a scheduler has written where it is.
    meanwhile
        Done while the processes of this machine start; what it raises ends the context.

    Raises
    ------
    InputError
        If more than one is asked for, the number is not positive, or there is no such file.
    ClusterError
        If there is no answer.
    """
    asked = [name for name, value in _named(workers, scheduler, scheduler_file).items() if value is not None]
    if len(asked) > 1:
        raise InputError(f"found {' and '.join(asked)}; expected at most one of them")
    if workers is not None and workers < 1:
        raise InputError(f"found --workers {workers}; expected at least 1")
    if not asked:
        yield None
    elif workers is not None:
        with ThreadPoolExecutor(1) as beside:
            done = None if meanwhile is None else beside.submit(meanwhile)
            with _local(workers) as client:
                if done is not None:
                    done.result()
                yield client
    else:
        with _remote(scheduler, scheduler_file) as client:
            yield client


def _named(workers: object, scheduler: object, scheduler_file: object) -> dict[str, object]:
    return {"--workers": workers, "--scheduler": scheduler, "--scheduler-file": scheduler_file}


@contextmanager
def _local(n_workers: int) -> Iterator[Client]:
    import dask
    from distributed import Client, LocalCluster

    with (
        dask.config.set(CONFIG),
        _forking(),
        LocalCluster(
            n_workers=n_workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
            silence_logs=logging.CRITICAL,
            preload=["facearray.detection.executors.preload"],
        ) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@contextmanager
def _forking() -> Iterator[None]:
    """Have Dask fork its workers, where that can be done."""
    import dask
    from distributed.utils import get_mp_context

    if not _CAN_FORK:
        yield
        return
    with dask.config.set({"distributed.worker.multiprocessing-method": "forkserver"}):
        get_mp_context().set_forkserver_preload(list(_IMPORTED))
        yield


@contextmanager
def _remote(scheduler: str | None, scheduler_file: str | os.PathLike[str] | None) -> Iterator[Client]:
    from distributed import Client

    if scheduler_file is not None and not Path(scheduler_file).is_file():
        raise InputError(f"found no file {os.fspath(scheduler_file)}; expected that of a running scheduler")
    place = {"address": scheduler} if scheduler is not None else {"scheduler_file": os.fspath(scheduler_file or "")}
    try:
        client = Client(**place, timeout=TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise ClusterError(
            f"no Dask scheduler answers at {mask_secrets(next(iter(place.values())))}: {error}; check the address, and "
            "that it runs"
        ) from error
    with client:
        yield client
