"""Detect on a Dask cluster in Kubernetes, from a pod or through a forwarded port.

    kubectl apply -f examples/kubernetes/cluster.yaml
    kubectl port-forward service/facearray-scheduler 8786 &
    python examples/kubernetes/detect.py "s3://bucket/recordings/*.mp4" s3://bucket/study.zarr

Keys of the object store come from the environment on both sides (``AWS_ACCESS_KEY_ID`` and so on). With dask-gateway
the cluster is ``Gateway(url).new_cluster()``, and the client ``cluster.get_client()``; the rest is the same.
"""

from __future__ import annotations

import argparse

import facearray as fa


def main() -> None:
    """Connect to the scheduler and detect."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("videos", nargs="+")
    parser.add_argument("store")
    parser.add_argument("--scheduler", default="tcp://127.0.0.1:8786")
    arguments = parser.parse_args()
    from distributed import Client

    with Client(arguments.scheduler) as client:
        ds = fa.detect(arguments.videos, arguments.store, client=client)
    print(ds["status"].to_series().value_counts().to_string())


if __name__ == "__main__":
    main()
