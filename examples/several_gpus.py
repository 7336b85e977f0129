"""Detect on all GPUs of one machine, one worker process each.

    python examples/several_gpus.py "recordings/*.mp4" study.zarr

Needs ``pip install dask-cuda``, which gives each worker one GPU to see and the processor cores next to it.
"""

from __future__ import annotations

import argparse
import os

import facearray as fa

#: For the environment of workers, whom Dask would have give memory back to the system after every batch of frames, to
#: get it back cleared for the next: that takes two thirds of a worker's time.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**28, "MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_ARENA_MAX": 1}


def main() -> None:
    """Start a worker for each GPU and detect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("store")
    arguments = parser.parse_args()
    from dask_cuda import LocalCUDACluster
    from distributed import Client

    # Workers are started by this process, and have its environment from their first moment on, as this needs.
    os.environ.update({name: str(value) for name, value in KEEP_MEMORY.items()})
    with LocalCUDACluster(threads_per_worker=1, resources={"GPU": 1}, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            ds = fa.detect(arguments.videos, arguments.store, client=client, device="cuda")
        print(ds["status"].to_series().value_counts().to_string())


if __name__ == "__main__":
    main()
