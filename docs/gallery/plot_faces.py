"""
Faces
=====

Faces drawn from numbers: what every action unit does, what a person did, and what statistics found.
"""

import facearray as fa

ds = fa.datasets.good_bad_news()

# %%
# Each of the 20 action units alone, in full.

aus = fa.schema.feature_names("aus")
alone = {f"{name} {fa.models.AUS[name].title}": {name: 1} for name in aus}
picture = fa.plot.compare_faces(alone, muscles=None, cols=5)

# %%
# The same from the side.

picture = fa.plot.compare_faces(alone, muscles=None, cols=5, view="3d")

# %%
# And the muscles that make them.

picture = fa.plot.compare_faces(alone, cols=5)

# %%
# A smile on both sides and on either one.

smiles = {
    "both": {"AU12": 1},
    "the subject's left": {"AU12_left": 1},
    "the subject's right": {"AU12_right": 1},
}
picture = fa.plot.compare_faces(smiles, vectorfield="neutral", muscles=None)

# %%
# What a face did on average in either condition.

summary = ds.fex.summarize("mean", by="condition")
picture = fa.plot.compare_faces(summary["mean"].isel(face=0))

# %%
# What differs between the conditions. Increases move the face, decreases are blue.

picture = ds.fex.regress("condition").fex.plot.face(title="good news less bad news")

# %%
# A face that somebody made, as it was found.

frame = ds.isel(video=0, frame=10)
picture = frame.fex.plot.face(variable="landmarks", view=(-25, 0))
