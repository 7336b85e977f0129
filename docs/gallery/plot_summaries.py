"""
Summaries and effects
=====================

Means with their standard errors, distributions over videos, and what a regression makes of them.
"""

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# A summary; the error bars are standard errors over videos.

summary = ds.fex.summarize(("mean", "sem"), by="condition")
picture = summary.fex.plot.bars(features=["AU06", "AU12", "AU25"], group="condition", error="sem", hline=0.5)

# %%
# Detections are summarized first, and every video is a point.

picture = ds.fex.plot.bars(features="aus", group="condition")

# %%
# One video of a summary by video.

means = ds.fex.summarize(by="video")
picture = means.fex.plot.bars(features="aus", video="001.mp4", title="001.mp4", ylabel="intensity")

# %%
# Boxes from the first to the third quartile, whiskers to the 5 and 95 % quantiles.

picture = ds.fex.plot.distribution(["AU04", "AU06", "AU12", "AU25"], by="condition")

# %%
# A regression: dark bars are significant after the correction.

contrasts = {"condition": {"goodNews": 1, "badNews": -1}}
result = ds.fex.regress("condition", contrasts=contrasts, correction="bonferroni")
picture = result.fex.plot.coefficients(alpha=0.01, error="se")

# %%
# How well the condition is predicted from videos that the model has not seen: a bar a set of features, a point a fold.

from sklearn.discriminant_analysis import LinearDiscriminantAnalysis  # noqa: E402
from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
sets = {"Emotions": "emotions", "Pose": "Pitch,Yaw", "AUs": "aus", "AUs + Pose": "aus,Pitch,Yaw"}
decoded = ds.fex.decode("condition", X=sets, model=model, cv=10, permutations=200)
picture = decoded.plot()

# %%
# What was taken for what.

picture = fa.plot.confusion(decoded, feature_set="AUs")
