"""Statistics beside what they are measured against, in the same run. The last line is one JSON object.

- `summarize_ratio`: seconds of `summarize` by condition from a store that is padded fifteen-fold, over those from a
  store of the same frames that is not; at most 2.
- `regress_ratio`: seconds to fit 100 features of 10,000 videos on 10 regressors, with standard errors, p values and
  confidence limits, over those of one `np.linalg.lstsq`, which gives coefficients only; at most 2. `regress_seconds` is
  the whole of `.fex.regress`, which first makes one value a video of the frames.

    python -m benchmarks.stats [--only KEY ...]
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

import facearray as fa
from facearray import schema
from facearray.io.store import Layout, Store
from facearray.stats.regression.estimates import Options, fit_rows

Figures = dict[str, float]


def seconds(action: Callable[[], object]) -> float:
    """Time an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def alternately(first: Callable[[], object], second: Callable[[], object], n: int = 5) -> tuple[float, float]:
    """Time two actions in turn, so that what else the machine does meets both; the median of each."""
    times = [(seconds(first), seconds(second)) for _ in range(n)]
    return statistics.median(t for t, _ in times), statistics.median(t for _, t in times)


# summarize

N_VIDEOS, N_FRAMES, PADDING = 150, 1000, 15


def detections(folder: Path, capacity: int) -> xr.Dataset:
    """Make a store of videos of about `N_FRAMES` frames, each with room for `capacity`."""
    layout = Layout(
        detector="made up", detector_version="1", features=tuple(schema.FEATURES), n_landmarks=None, n_components=None
    )
    path = folder / f"{capacity}.zarr"
    store = Store.create(path, layout, [(f"{i:04}", "made up") for i in range(N_VIDEOS)], capacity)
    rng = np.random.default_rng(0)
    for row in range(N_VIDEOS):
        n = N_FRAMES - row
        with store.row(row) as writer:
            writer.write(
                frame_number=np.arange(n, dtype="i4"),
                timestamp=np.arange(n) / 25,
                n_faces_found=np.ones(n, "i2"),
                track_id=np.zeros((n, 1), "i4"),
                features=rng.random((n, 1, len(layout.features)), dtype="f4"),
            )
    counts = ("video", N_FRAMES - np.arange(N_VIDEOS))
    condition = ("video", np.array(["good", "bad"])[np.arange(N_VIDEOS) % 2])
    return fa.open_store(path).assign_coords(n_frames=counts, condition=condition)


def summarize_ratio(folder: Path) -> Figures:
    """Summarize by condition, padded and not."""
    plain, padded = (detections(folder, 1024 * factor) for factor in (1, PADDING))

    def summarize(ds: xr.Dataset) -> xr.Dataset:
        return ds.fex.summarize(("mean", "sem"), by="condition")

    xr.testing.assert_allclose(summarize(plain), summarize(padded), rtol=1e-12)
    without, with_padding = alternately(lambda: summarize(plain), lambda: summarize(padded))
    return {
        "summarize_seconds": round(without, 3),
        "summarize_padded_seconds": round(with_padding, 3),
        "summarize_ratio": round(with_padding / without, 3),
    }


# regress


def regress_ratio(folder: Path) -> Figures:  # noqa: ARG001
    """Fit many features at once, and only solve for their coefficients."""
    rng = np.random.default_rng(0)
    n, n_regressors, n_features = 10_000, 10, 100
    values = rng.normal(size=(n, 1, 1, n_features)).astype("f4")
    names = [f"x{i}" for i in range(n_regressors)]
    ds = xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values)},
        coords={
            "video": [f"{i:05}" for i in range(n)],
            "feature": [f"feature {i}" for i in range(n_features)],
            "frame_number": (("video", "frame"), np.zeros((n, 1), "i4")),
        }
        | {name: ("video", rng.normal(size=n)) for name in names},
    )
    X = np.column_stack([np.ones(n), *(ds[name] for name in names)])
    Y = values[:, 0, 0].astype("f8")
    result = ds.fex.regress(names, ds.feature.values.tolist())
    np.testing.assert_allclose(result.beta.squeeze(), np.linalg.lstsq(X, Y, rcond=None)[0], atol=1e-10)
    options = Options(cov="nonrobust")
    solve, fit = alternately(lambda: np.linalg.lstsq(X, Y, rcond=None), lambda: fit_rows(X, Y, None, options), 15)
    return {
        "lstsq_seconds": round(solve, 4),
        "fit_seconds": round(fit, 4),
        "regress_seconds": round(seconds(lambda: ds.fex.regress(names, ds.feature.values.tolist())), 4),
        "regress_ratio": round(fit / solve, 3),
    }


KEYS: dict[str, Callable[[Path], Figures]] = {"regress_ratio": regress_ratio, "summarize_ratio": summarize_ratio}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KEYS, default=list(KEYS), help="what to measure")
    figures: Figures = {}
    with tempfile.TemporaryDirectory() as folder:
        for key in parser.parse_args().only:
            figures |= KEYS[key](Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
