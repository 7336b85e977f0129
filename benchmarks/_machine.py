"""What a run depends on beside the code: the machine and the versions."""

from __future__ import annotations

import os
import platform
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from benchmarks._peers import PEERS
from benchmarks._suite import ROOT

#: Packages of which a figure depends on the version, here and of those that are measured against.
PACKAGES = (
    "ai-edge-litert bokeh dask distributed holoviews imageio-ffmpeg mediapipe numpy pandas pyarrow scikit-learn scipy "
    "torch xarray zarr"
).split()


def machine() -> dict[str, str]:
    """Processor, cores, memory and system."""
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "processor": processor(),
        "cores": str(cpus),
        "memory": f"{psutil.virtual_memory().total / 2**30:.0f} GB",
        "system": f"{platform.system()} {platform.release()}",
        "threads": os.environ.get("OMP_NUM_THREADS", "not limited"),
    }


def processor(info: Path = Path("/proc/cpuinfo")) -> str:
    """Name of the processor."""
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def versions() -> dict[str, str]:
    """Versions of the project and its commit, of Python, of packages, and of peers that have been installed."""
    found = {"facearray": f"{version('facearray')} ({commit()})", "Python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    peers = (peer.requirements[0].partition("==") for peer in PEERS if peer.python.exists())
    return found | {name: pinned for name, _, pinned in peers}


def commit() -> str:
    """Commit that is checked out, and whether files differ from it; those that benchmarks write do not count."""
    written = [f":!docs/benchmarks.{end}" for end in ("json", "md")]
    head, changed = (
        subprocess.run(["git", *command], cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
        for command in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "-uno", "--", ".", *written])
    )
    return f"{head}{'-dirty' if changed else ''}" or "no clone"
