"""
From py-feat
============

The same files, with pandas as in py-feat's tutorials and with names. :doc:`/migrating` has a table of all methods.
"""

import json
import tempfile
from pathlib import Path

import pandas as pd

import facearray as fa

paths = [fa.assets.path(f"good_bad_news/{i:03}.csv") for i in range(1, 6)]

# %%
# py-feat reads one table a video, and puts them below each other.

fex = pd.concat({f"{path.stem}.mp4": pd.read_csv(path) for path in paths}, names=["video"])
print(fex.shape)
print(fex.groupby("video")[["AU06", "AU12"]].mean().round(3).to_string())

# %%
# Here they are read at once. The rate is the one that the column ``frame`` counts; the files hold every second frame.

ds = fa.read(paths, fps=25)
print(dict(ds.sizes))
print(ds.fex.summarize(by="video", features="AU06,AU12")["mean"].isel(face=0).to_pandas().round(3).to_string())

# %%
# What was converted on the way is kept with the data:

print(*json.loads(ds.attrs["options"])["conversions"][:3], sep="\n")

# %%
# Angles are degrees, and yaw is positive to the image's right, whatever the tool.

both = {"file": fex.loc["001.mp4", "Yaw"].iloc[:3].values, "here": ds.fex.select("Yaw")[0, :3, 0, 0].values}
print(pd.DataFrame(both).round(3).to_string(index=False))

# %%
# Back again: `read_feat` of py-feat reads what is exported, and so does this.

with tempfile.TemporaryDirectory() as folder:
    path = fa.export(ds, Path(folder, "back.csv"))
    back = pd.read_csv(path)
    print(back.columns[:5].tolist(), back.shape)
    again = fa.read(path, source="pyfeat", fps=25)
print("the same numbers:", bool((again.fex.aus == ds.fex.aus).sum() == ds.fex.aus.notnull().sum()))
