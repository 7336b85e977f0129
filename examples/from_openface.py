"""
From OpenFace
=============

Files of OpenFace 2 become the same Dataset as everything else. One is made up here, of two seconds in which a face
smiles and is lost for a while.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

import facearray as fa

# %%
# OpenFace goes on to write its last values when it has lost the face; ``success`` and ``confidence`` tell.

n = 60
frame = np.arange(n)
lost = (frame >= 30) & (frame < 40)
table = pd.DataFrame(
    {
        "frame": frame + 1,
        "face_id": 0,
        "timestamp": (frame / 30).round(3),
        "confidence": np.where(lost, 0.1, 0.98),
        "success": np.where(lost, 0, 1),
        "pose_Tx": 1.0,
        "pose_Ty": 2.0,
        "pose_Tz": 600.0,
        "pose_Rx": 0.1,
        "pose_Ry": -0.05,
        "pose_Rz": 0.0,
    }
)
units = "01 02 04 05 06 07 09 10 12 14 15 17 20 23 25 26 45".split()
table = table.assign(**{f"AU{unit}_r": 0.0 for unit in units}, **{f"AU{unit}_c": 0.0 for unit in (*units, "28")})
table["AU06_r"], table["AU12_r"], table["AU12_c"] = frame / 20, frame / 12, 1.0 * (frame > 20)

with tempfile.TemporaryDirectory() as folder:
    table.to_csv(Path(folder, "p01.csv"), index=False)
    ds = fa.read(Path(folder, "p01.csv"))

# %%
# Intensities from 0 to 5 are 0 to 1 here, angles degrees; what has no place in the vocabulary is kept under its own
# name.

print(ds.fex.to_dataframe(layout="wide")[["timestamp", "Pitch", "Yaw", "AU06", "AU12"]].iloc[[0, 29, 59]].round(3))
print("others:", ds.feature.values[ds.group == "other"][:3].tolist())

# %%
# Frames without a face are there, and have no values.

aus = ds.fex.aus.isel(face=0).sel(feature="AU12")
print(f"{ds.sizes['frame']} frames, {int(aus.notnull().sum())} with a face")
print(f"mean of AU12: {aus.mean().item():.3f}; with the repeated values {table.AU12_r.mean() / 5:.3f}")

# %%
# What was converted is written into the attributes:

print(*json.loads(ds.attrs["options"])["conversions"][:4], sep="\n")
