"""
Faces at the volumes of a scanner
=================================

A film is watched in a scanner, a camera films the face: for a regression of what the scanner measures, faces are
needed once a volume, convolved with the response of the blood. The time course is made up here, and so are the
volumes.
"""

import numpy as np
import pandas as pd
import xarray as xr

import facearray as fa

FPS, TR, N = 25, 2.0, 90

# %%
# Three minutes of a face that smiles ten times.

rng = np.random.default_rng(0)
time = np.arange(0, N * TR, 1 / FPS)
smile = sum(np.exp(-(((time - onset) / 1.5) ** 2)) for onset in np.sort(rng.uniform(5, 170, 10)))
ds = xr.Dataset(
    {"features": (("video", "frame", "face", "feature"), smile[None, :, None, None].astype("f4"))},
    coords={
        "video": ["p01.mp4"],
        "feature": ["AU12"],
        "frame_number": (("video", "frame"), np.arange(len(time))[None]),
        "timestamp": (("video", "frame"), time[None]),
    },
)

# %%
# The camera began 3.2 s before the scanner, and its clock is a little slow. Two events that both have recorded say so.

sync = pd.DataFrame({"video": "p01.mp4", "time": [3.2, 153.17], "scanner_time": [0.0, 150.0]})

# %%
# One value a volume: the mean over its time, and convolved with SPM's response.

plain = ds.fex.to_grid(0.0, TR, 80, features="AU12", sync=sync)
volumes = ds.fex.to_grid(0.0, TR, 80, features="AU12", sync=sync, hrf="spm", outside=0.0)
print(f"offset {volumes.clock_offset.item():.2f} s, drift {1e6 * volumes.clock_drift.item():.0f} per million")
print(pd.DataFrame({"mean": plain.features.values.ravel(), "response": volumes.features.values.ravel()})[:8].round(3))

# %%
# A voxel that follows the smile, with noise: the regressor that was convolved finds its weight.

design = np.column_stack([volumes.features.values.ravel(), np.ones(80)])
voxel = 2.0 * design[:, 0] + 100 + rng.normal(scale=0.2, size=80)
weights, *_ = np.linalg.lstsq(design, voxel, rcond=None)
print("weight and constant:", weights.round(2).tolist())

picture = fa.concat([plain.fex.rename_videos({"p01.mp4": "mean"}), volumes.fex.rename_videos({"p01.mp4": "response"})])
picture = picture.fex.plot.timeseries("AU12", lines="video")
