"""Detect on the nodes of a SLURM cluster, one worker a job.

Run it on a login node, in a screen or a small job of its own: it is the client, which hands out one video after the
other, and it ends when all are done. Interrupted, it goes on when it is started again.

    python examples/slurm.py "/data/recordings/*.mp4" /scratch/study.zarr --jobs 20 --gpus

``--dry-run`` prints the job script that each worker would be started with, and starts nothing. Needs
``pip install dask-jobqueue``; other batch systems (PBS, LSF, SGE, HTCondor) have a class of their own there.
"""

from __future__ import annotations

import argparse
from typing import Any

import facearray as fa

#: For the environment of workers, whom Dask would have give memory back to the system after every batch of frames, to
#: get it back cleared for the next: that takes two thirds of a worker's time.
KEEP_MEMORY = {"MALLOC_TRIM_THRESHOLD_": 2**28, "MALLOC_MMAP_THRESHOLD_": 2**25, "MALLOC_ARENA_MAX": 1}


def make_cluster(*, partition: str | None, account: str | None, hours: int, gpus: bool, interface: str | None) -> Any:
    """Describe the jobs: one process and one thread each, so that rows do not compete inside a job."""
    from dask_jobqueue import SLURMCluster

    return SLURMCluster(
        queue=partition,
        account=account,
        interface=interface,
        cores=1,
        processes=1,
        job_cpu=4 if gpus else 1,
        memory="8GB",
        walltime=f"{hours:02}:00:00",
        job_extra_directives=["--gres=gpu:1"] if gpus else [],
        job_script_prologue=[
            "export OMP_NUM_THREADS=1",
            *(f"export {name}={value}" for name, value in KEEP_MEMORY.items()),
        ],
        # A worker ends before its job does, and says so, so that its row is given to another one.
        worker_extra_args=[
            *("--lifetime", f"{hours * 60 - 10}m", "--lifetime-stagger", "5m"),
            *(["--resources", "GPU=1"] if gpus else []),
        ],
        scheduler_options={"dashboard_address": None},
    )


def main() -> None:
    """Start the jobs and detect, or print the job script."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("store")
    parser.add_argument("--jobs", type=int, default=4)
    parser.add_argument("--hours", type=int, default=12, help="wall time of a job")
    parser.add_argument("--partition")
    parser.add_argument("--account")
    parser.add_argument("--interface", help="network interface that nodes reach each other by, such as ib0")
    parser.add_argument("--gpus", action="store_true", help="one GPU a job")
    parser.add_argument("--dry-run", action="store_true")
    arguments = parser.parse_args()
    with make_cluster(
        partition=arguments.partition,
        account=arguments.account,
        hours=arguments.hours,
        gpus=arguments.gpus,
        interface=arguments.interface,
    ) as cluster:
        if arguments.dry_run:
            print(cluster.job_script())
            return
        from distributed import Client

        cluster.scale(jobs=arguments.jobs)
        with Client(cluster) as client:
            device = "cuda" if arguments.gpus else "cpu"
            ds = fa.detect(arguments.videos, arguments.store, client=client, device=device)
        print(ds["status"].to_series().value_counts().to_string())


if __name__ == "__main__":
    main()
