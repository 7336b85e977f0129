"""
A study in an object store
==========================

Stores live wherever fsspec reaches: replace ``memory://`` by ``s3://bucket/`` (``pip install 'facearray[s3]'``),
``gs://`` or ``az://``. Keys are best left to the environment, where the clients of all stores find them; options
that have to be given go into ``storage_options=``.
"""

import facearray as fa

STORE = "memory://study.zarr"

# %%
# Detections would be written there straight away, ``fa.detect("s3://bucket/recordings/*.mp4",
# "s3://bucket/study.zarr")``, and go on after an interruption like on a disk. Here those of 20 clips are put there.

print(fa.save(fa.datasets.good_bad_news(), STORE))

# %%
# Opening reads labels and coordinates; numbers are read when something needs them.

ds = fa.open_store(STORE)
print(dict(ds.sizes))
print("in memory:", ds.features.variable._in_memory)

# %%
# A summary reads the features of a few videos at a time, and nothing of the landmarks, which are most of the store.

summary = ds.fex.summarize(("mean", "sem"), by="condition", features="AU06,AU12")
print(summary.fex.to_dataframe().round(3).to_string(index=False))

# %%
# One clip's time course is a read of its own chunk.

course = ds.features.sel(video="016.mp4", feature="AU12").isel(face=0)
print(course[:5].values.round(3))
