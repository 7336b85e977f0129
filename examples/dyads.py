"""
Two people in one video, and who speaks
=======================================

A conversation of a minute, with both faces in the picture: what does each do while speaking and while listening, do
they smile together, and who leads? The time courses are made up here; with recordings they come from
``fa.detect("talks/*.mp4", "talks.zarr", max_faces=2, embedding=True)``, in which a slot of ``face`` is one person.
"""

import numpy as np
import pandas as pd
import xarray as xr

import facearray as fa

FPS, SECONDS, LAG = 25, 60, 0.4

# %%
# Ann smiles now and then, Bob 0.4 seconds later; both move their lips while they speak.

rng = np.random.default_rng(3)
time = np.arange(FPS * SECONDS) / FPS
smile = np.convolve(rng.normal(size=len(time)), np.hanning(FPS), "same")
ann = 0.4 + 0.05 * smile + 0.02 * rng.normal(size=len(time))
bob = 0.4 + 0.05 * np.roll(smile, round(LAG * FPS)) + 0.02 * rng.normal(size=len(time))
ann_speaks = time % 20 < 10
lips = [np.where(speaks, 0.5 + 0.2 * np.sin(2 * np.pi * 4 * time), 0.1) for speaks in (ann_speaks, ~ann_speaks)]
values = np.stack([np.stack([ann, bob], axis=1), np.stack(lips, axis=1)], axis=-1).clip(0, 1)
ds = xr.Dataset(
    {"features": (("video", "frame", "face", "feature"), values[None].astype("f4"))},
    coords={
        "video": ["talk.mp4"],
        "feature": ["AU12", "AU25"],
        "frame_number": (("video", "frame"), np.arange(len(time))[None]),
        "timestamp": (("video", "frame"), time[None]),
        "person": (("video", "face"), [["ann", "bob"]]),
    },
)

# %%
# Speaking turns, in seconds, as `facearray.read_annotations` reads them from ELAN, BORIS or The Observer. They become
# a label for every frame.

turns = pd.DataFrame(
    {
        "video": "talk.mp4",
        "start": np.arange(0.0, SECONDS, 10),
        "end": np.arange(10.0, SECONDS + 10, 10),
        "label": ["ann", "bob"] * 3,
    }
)
ds = ds.fex.annotate(turns, name="speaker")

# %%
# A frame's person speaks, or listens. The rest is xarray.

speaks = ds.speaker == ds.person
roles = {"speaks": ds.features.where(speaks), "listens": ds.features.where(~speaks)}
means = xr.concat(roles.values(), pd.Index(roles, name="role")).mean("frame").isel(video=0)
print(means.assign_coords(face=["ann", "bob"]).to_series().unstack("feature").round(2).to_string())

# %%
# Do they smile together more than chance would have it, and who leads? Windows of four seconds; p compares with the
# same windows in other orders.

found = fa.signal.synchrony(ds, "AU12", window=4, max_lag=1, alternative="greater", null="segment_shuffle", n_draws=199)
leader = ds.person.values[0][0 if found["lead"].item() > 0 else 1]
print(f"strongest at a lag of {found.lag_max.item():.2f} s: {leader} leads")
print(f"p = {found.p.item():.3f}, of who leads {found.p_lead.item():.3f}, {found.n_windows.item()} windows")

picture = ds.isel(face=[0]).fex.plot.timeseries("AU12,AU25", intervals="speaker")
