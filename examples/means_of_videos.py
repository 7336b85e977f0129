"""Detect the faces in sample videos and compare how much each action unit moved.

Run it with ``.venv/bin/python examples/means_of_videos.py``; the store is kept in ``build/examples``, so a second run
only reads it.
"""

from __future__ import annotations

from pathlib import Path

import facearray as fa


def main() -> None:
    """Print the mean and the spread of four action units in each video."""
    videos = [fa.datasets.sample_video(name) for name in ("wolfgang", "single_face", "face_noface")]
    store = Path("build/examples/means.zarr")
    store.parent.mkdir(parents=True, exist_ok=True)
    ds = fa.detect(videos, store, landmarks=False)

    # Frames without a face are NaN, which xarray leaves out.
    aus = ds.fex.select("AU01,AU06,AU12,AU25").isel(face=0)
    means, spreads = aus.mean("frame"), aus.std("frame")
    with_face = aus.notnull().any("feature").sum("frame") / ds.n_frames

    print("share of frames with a face")
    print(with_face.to_series().round(3).to_string(), end="\n\n")
    print("mean of each action unit")
    print(means.to_pandas().round(3).to_string(), end="\n\n")
    print("standard deviation over time")
    print(spreads.to_pandas().round(3).to_string())


if __name__ == "__main__":
    main()
