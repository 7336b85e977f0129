"""
Cleaning
========

What is done to time courses before statistics: each step in the sample video of 20 seconds, before and after.
"""

import numpy as np
import pandas as pd

import facearray as fa

names = ("wolfgang", "single_face", "face_noface", "no_face")
ds = fa.detect({name: fa.datasets.sample_video(name) for name in names}, "samples.zarr", progress=False)
one = ds.sel(video=["wolfgang"]).isel(frame=slice(0, int(ds.n_frames.sel(video="wolfgang"))))
one = one.drop_vars("landmarks").load()


def compare(before, after, features):
    """A panel a feature, with a line before and one after."""
    parts = {"before": before, "after": after}
    return fa.concat([part.fex.rename_videos({"wolfgang": name}) for name, part in parts.items()]).fex.plot.timeseries(
        features, lines="video"
    )


# %%
# `quality` holds every video against limits. Nobody is in one of the sample videos, and somebody leaves another one.

judged = ds.fex.quality("standard")
print(judged[["n_excluded", "n_left"]].to_dataframe())
print("\n".join(f"{video}: {reason}" for video, reason in judged.reasons.isel(face=0).to_series().items() if reason))

# %%
# The figures that `quality` holds against its limits are also a picture.

picture = ds.fex.plot.quality()

# %%
# `rectify` takes out frames in which the box of the face jumps. It was made to jump here, five seconds into the video.

jump = one.copy(deep=True)
jump.features.loc[{"feature": ["FaceRectX", "AU12"], "frame": slice(120, 126)}] = 0
picture = compare(jump, jump.fex.rectify(), ["FaceRectX", "AU12"])

# %%
# `mask` takes out frames by limits or any condition: here those in which the head is turned by more than 12 degrees.

masked = one.fex.mask(max_angle={"Yaw": 12})
picture = compare(one, masked, ["Yaw", "AU12"])

# %%
# `interpolate` fills gaps up to a length in seconds, and marks what it filled. A tenth of the frames was taken out
# here, and a whole second, which stays a gap.

lost = np.random.default_rng(0).random(one.sizes["frame"]) < 0.1
lost[240:264] = True
holed = one.fex.mask(lost[None, :])
picture = compare(holed.isel(frame=slice(180, 320)), holed.fex.interpolate(0.3).isel(frame=slice(180, 320)), ["AU25"])

# %%
# `baseline`: the mean of the first second is the new zero.

picture = compare(one, one.fex.baseline("first", seconds=1), ["AU06", "AU12"])

# %%
# Or the frames of a labelled period; with `scale="percent"` in percent of their mean.

period = pd.DataFrame({"video": ["wolfgang"], "start": [6.5], "end": [9.0], "label": ["rest"]})
labelled = one.fex.annotate(period, name="phase")
picture = labelled.fex.baseline("period", period={"phase": "rest"}, scale="percent").fex.plot.timeseries(
    "AU06,AU12", intervals="phase"
)

# %%
# `clean` subtracts the trend and what follows the pose, and filters, here below 2 Hz; values keep their unit.

cleaned = one.fex.clean(low_pass=2, confounds="Pitch,Yaw", standardize=False)
picture = compare(one, cleaned, ["AU12", "AU25"])

# %%
# `smooth` takes out jitter: a Savitzky-Golay filter over a second keeps the height of peaks.

picture = compare(one, one.fex.smooth("savgol", seconds=1), ["AU25", "Pitch"])

# %%
# `resample` to a lower rate averages first, so that fast changes go instead of turning up as slow ones.

picture = compare(one, one.fex.resample(fps=2), ["AU25", "Pitch"])

# %%
# `bin` reduces stretches of time: here to the largest value in each second.

picture = compare(one, one.fex.bin(1.0, stat="max"), ["AU12", "AU25"])

# %%
# What was done stays with the data, also in a saved store.

holed.fex.interpolate(0.3).fex.steps()
