"""
Good news, bad news: a whole study
==================================

A published analysis from the recordings to the figures: how a face looks while it gives good and bad news (Watson &
Johnston 2020). It follows "Running a full analysis" of py-feat's documentation step by step; the last section says
what is computed differently here, with both numbers side by side.

``make example`` runs it and puts its pictures into ``build/examples/good_bad_news``. It starts from the detections
of py-feat, which are small; ``python examples/good_bad_news.py --videos`` fetches the clips themselves and detects
the faces in them.
"""

import os
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import facearray as fa

VIDEOS = "--videos" in sys.argv
FOLDER = Path(os.environ.get("EXAMPLES_FOLDER", "build/examples")) / "good_bad_news"
FOLDER.mkdir(parents=True, exist_ok=True)


def keep(picture, name):
    """Write a picture into the folder, and hand it back."""
    fa.plot.save(picture, FOLDER / name)
    return picture


# %%
# The recordings
# --------------
# 20 clips of one speaker. `detect` shows how far it is, writes clip by clip into a store, and skips what is done
# already: run again after an interruption, it goes on.

if VIDEOS:
    paths, _ = fa.datasets.good_bad_news("videos")
    ds = fa.detect(paths, FOLDER / "clips.zarr", every=2)
else:
    # They come with the study's table; here it is joined below.
    ds = fa.datasets.good_bad_news().drop_vars(["condition", "phraseN", "phrase_txt"])

n_frames = ds.n_frames.astype(int)
print(f"{ds.sizes['video']} videos, {n_frames.sum().item()} frames, {n_frames.mean().item():.2f} a video on average")

# %%
# The study's table has a row for each of its 300 clips. Those of other clips are ignored; a clip without a row would
# be an error that names it.

clips = pd.read_csv(fa.assets.path("good_bad_news/clip_attrs.csv"), dtype={"clipN": str})
clips = clips.assign(
    input=clips["clipN"] + ".mp4",
    condition=clips["class"].map({"gn": "goodNews", "ists": "badNews"}),
)
ds = ds.fex.join(clips[["input", "condition", "phrase_txt"]], key="input")
print(pd.crosstab(ds.condition.values, "videos").videos.rename_axis("condition").to_string())

# %%
# A row a frame and feature, where a table is wanted. Nothing else needs one: everything below works on names.

rows = ds.fex.select("happiness,AU12,Yaw").sel(video="001.mp4").fex.to_dataframe()
print(rows[["timestamp", "feature", "value"]].head(6))

# %%
# Are faces lost in one condition more than in the other? Then everything below would be about other frames.

print(fa.stats.describe(ds.fex.missingness("condition")))

# %%
# What a video looks like
# -----------------------
# Means over the frames of each video, with their spread. Every video keeps its coordinates.

by_video = ds.fex.summarize(("mean", "std", "min", "max"), by="video")
table = by_video.fex.to_dataframe().set_index("video")
print(table[["condition", "mean_AU12", "std_AU12", "min_AU12", "max_AU12"]].head().round(3).to_string())

picture = keep(
    by_video.fex.plot.bars(features="aus", video="001.mp4", title="001.mp4", ylabel="mean intensity"), "video_001.png"
)

# %%
# Conditions
# ----------
# The standard error is that of the ten videos of a condition. Frames of one video resemble one another and are not
# counted as if each were a new observation.

summary = ds.fex.summarize(("mean", "sem"), by="condition")
three = ["AU06", "AU12", "AU25"]
columns = [f"{statistic}_{au}" for au in three for statistic in ("mean", "sem")]
print(summary.fex.to_dataframe().set_index("condition")[columns].round(3).to_string())

picture = keep(
    summary.fex.plot.bars(features=three, group="condition", error="sem", hline=0.5, ylabel="mean ± SEM"),
    "au_diffs.pdf",
)

# %%
# Good against bad news, every action unit
# ----------------------------------------
# Each action unit is regressed on the condition, coded as 1 and -1; a beta is half the difference of the means. The
# family of the corrections are the 20 action units. The intercept is not tested.

contrasts = {"condition": {"goodNews": 1, "badNews": -1}}
fits = {
    name: ds.fex.regress("condition", y="aus", contrasts=contrasts, correction=name).isel(face=0).sel(term="condition")
    for name in ("bonferroni", "holm", "fdr_bh")
}
effects = pd.DataFrame({name: fits["holm"][name].to_series() for name in ("beta", "se", "t", "p")})
effects = effects.assign(**{name: fit.p_adjusted.to_series() for name, fit in fits.items()})
print(effects.to_string(float_format="{:.2g}".format))

# %%
# Dark bars: significant at .01 after Bonferroni's correction.

result = ds.fex.regress("condition", y="aus", contrasts=contrasts, correction="bonferroni")
picture = keep(result.fex.plot.coefficients(alpha=0.01, error="se", ylabel="beta ± SE"), "regression.pdf")

# %%
# How many that are, by each correction:

print((effects[["p", *fits]] < 0.01).sum().rename("AUs below .01").to_string())

# %%
# Which news was it?
# ------------------
# A linear discriminant analysis predicts the condition of videos that it has not seen, from five sets of features, in
# ten folds. p is the share of permutations of the conditions that are predicted as well; p_adjusted takes into
# account that the best of five sets is looked at.

sets = {
    "Emotions": "emotions",
    "Pose": "poses",
    "AUs": "aus",
    "Emotions + Pose": "emotions,poses",
    "AUs + Pose": "aus,poses",
}
model = make_pipeline(StandardScaler(), LinearDiscriminantAnalysis())
decoded = ds.fex.decode("condition", X=sets, model=model, cv=10, permutations=1000)
scores = {
    "accuracy": decoded.scores.mean("fold"),
    "chance": decoded.chance,
    "p": decoded.p_value,
    "p_adjusted": decoded.p_adjusted,
}
print(pd.DataFrame({name: values.to_series() for name, values in scores.items()}).round(3).to_string())

picture = keep(decoded.plot(), "decoding.pdf")

# %%
# A classifier for use elsewhere is the one that was fitted to all videos: ``decoded.model["AUs"]``, or
# ``decoded.predict(other)``.
#
# What the decoder says about the face
# ------------------------------------
# A decoder's weights say how to tell the conditions apart, and that includes cancelling what action units have in
# common. Its activation pattern says how the face changes with the decision (Haufe et al. 2014). Only that can be
# drawn as a face. How many of their signs agree with the difference of the means:

weights, pattern = (a.sel(feature_set="AUs").dropna("feature") for a in (decoded.coef, decoded.pattern))
means = summary["mean"].sel(feature=pattern.feature.values).squeeze("face")
difference = means.sel(condition="goodNews") - means.sel(condition="badNews")
signs = {"weights": weights, "pattern": pattern}
agreeing = {name: int((np.sign(values) == np.sign(difference)).sum()) for name, values in signs.items()}
print(pd.Series(agreeing, name="of 20 signs").to_string())

# %%
# Both as bars, each in units of its largest:

shares = {name: (values / np.abs(values).max()).to_series() for name, values in signs.items()}
shares["difference of means"] = (difference / np.abs(difference).max()).to_series()
shares = pd.DataFrame(shares).rename_axis(columns="kind").T.stack().to_xarray().rename("share of the largest")
picture = keep(fa.plot.bars(shares, group="kind", title="AUs"), "weights_and_pattern.png")

# %%
# The pattern as a face: what changes from bad to good news. Differences below zero are only coloured, since no muscle
# contracts less than not at all.

picture = keep(decoded.plot.face(feature_set="AUs", title="activation pattern"), "face_pattern.png")

# %%
# The weights of the same model drawn in the same way are no face: the lips do not smile and the jaw falls, because a
# weight says how to combine action units, also to cancel what they share. The heading says so, too.

picture = keep(decoded.plot.face(feature_set="AUs", what="weights"), "face_weights.png")

# %%
# From a face at rest to the pattern, in units of its largest, and back:

picture = FOLDER / "face_pattern.gif"
towards_good = pattern / np.abs(pattern).max()
faces = fa.plot.animate_face("neutral", towards_good, fps=8, duration=0.75, save=picture, title="towards good news")

# %%
# Which clips move alike
# ----------------------
# Happiness of every clip is correlated with that of every other, at the same second. Clips that move alike are put
# next to each other; the axes say of which condition they are.

pairs = ds.fex.isc("happiness", null="circular_shift")
picture = keep(pairs.fex.plot.isc(label="condition", linkage="complete", title="happiness"), "isc.pdf")
print(fa.stats.describe(pairs))

# %%
# The null shifts every clip in time by a length of its own, which keeps what makes neighbouring frames alike. Do
# clips of one condition have more in common than those of different ones? There are 190 pairs and 20 clips: the
# conditions are dealt out to the clips anew, in all 184,756 ways.

alike = pairs.fex.isc_difference("condition")
print(alike[["difference", "p"]].to_dataframe()[["difference", "p"]].round(3).to_string())

ordered = pairs.sortby("condition").sortby("condition_other")
picture = keep(
    ordered.fex.plot.isc(label="condition", linkage=None, title="happiness, by condition"), "isc_by_condition.png"
)

# %%
# What the original tutorial did differently
# ------------------------------------------
# The analysis above is the same but for these numbers. The original took
#
# - the standard error over pooled frames, as if the frames of a video were independent;
# - p / n for Bonferroni's correction, which is n p;
# - the decoder's weights for the face that it looks at;
# - for correlations, whatever frames two clips share, without saying how many, and no null. The p that is usually given
#   with a correlation takes frames for independent.

pooled = ds.fex.select(three).fex.to_dataframe(layout="wide").groupby("condition")
first, other = np.triu_indices(ds.sizes["video"], 1)
r, n, p = (pairs[name].values[first, other] for name in ("r", "n", "p"))
textbook = 2 * stats.t.sf(np.abs(r) * np.sqrt((n - 2) / (1 - r**2)), n - 2)
of_all = ds.fex.isc("happiness", null="circular_shift", correction="max_r").p_adjusted.values[first, other]
sem = summary["sem"].sel(condition="goodNews", feature="AU06").item()
mean = summary["mean"].sel(condition="badNews", feature="AU12").item()
numbers = {
    "SEM of AU06, good news": (f"{pooled.AU06.sem()['goodNews']:.3f}", f"{sem:.3f}"),
    "mean of AU12, bad news": (f"{pooled.AU12.mean()['badNews']:.3f}", f"{mean:.3f}"),
    "AUs with corrected p < .01": (sum(effects.p / 20 < 0.01), sum(effects.bonferroni < 0.01)),
    "signs of 20 in the face": (agreeing["weights"], agreeing["pattern"]),
    "pairs of 190 with p < .05": (sum(textbook < 0.05), sum(p < 0.05)),
    "... corrected for 190 pairs": ("none", sum(of_all < 0.05)),
    "frames behind a correlation": ("not said", f"{n.min()} to {n.max()}"),
}
print(pd.DataFrame(numbers, index=["original", "here"]).T.to_string())

# %%
# References
# ----------
# Haufe, S., et al. (2014). On the interpretation of weight vectors of linear models in multivariate neuroimaging.
# NeuroImage, 87, 96-110.
#
# Watson, D. M., & Johnston, A. (2020). A data-driven characterisation of natural facial expressions when giving good
# and bad news. PLOS Computational Biology, 16(10), e1008335.
