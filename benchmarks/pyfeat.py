"""What an analysis takes beside the same with py-feat's `Fex`, which has to give the same numbers.

- `isc_speedup`: seconds of `Fex.isc` of one feature of 2,000 videos of 1,000 frames, over those of `.fex.isc`.
- `means_speedup`: seconds of `Fex.update_sessions` and `extract_mean` of 20 features of 500 videos of 300 frames, over
  those of `.fex.summarize(by="video")`.
- `regress_speedup`: seconds of `Fex.regress` of the means of these videos on a condition, over those of `.fex.regress`,
  which averages the frames, too.

py-feat 2.1.5 runs in an environment of its own in `build/peers`, which is made once; figures are null where it cannot
be installed. Each is the fastest of the rounds, because other programs only ever add time.

    python -m benchmarks.pyfeat [--videos 2000] [--frames 1000] [--rounds 3]
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import facearray as fa  # noqa: F401 (registers the accessor)
from benchmarks._peers import IMPORT_FEX, PYFEAT
from facearray import schema

QUICK = "--videos 40 --frames 60 --rounds 1"
FIGURES = {"isc_speedup": ">= 10", "means_speedup": "", "regress_speedup": ""}

N_MEANS = (500, 300)

PEER_SCRIPT = (
    IMPORT_FEX
    + """
import json, time
import numpy as np, pandas as pd
data, folder, rounds = np.load(sys.argv[1]), sys.argv[2], int(sys.argv[3])
def table(values, names):
    n_videos, n_frames = values.shape[:2]
    columns = dict(zip(names, np.moveaxis(values.reshape(-1, len(names)), 1, 0)))
    frame = np.tile(np.arange(n_frames), n_videos)
    video = np.repeat([f"{i:05}" for i in range(n_videos)], n_frames)
    return Fex(pd.DataFrame({"input": video, "frame": frame, **columns}), au_columns=list(names))
def fastest(action):
    action()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = action()
        taken.append(time.perf_counter() - start)
    return min(taken), result
names = [str(name) for name in data["names"]]
courses, videos = table(data["courses"][..., None], ["happiness"]), table(data["videos"], names)
found = {}
found["isc"], r = fastest(lambda: courses.isc("happiness"))
found["means"], means = fastest(lambda: videos.update_sessions(videos["input"]).extract_mean())
means["condition"] = data["condition"]
columns = ["mean_" + name for name in names]
found["regress"], (b, se, t, p, df, residuals) = fastest(lambda: means.regress(["condition"], columns))
np.savez(folder + "/theirs.npz", isc=r.to_numpy(), means=means[columns].to_numpy(), p=p.loc["condition"].to_numpy())
print(json.dumps(found))
"""
)


def dataset(values: np.ndarray, names: list[str], **coords: Any) -> xr.Dataset:
    """Label values (video, frame, feature)."""
    n_videos, n_frames = values.shape[:2]
    return xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values[:, :, None])},
        coords={
            "video": [f"{i:05}" for i in range(n_videos)],
            "feature": names,
            "frame_number": (("video", "frame"), np.tile(np.arange(n_frames, dtype="i4"), (n_videos, 1))),
            **coords,
        },
    )


def fastest(action: Callable[[], Any], rounds: int) -> tuple[float, Any]:
    """Seconds of the fastest of some calls after a first, and what they give."""
    action()
    taken = []
    for _ in range(rounds):
        start = time.perf_counter()
        result = action()
        taken.append(time.perf_counter() - start)
    return min(taken), result


def main() -> None:
    """Measure both sides, compare what they found, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--videos", type=int, default=2000)
    parser.add_argument("--frames", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()

    rng = np.random.default_rng(0)
    names = list(schema.feature_names("aus"))
    n_videos, n_frames = (min(pair) for pair in zip(N_MEANS, (arguments.videos, arguments.frames), strict=True))
    courses = rng.random((arguments.videos, arguments.frames), dtype="f4")
    videos = rng.random((n_videos, n_frames, len(names)), dtype="f4")
    condition = np.arange(n_videos) % 2
    one, many = dataset(courses[..., None], ["happiness"]), dataset(videos, names, condition=("video", condition))

    ours: dict[str, float] = {}
    ours["isc"], isc = fastest(lambda: one.fex.isc("happiness", align="frame").compute(), arguments.rounds)
    ours["means"], means = fastest(lambda: many.fex.summarize(by="video").compute(), arguments.rounds)
    ours["regress"], fit = fastest(lambda: many.fex.regress("condition", "aus").compute(), arguments.rounds)
    theirs: dict[str, float | None] = dict.fromkeys(ours)
    if PYFEAT.ready():
        with tempfile.TemporaryDirectory() as folder:
            data = Path(folder) / "data.npz"
            np.savez(data, courses=courses, videos=videos, names=names, condition=condition)
            theirs = json.loads(PYFEAT.run(PEER_SCRIPT, data, folder, str(arguments.rounds)))
            found = np.load(Path(folder) / "theirs.npz")
            pairs = off_diagonal(isc.r.values), off_diagonal(found["isc"])
            np.testing.assert_allclose(*pairs, atol=1e-5)
            np.testing.assert_allclose(means["mean"].squeeze(), found["means"], rtol=1e-5)
            np.testing.assert_allclose(fit.p.sel(term="condition").squeeze(), found["p"], rtol=1e-4)
    result = {f"{name}_seconds": round(seconds, 4) for name, seconds in ours.items()}
    result |= {f"pyfeat_{name}_seconds": seconds and round(seconds, 4) for name, seconds in theirs.items()}
    result |= {f"{name}_speedup": seconds and round(seconds / ours[name], 1) for name, seconds in theirs.items()}
    print(json.dumps(result))


def off_diagonal(matrix: np.ndarray) -> np.ndarray:
    """Pairs of different videos."""
    return matrix.squeeze()[~np.eye(len(matrix.squeeze()), dtype=bool)]


if __name__ == "__main__":
    main()
