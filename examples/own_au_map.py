"""
An own map to action units
==========================

A lab that coded frames can fit action units of its own to them. Here the action units of py-feat's network in 20
clips of one speaker stand for the codes.
"""

import tempfile
from pathlib import Path

import xarray as xr

import facearray as fa

ds = fa.datasets.good_bad_news()
coded = ds.fex.aus.sel(feature=["AU06", "AU12", "AU25"])

# %%
# Fitted to the mesh and blendshapes of the coded frames. The scores are of clips that were left out, since
# neighbouring frames are near copies of one another; for other *people*, leave out people: ``groups="person"``.

own = fa.models.AUMap.fit(ds, coded, groups="video", n_components=10, cv=5)
print(own.scores[["r", "r_within", "mae"]].to_dataframe().round(2).to_string())

picture = fa.plot.bars(own.scores.r, title="clips that were left out", ylabel="r")

# %%
# The package's table, which was fitted to nothing, on the same frames:

table = ds.fex.action_units().features.sel(feature=coded.feature)
print(xr.corr(table, coded, ["video", "frame", "face"]).to_series().rename("r").round(2).to_string())

# %%
# Saved and used by its path; with a plain name it is kept in the user's folder and found from everywhere.

with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "lab.npz")
    own.save(path)
    mapped = fa.models.action_units(ds, map=path)
print(mapped.fex.summarize("mean", by="condition").fex.to_dataframe().round(2).to_string(index=False))
