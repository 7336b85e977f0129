"""
Structure and quality
=====================

Which features go together, which videos are alike, and how well faces were found.
"""

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# Of the frames in which at least one of two action units is active, the share in which both are.

picture = ds.fex.plot.cooccurrence("aus", threshold=0.5, linkage="average")

# %%
# Videos whose mean action units are alike lie close together.

picture = ds.fex.plot.embedding("aus", colour="condition")

# %%
# How well faces were found in each video.

picture = ds.fex.plot.quality()

# %%
# The points of a face; over the video's own frame, where its file is at hand.

picture = ds.fex.plot.landmarks(video="001.mp4", image=False)
