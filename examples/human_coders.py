"""
Agreement with people who coded the videos
==========================================

Before a detector replaces coders, its codes are compared with theirs on some videos, and theirs with each other.
The codes of two coders are made up here; `facearray.read_annotations` reads those of ELAN, BORIS and The Observer.
"""

import numpy as np
import pandas as pd

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# Two coders marked from when to when lips part (AU25) and corners are pulled (AU12): a little early or late, and Bob
# overlooked some.

rng = np.random.default_rng(5)
seen = ds.fex.events("AU12,AU25", high=0.6, low=0.4, min_duration=0.25, merge=0.25)
ends = dict(zip(ds.video.values.tolist(), ds.timestamp.max("frame").values.tolist(), strict=True))


def codes(coder, shift, missed):
    """Make what a coder would have marked."""
    table = seen[rng.random(len(seen)) >= missed]
    start = (table.onset + rng.uniform(-shift, shift, len(table))).clip(lower=0)
    end = np.minimum(table.offset + rng.uniform(-shift, shift, len(table)), table.video.map(ends))
    return pd.DataFrame({"video": table.video, "start": start, "end": end, "label": table.feature, "coder": coder})


table = pd.concat([codes("ann", 0.05, 0.0), codes("bob", 0.12, 0.2)])
print(table.head(4).round(2).to_string(index=False))

# %%
# Frames in which a feature is above the threshold are compared with frames that a coder marked. How well coders agree
# with each other is what a detector can reach.

found = ds.fex.agreement(table, threshold=0.5, rater="coder")
columns = ["f1", "kappa", "prevalence", "n"]
print(found[columns].to_dataframe()[columns].round(2).to_string())
between = found.kappa_raters.sel(rater="ann", rater_other="bob").to_dataframe()
print(between[["kappa_raters"]].round(2).to_string())

picture = fa.plot.bars(found.kappa, group="rater", ylabel="kappa of detector and coder")

# %%
# Which threshold agrees best with Ann is a choice made on these videos; report it on others.

thresholds = [0.2, 0.35, 0.5, 0.65, 0.8]
by_threshold = {t: ds.fex.agreement(table, threshold=t, rater="coder").kappa.sel(rater="ann") for t in thresholds}
print(pd.DataFrame({t: kappa.to_series() for t, kappa in by_threshold.items()}).round(2).to_string())
