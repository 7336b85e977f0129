"""
Quality before analysis
=======================

Who is in the analysis, and why not the others, is decided before any result is known. 20 clips of good and bad
news, with a head that is turned in some of them.
"""

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# Each clip is held against limits: a preset, of which single ones can be given. What is left after each criterion is
# the flow of exclusions for a paper.

judged = ds.fex.quality("standard", max_angle=12)
print(judged[["n_excluded", "n_left"]].to_dataframe())

# %%
# Who is left out, and by how much:

table = judged[["keep", "detection_rate", "score", "angle"]].isel(face=0).to_dataframe()
print(table.loc[~table.keep, ["detection_rate", "score", "angle"]].round(2).to_string())

picture = ds.fex.plot.quality()

# %%
# Is a condition left with fewer clips than the other?

kept = ds.isel(video=judged.keep.any("face").values)
print(kept.condition.to_series().value_counts().sort_index().to_string())

# %%
# Are faces lost in one condition more than in the other, and how much of the effect may be the pose of the head?

print(fa.stats.describe(kept.fex.missingness("condition")).splitlines()[1])
both = kept.fex.pose_confound(by="condition", features="AU06,AU12,AU25")
print(both.beta.isel(face=0).squeeze("term").to_pandas().round(3).to_string())

# %%
# All of this on one page, without pictures of faces, for whoever looks at the study next:
# ``facearray report study.zarr --by condition``.
