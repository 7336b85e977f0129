"""
Time courses
============

What faces did over time: lines, means of groups, rows of colours, and ways through a plane.
"""

import pandas as pd

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# One video, a line a feature; speaking turns that `annotate` made into a coordinate are bands.

turns = pd.DataFrame({"video": ["001.mp4"] * 2, "start": [0.1, 0.7], "end": [0.6, 1.0], "label": ["ann", "bob"]})
one = ds.fex.annotate(turns, name="speaker").sel(video=["001.mp4"])
picture = one.fex.plot.timeseries("AU06,AU12,AU25,Pitch,Yaw", intervals="speaker")

# %%
# A line a video.

picture = ds.isel(video=slice(5)).fex.plot.timeseries("AU06", lines="video")

# %%
# The mean over the videos of each condition and its 95 % confidence band, as long as there are three videos.

picture = ds.fex.plot.timeseries("AU06,AU12", by="condition")

# %%
# All action units of one video.

picture = ds.sel(video=["001.mp4"]).fex.plot.raster("aus")

# %%
# Where the head points, from the beginning (dark) to the end (light).

picture = ds.sel(video=["016.mp4"]).fex.plot.trajectory("Yaw", "Pitch")
