"""
Epochs, averages and tests around events
========================================

As with EEG: time courses are cut around events, set to zero before them, averaged, and compared in every moment.
Twelve recordings with a sound every ten seconds; half of the people were warned. The time courses are made up.
"""

import numpy as np
import pandas as pd
import xarray as xr

import facearray as fa

FPS, N, ONSETS = 25, 12, np.arange(5.0, 60, 10)

# %%
# Brows go up 0.3 s after a sound, in those who were warned less.

rng = np.random.default_rng(4)
time = np.arange(0, 65, 1 / FPS)
warned = np.arange(N) % 2 == 0
bumps = sum(np.exp(-(((time - onset - 0.5) / 0.2) ** 2)) for onset in ONSETS)
noise = np.stack([np.convolve(rng.normal(size=len(time)), np.hanning(9) / 3, "same") for _ in range(N)])
values = 0.2 + np.where(warned, 0.1, 0.35)[:, None] * bumps + 0.05 * noise
ds = xr.Dataset(
    {"features": (("video", "frame", "face", "feature"), values[:, :, None, None].astype("f4"))},
    coords={
        "video": [f"p{i:02}.mp4" for i in range(N)],
        "feature": ["AU02"],
        "frame_number": (("video", "frame"), np.tile(np.arange(len(time)), (N, 1))),
        "timestamp": (("video", "frame"), np.tile(time, (N, 1))),
        "told": ("video", np.where(warned, "warned", "not warned")),
    },
)
events = pd.DataFrame([{"video": label, "onset": onset} for label in ds.video.values.tolist() for onset in ONSETS])

# %%
# Epochs have the dims video, trial and time; the mean before the event is the zero of each.

epochs = ds.fex.align(events, before=0.5, after=1.5, features="AU02")
epochs = epochs.assign(features=epochs.features - epochs.features.sel(time=slice(None, -0.01)).mean("time"))
print(dict(epochs.sizes))

# %%
# The average of each group, of people and not of trials:

by_person = epochs.features.mean("trial").isel(face=0, feature=0)
means = by_person.groupby("told").mean()
print(means.sel(time=[0, 0.4, 0.6, 1.0], method="nearest").round(2).to_pandas().to_string())

# %%
# `event_average` does all of this at once, in steps and with intervals over people:

window = {"before": 0.5, "after": 1.5, "step": 0.1, "y": "AU02", "baseline": (-0.5, 0.0)}
average = ds.fex.event_average(events, by="told", **window)
peak = average.isel(face=0, feature=0).sel(time=0.5, method="nearest")
print(peak[["mean", "ci_low", "ci_high"]].to_dataframe()[["mean", "ci_low", "ci_high"]].round(2).to_string())

# %%
# `event_test` compares the groups at all times together, by clusters of neighbouring times:

tested = ds.fex.event_test(events, "told", permutations=999, **window)
print(tested.fex.clusters().round(3).to_string(index=False))
print(fa.stats.describe(tested))

picture = fa.plot.over_time(tested)
