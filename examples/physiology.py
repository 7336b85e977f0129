"""
Faces and skin conductance
==========================

Signals of other instruments have rates and clocks of their own. They become a coordinate on the frames, or faces
are brought to their times. The skin conductance is made up here: it rises two seconds after each smile.
"""

import holoviews as hv
import numpy as np
import pandas as pd
import xarray as xr

import facearray as fa

FPS, RATE, DELAY = 25, 8, 2.0

# %%
# Two minutes of a face at 25 frames a second, and a table of the instrument at 8 values a second, as its program
# exports it.

rng = np.random.default_rng(1)
time = np.arange(0, 120, 1 / FPS)
onsets = np.sort(rng.uniform(5, 110, 12))


def after(seconds, delay, width):
    """Sum a bump behind every onset."""
    return sum(np.exp(-(((seconds - onset - delay) / width) ** 2)) for onset in onsets)


ds = xr.Dataset(
    {"features": (("video", "frame", "face", "feature"), after(time, 0, 0.8)[None, :, None, None].astype("f4"))},
    coords={
        "video": ["p01.mp4"],
        "feature": ["AU12"],
        "frame_number": (("video", "frame"), np.arange(len(time))[None]),
        "timestamp": (("video", "frame"), time[None]),
    },
)
seconds = np.arange(0, 120, 1 / RATE)
signal = 5 + 0.5 * after(seconds, DELAY, 1.5) + rng.normal(scale=0.05, size=len(seconds))
table = pd.DataFrame({"seconds": seconds, "microsiemens": signal})

# %%
# To the slower of both: faces are averaged over the steps of the instrument. Averages keep quick changes from turning
# up as slow ones, which picking frames would not.

slow = fa.signal.resample(ds, fps=RATE)
at = slow.timestamp.values[0]
conductance = np.interp(at, table.seconds, table.microsiemens)
slow = slow.assign_coords(conductance=(("video", "frame"), conductance[None]))
print(slow.conductance.dims, slow.sizes["frame"])

# %%
# As a coordinate it goes along with everything: into tables, selections, stores.

print(
    slow.fex.to_dataframe(layout="wide")[["timestamp", "AU12", "conductance"]].head(3).round(3).to_string(index=False)
)

# %%
# When does the skin follow the face? Correlations at lags of up to five seconds:

face = slow.features.sel(feature="AU12").values.ravel()
steps = np.arange(-5 * RATE, 5 * RATE + 1)
r = [
    np.corrcoef(np.roll(face, k)[abs(k) : -abs(k) or None], conductance[abs(k) : -abs(k) or None])[0, 1] for k in steps
]
picture = hv.Curve((steps / RATE, r), "lag of the skin (s)", "r")
print(f"strongest at {steps[np.argmax(r)] / RATE:.2f} s, r = {max(r):.2f}")

# %%
# In a whole study a summary of the instrument, one number a recording, is joined to the videos and is a regressor:
# ``ds.fex.join(table, key="recording").fex.regress("conductance")``.
