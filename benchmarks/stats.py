"""Statistics beside what they are measured against, in the same run. The last line is one JSON object.

- `regress_ratio`: seconds of `.fex.regress` of 100 features of 10,000 videos on 10 regressors, as a user calls it, over
  those of one `np.linalg.lstsq` of the same numbers, which gives coefficients only; at most 2. Every video has one
  frame, so that there is nothing to reduce; `regress_ratio_5_frames` and `_20_frames` are the same with frames to
  average first. `fit_ratio` is the fit alone, with standard errors, p values and confidence limits.
- `summarize_ratio`: seconds of `summarize` by condition from a store that is padded fifteen-fold, over those from a
  store of the same frames that is not; at most 2.
- `peak_mb`: most memory of a process of its own that regresses ten million real frames in a store, of which
  `import_mb` were there before; at most 1000. `peak_mb_frames` is the same with frames as units, in clusters.
- `permutation_speedup`: seconds of scikit-learn's `permutation_test_score` for linear discriminant analysis with a
  StandardScaler, over those of `decode`, for 1,000 permutations and 10 folds on one process; at least 4. There are 20
  videos and 20 features, more than the training sets have dimensions within classes; `permutation_speedup_100` is that
  of 100 videos. scikit-learn is timed on a part of the permutations, and has to give the same scores for the same ones.

    python -m benchmarks.stats [--only KEY ...]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
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

QUICK = "--only regress_ratio permutation_speedup"
FIGURES = {
    "regress_ratio": "<= 2",
    "summarize_ratio": "<= 2",
    "peak_mb": "<= 1000",
    "peak_mb_frames": "<= 1000",
    "permutation_speedup": ">= 4",
}

Figures = dict[str, float]


def seconds(action: Callable[[], object]) -> float:
    """Time an action."""
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turn(*actions: Callable[[], object], n: int = 5) -> list[float]:
    """Time actions in turn, so that what else the machine does meets all of them; the median of each."""
    times = [[seconds(action) for action in actions] for _ in range(n)]
    return [statistics.median(column) for column in zip(*times, strict=True)]


def detections(path: Path, lengths: np.ndarray, capacity: int, features: list[str]) -> xr.Dataset:
    """Make a store of videos of some lengths, each with room for `capacity` frames, half of them of each condition."""
    layout = Layout(
        detector="made up", detector_version="1", features=tuple(features), n_landmarks=None, n_components=None
    )
    store = Store.create(path, layout, [(f"{i:04}", "made up") for i in range(len(lengths))], capacity)
    rng = np.random.default_rng(0)
    # noise that videos share parts of, because drawing it takes longer than writing it
    noise = rng.random((2 * int(lengths.max()), 1, len(features)), dtype="f4")
    for row, n in enumerate(lengths.tolist()):
        start = int(rng.integers(lengths.max()))
        with store.row(row) as writer:
            writer.write(
                frame_number=np.arange(n, dtype="i4"),
                timestamp=np.arange(n) / 25,
                n_faces_found=np.ones(n, "i2"),
                track_id=np.zeros((n, 1), "i4"),
                features=noise[start : start + n] * np.float32(rng.random() / 2 + 0.5),
            )
    np.save(path.with_suffix(".npy"), lengths)
    return opened(path)


def opened(path: Path) -> xr.Dataset:
    """Open a store of `detections`, with what a finished run knows of the videos and the coordinates of a study."""
    ds = fa.open_store(path).assign_coords(n_frames=("video", np.load(path.with_suffix(".npy"))))
    number = np.arange(ds.sizes["video"])
    return ds.assign_coords(
        condition=("video", np.array(["good", "bad"])[number % 2]),
        age=("video", np.random.default_rng(1).normal(40, 9, len(number))),
    )


# regress


def regress_ratio(folder: Path) -> Figures:  # noqa: ARG001
    """Regress many features at once, and only solve for the coefficients."""
    figures: Figures = {}
    for n_frames in (1, 5, 20):
        ds, names, X, Y = study(n_frames)
        features = ds.feature.values.tolist()
        result = ds.fex.regress(names, features)
        np.testing.assert_allclose(result.beta.squeeze(), np.linalg.lstsq(X, Y, rcond=None)[0], atol=1e-10)
        solve, call, fit = in_turn(
            lambda X=X, Y=Y: np.linalg.lstsq(X, Y, rcond=None),
            lambda ds=ds, names=names, features=features: ds.fex.regress(names, features),
            lambda X=X, Y=Y: fit_rows(X, Y, None, Options(cov="nonrobust")),
            n=15,
        )
        suffix = "" if n_frames == 1 else f"_{n_frames}_frames"
        figures |= {f"regress_seconds{suffix}": round(call, 4), f"regress_ratio{suffix}": round(call / solve, 3)}
        if n_frames == 1:
            figures |= {"lstsq_seconds": round(solve, 4), "fit_ratio": round(fit / solve, 3)}
    return figures


def study(n_frames: int, n: int = 10_000) -> tuple[xr.Dataset, list[str], np.ndarray, np.ndarray]:
    """Videos with regressors, the names of these, and the matrices that a regression of them comes to."""
    rng = np.random.default_rng(0)
    n_regressors, n_features = 10, 100
    values = rng.normal(size=(n, n_frames, 1, n_features)).astype("f4")
    names = [f"x{i}" for i in range(n_regressors)]
    ds = xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values)},
        coords={
            "video": [f"{i:05}" for i in range(n)],
            "feature": [f"feature {i}" for i in range(n_features)],
            "frame_number": (("video", "frame"), np.tile(np.arange(n_frames, dtype="i4"), (n, 1))),
        }
        | {name: ("video", rng.normal(size=n)) for name in names},
    )
    return ds, names, np.column_stack([np.ones(n), *(ds[name] for name in names)]), values.mean(axis=(1, 2), dtype="f8")


# summarize

PADDING = 15


def summarize_ratio(folder: Path) -> Figures:
    """Summarize by condition, padded and not."""
    lengths = 1000 - np.arange(150)
    plain, padded = (
        detections(folder / f"{factor}.zarr", lengths, 1024 * factor, list(schema.FEATURES)) for factor in (1, PADDING)
    )

    def summarize(ds: xr.Dataset) -> xr.Dataset:
        return ds.fex.summarize(("mean", "sem"), by="condition")

    xr.testing.assert_allclose(summarize(plain), summarize(padded), rtol=1e-12)
    without, with_padding = in_turn(lambda: summarize(plain), lambda: summarize(padded))
    return {
        "summarize_seconds": round(without, 3),
        "summarize_padded_seconds": round(with_padding, 3),
        "summarize_ratio": round(with_padding / without, 3),
    }


# memory

N_FRAMES = 10_000_000

#: What is regressed on condition and age: the action units.
CALLS = {
    "peak_mb": "ds.fex.regress('condition, age', 'aus')",
    "peak_mb_frames": "ds.fex.regress('condition, age', 'aus', unit='frame', cluster='video')",
}

CHILD = """
import json, time
from pathlib import Path
from benchmarks.stats import opened
def peak():
    # getrusage would give the peak of the parent, too
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
before, start = peak(), time.perf_counter()
ds = opened(Path({path!r}))
result = {call}
assert result.p.notnull().all()
print(json.dumps([before, peak(), time.perf_counter() - start, int((ds.frame_number >= 0).sum())]))
"""


def peak_mb(folder: Path) -> Figures:
    """Regress ten million frames, each in a process of its own that does nothing else."""
    n_videos = 1000
    deviation = np.random.default_rng(2).integers(0, 2000, n_videos // 2)
    lengths = N_FRAMES // n_videos + np.concatenate([deviation, -deviation])
    path = folder / "large.zarr"
    features = [*schema.feature_names("aus"), *schema.feature_names("poses")]
    detections(path, lengths, int(np.ceil(lengths.max() / 1024)) * 1024, features)
    figures: Figures = {}
    for key, call in CALLS.items():
        code = CHILD.format(path=str(path), call=call)
        child = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        if child.returncode:
            raise SystemExit(child.stderr)
        before, peak, spent, n_frames = json.loads(child.stdout.splitlines()[-1])
        if n_frames != N_FRAMES:
            raise SystemExit(f"found {n_frames} frames in the store; expected {N_FRAMES}")
        figures |= {"import_mb": round(before), key: round(peak), key.replace("mb", "seconds"): round(spent, 1)}
    return figures


# decode

N_PERMUTATIONS, N_TIMED = 1000, 50


def permutation_speedup(folder: Path) -> Figures:  # noqa: ARG001
    """Permute the labels of a decoding, sharing the work and not."""
    return {
        **_permutation_speedup(20, "permutation_speedup", "permutation_"),
        **_permutation_speedup(100, "permutation_speedup_100", "permutation_100_"),
    }


def _permutation_speedup(n: int, key: str, prefix: str) -> Figures:
    shared, anew = decoded(n, N_PERMUTATIONS, N_TIMED)
    p = shared().p_value.item()
    ours, theirs = in_turn(shared, anew, n=3)
    theirs *= (N_PERMUTATIONS + 1) / (N_TIMED + 1)
    return {
        f"{prefix}seconds": round(ours, 3),
        f"{prefix}scikit_learn_seconds": round(theirs, 3),
        f"{prefix}p": round(p, 4),
        key: round(theirs / ours, 1),
    }


def decoded(n: int, n_shared: int, n_anew: int) -> tuple[Callable[[], fa.stats.Decoding], Callable[[], object]]:
    """Decodings of `n` videos with permutations: by `.fex.decode`, and by scikit-learn, which has to give the same."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
    from sklearn.model_selection import StratifiedKFold, cross_val_score, permutation_test_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    from facearray.stats.kernels.resampling import Labels, draw_chunk

    rng = np.random.default_rng(0)
    condition = np.arange(n) % 2
    values = (rng.normal(size=(n, 20)) + condition[:, None] * 0.2).astype("f4")
    ds = xr.Dataset(
        {"features": (("video", "frame", "face", "feature"), values[:, None, None])},
        coords={
            "video": [f"{i:05}" for i in range(n)],
            "feature": [f"AU{i:02}" for i in range(20)],
            "frame_number": (("video", "frame"), np.zeros((n, 1), "i4")),
            "condition": ("video", condition),
        },
    )
    model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
    X, folds = values.astype("f8"), StratifiedKFold(10)
    features = ds.feature.values.tolist()

    def shared() -> fa.stats.Decoding:
        return ds.fex.decode("condition", features, model=model, cv=10, permutations=n_shared)

    def anew() -> object:
        return permutation_test_score(model, X, condition, cv=folds, n_permutations=n_anew)

    same = draw_chunk(Labels(condition.astype(float)), 0, 0, n_shared)[:5]
    np.testing.assert_allclose(
        shared().null[0, :5], [cross_val_score(model, X, y.astype(int), cv=folds).mean() for y in same]
    )
    return shared, anew


KEYS: dict[str, Callable[[Path], Figures]] = {
    "regress_ratio": regress_ratio,
    "summarize_ratio": summarize_ratio,
    "peak_mb": peak_mb,
    "permutation_speedup": permutation_speedup,
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=KEYS, default=list(KEYS), help="what to measure")
    figures: Figures = {}
    for key in parser.parse_args().only:
        with tempfile.TemporaryDirectory() as folder:
            figures |= KEYS[key](Path(folder))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
