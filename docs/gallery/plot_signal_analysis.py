"""
What faces do over time
=======================

When something happens, what moves together, how fast, and after what.
"""

import holoviews as hv
import numpy as np
import pandas as pd

import facearray as fa

hv.extension("matplotlib")
ds = fa.datasets.good_bad_news()
labels = ds.video.values.tolist()
longest = [labels[i] for i in np.argsort(ds.n_frames.values)[-2:]]

# %%
# `events`: stretches in which the lips are apart, as bands behind their time course.

table = ds.fex.events("AU25", high=0.5, low=0.3)
bands = table.rename(columns={"onset": "start", "offset": "end", "feature": "label"})
one = ds.fex.annotate(bands, name="event").isel(video=[0])
picture = one.fex.plot.timeseries("AU25", intervals="event")

# %%
# `smiles`: episodes in which AU06 and AU12 are high at the same time, by their duration and height.

episodes = ds.fex.smiles(min_duration=0.2)
picture = hv.Scatter(episodes, "duration", "amplitude").opts(xlabel="duration (s)", title="AU06+AU12")

# %%
# `cooccurrence_network`: the pairs of action units that are active together most often.

edges = ds.fex.cooccurrence("aus").fex.cooccurrence_network(least=0.3).head(12)
pairs = edges.assign(pair=edges.feature + " " + edges.feature_other)
picture = hv.Bars(pairs, "pair", "weight").opts(xrotation=60, ylabel="frames with both / with either", xlabel="")

# %%
# `synchrony` of two recordings, at lags of up to 0.4 s.

found = ds.fex.synchrony("AU12", window=0.8, step=0.16, max_lag=0.4, pairs=[longest])
picture = hv.Curve((found.lag.values, found.z.values[0]), "lag (s)", "mean |z|").opts(title=str(found.dyad.values[0]))

# %%
# `align`: the mean time courses of all clips around an event in each, here its middle.

middles = pd.DataFrame({"video": labels, "onset": [float(t) for t in ds.timestamp.max("frame") / 2]})
aligned = ds.fex.align(middles, before=0.4, after=0.4, features="AU06,AU12")
mean = aligned.features.mean(["video", "trial", "face"])
curves = [
    hv.Curve((mean.time.values, mean.sel(feature=n).values), "time (s)", "mean", label=n) for n in ("AU06", "AU12")
]
picture = hv.Overlay(curves).opts(legend_position="right")

# %%
# `to_grid`: the same feature at steps of 0.2 s, as a scanner with such volumes would see it, and its response.

scans = ds.sel(video=longest[1:]).fex.to_grid(0.0, 0.2, 12, features="AU12", hrf="spm", outside=0.0)
picture = hv.Curve((scans.timestamp.values[0], scans.features.values.ravel()), "time (s)", "AU12, convolved")

# %%
# `decompose`: the loadings of two principal components of the action units.

parts = ds.fex.decompose("aus", n_components=2)
rows = parts.components.to_series().rename("loading").reset_index()
picture = hv.Bars(rows.astype({"feature": str, "component": str}), ["feature", "component"], "loading")
picture = picture.opts(xrotation=90, fig_inches=8, aspect=3, title="loadings")

# %%
# Their scores in each frame.

scores = parts.scores.isel(face=0).stack(sample=("video", "frame")).dropna("sample")
points = (scores.sel(component="PC1").values, scores.sel(component="PC2").values)
picture = hv.Points(points, ["PC1", "PC2"]).opts(alpha=0.4)

# %%
# `distance` between the mean action units of all clips.

far = ds.fex.distance("aus").distance.isel(face=0)
picture = hv.Image((np.arange(len(labels)), np.arange(len(labels)), far.values), ["clip", "other clip"], "distance")
picture = picture.opts(colorbar=True, cmap="viridis")

# %%
# `spectrum`: how fast lips part, on average over clips.

power = ds.fex.spectrum("AU25", window=1.0).power.mean(["video", "face"]).squeeze()
picture = hv.Curve((power.frequency.values, power.values), "frequency (Hz)", "power (1/Hz)")

# %%
# `multi_wavelet`: which frequencies there are when, in one clip.

waves = ds.sel(video=longest[1:]).fex.multi_wavelet(np.arange(2, 6.1, 0.25), "AU25", part="amplitude", n_cycles=2)
image = waves.features.squeeze().dropna("frame").transpose("frequency", "frame")
picture = hv.Image((image.frame.values / 12.5, image.frequency.values, image.values), ["time (s)", "Hz"], "amplitude")
picture = picture.opts(colorbar=True, cmap="viridis")

# %%
# `boft`: how many movements of which size there are, at two speeds.

counts = ds.fex.boft("AU25", frequencies=[2.0, 4.0], n_cycles=2)["count"].sum(["video", "face", "direction"]).squeeze()
rows = counts.assign_coords(size=counts["size"].round(3)).to_series().rename("half waves").reset_index()
picture = hv.Bars(rows.astype({"frequency": str, "size": str}), ["size", "frequency"], "half waves").opts(xrotation=60)
