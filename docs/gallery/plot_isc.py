"""
Correlation of time courses
===========================

Which videos move alike, and whether those of one condition do more than those of different ones. :doc:`/isc` says what
is compared with what.
"""

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# Clips whose happiness takes a like course lie next to each other; complete linkage of the distance 1 - r. In a
# notebook hovering shows both clips, r, and the number n of times that they share.

pairs = ds.fex.isc("happiness")
picture = pairs.fex.plot.isc(label="condition", title="happiness")

# %%
# In the order of the conditions: within them are the two squares on the diagonal, between them the rest. Permuting the
# conditions between clips tells whether the squares are brighter than chance would make them.

by_condition = pairs.sortby("condition").sortby("condition_other")
p = pairs.fex.isc_difference("condition").p.sel(contrast="within - between").item()
picture = by_condition.fex.plot.isc(label="condition", linkage=None, title=f"within against between: p = {p:.3f}")

# %%
# The numbers of times that pairs share. With fewer than 30 a correlation says little; nearly all clips are shorter.

picture = pairs.fex.plot.isc(variable="n", label="condition")

# %%
# The mean over the pairs of each condition, and over those of different ones, for every action unit.

means = ds.fex.isc("aus").fex.isc_mean("condition")
with_good = means.r.sel(condition_other="goodNews", drop=True)
picture = fa.plot.bars(with_good, group="condition", ylabel="mean r", title="pairs with a clip of good news")
