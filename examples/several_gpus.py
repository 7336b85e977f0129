"""Detect on all GPUs of one machine, one worker process each.

    python examples/several_gpus.py "recordings/*.mp4" study.zarr

Needs ``pip install dask-cuda``, which gives each worker one GPU to see and the processor cores next to it.
"""

from __future__ import annotations

import argparse

import facearray as fa


def main() -> None:
    """Start a worker for each GPU and detect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("store")
    arguments = parser.parse_args()
    from dask_cuda import LocalCUDACluster
    from distributed import Client

    with LocalCUDACluster(threads_per_worker=1, resources={"GPU": 1}, dashboard_address=None) as cluster:
        with Client(cluster) as client:
            ds = fa.detect(arguments.videos, arguments.store, client=client, device="cuda")
        print(ds["status"].to_series().value_counts().to_string())


if __name__ == "__main__":
    main()
