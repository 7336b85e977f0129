"""
Cleaning
========

What is done to time courses before statistics: each step in one clip, before and after.
"""

import numpy as np
import pandas as pd

import facearray as fa

ds = fa.datasets.good_bad_news()
video = "016.mp4"
one = ds.sel(video=[video])


def compare(before, after, features):
    """A panel a feature, with a line before and one after."""
    parts = {"before": before, "after": after}
    named = [part.fex.rename_videos({video: name}).drop_vars("landmarks") for name, part in parts.items()]
    return fa.concat(named).fex.plot.timeseries(features, lines="video")


# %%
# `quality` holds every video against limits. What is left after each criterion:

judged = ds.fex.quality("strict", max_angle=10)
print(judged[["n_excluded", "n_left"]].to_dataframe())

# %%
# The figures that it holds against them are also a picture; the limit here was ten degrees.

picture = ds.fex.plot.quality()

# %%
# `rectify` takes out frames in which the box of the face jumps. One was made to jump here.

jump = one.copy(deep=True)
jump.features.loc[{"feature": ["FaceRectX", "AU12"], "frame": 20}] = 0
picture = compare(jump, jump.fex.rectify(), ["FaceRectX", "AU12"])

# %%
# `mask` takes out frames by limits, or by any condition: here those in which the head is turned.

turned = np.abs(one.features.sel(feature="Yaw")) > np.abs(one.features.sel(feature="Yaw")).quantile(0.7)
masked = one.fex.mask(turned)
picture = compare(one, masked, ["Yaw", "AU12"])

# %%
# `interpolate` fills gaps up to a length, and marks what it filled.

filled = masked.fex.interpolate(0.3, method="pchip")
picture = compare(masked, filled, ["AU12", "AU25"])

# %%
# `baseline`: the mean of the first half second is the new zero.

picture = compare(one, one.fex.baseline("first", seconds=0.5), ["AU12", "AU25"])

# %%
# Or the frames of a labelled period; with `scale="z"` in their standard deviations.

period = pd.DataFrame({"video": [video], "start": [0.0], "end": [0.6], "label": ["neutral"]})
labelled = one.fex.annotate(period, name="phase")
picture = labelled.fex.baseline("period", period={"phase": "neutral"}, scale="z").fex.plot.timeseries(
    "AU12,AU25", intervals="phase"
)

# %%
# `clean` subtracts the trend and what follows the pose, and filters; values keep their unit here.

cleaned = one.fex.clean(low_pass=3, confounds="Pitch,Yaw", standardize=False)
picture = compare(one, cleaned, ["AU12", "AU25"])

# %%
# `smooth` takes out jitter: a Savitzky-Golay filter keeps the height of peaks.

picture = compare(one, one.fex.smooth("savgol", seconds=0.6), ["AU12", "AU25"])

# %%
# `resample` to a lower rate averages first, so that fast changes go instead of turning up as slow ones.

picture = compare(one, one.fex.resample(fps=5), ["AU12", "AU25"])

# %%
# `bin` reduces stretches of time: here to the largest value in each half second.

picture = compare(one, one.fex.bin(0.5, stat="max"), ["AU12", "AU25"])

# %%
# What was done stays with the data, also in a saved store.

filled.fex.steps()
