"""
What faces do over time
=======================

When something happens, what moves together, how fast, and after what: in the sample video of 20 seconds, and others
where several are compared.
"""

import holoviews as hv
import numpy as np
import xarray as xr

import facearray as fa

hv.extension("matplotlib")
names = ("wolfgang", "single_face", "face_noface", "no_face")
ds = fa.detect({name: fa.datasets.sample_video(name) for name in names}, "samples.zarr", progress=False)
ds = ds.drop_vars("landmarks").load()
one = ds.sel(video=["wolfgang"]).isel(frame=slice(0, int(ds.n_frames.sel(video="wolfgang"))))
seconds = one.timestamp.values[0]


def curves(parts, xlabel, ylabel, level=None):
    """A line for each pair of x and y, and a dashed one at a level."""
    lines = [hv.Curve(xy, xlabel, ylabel, label=label) for label, xy in parts.items()]
    dashed = [] if level is None else [hv.HLine(level).opts(color="#767676", linestyle="--")]
    return hv.Overlay([*lines, *dashed]).opts(
        fig_inches=7, aspect=2.5, legend_position="right", show_legend=len(lines) > 1
    )


def image(x, y, values, labels):
    """Values (y, x) as colours."""
    return hv.Image((x, y, values), labels[:2], labels[2]).opts(colorbar=True, cmap="cividis", fig_inches=6, aspect=1.6)


# %%
# `events`: stretches in which the lips are apart, as bands behind their time course.

table = one.fex.events("AU25", high=0.5, low=0.3, min_duration=0.2)
bands = table.rename(columns={"onset": "start", "offset": "end", "feature": "label"})
picture = one.fex.annotate(bands, name="event").fex.plot.timeseries("AU25", intervals="event")

# %%
# `smiles`: episodes in which AU06 and AU12 are high at the same time.

episodes = one.fex.smiles()
bands = episodes.rename(columns={"onset": "start", "offset": "end", "feature": "label"})
picture = one.fex.annotate(bands, name="episode").fex.plot.timeseries("AU06,AU12", intervals="episode")

# %%
# `blinks` needs 25 frames a second, which one of the sample videos has: its lids, and the limit that a blink reaches.

lids = ds.sel(video=["single_face"])
counted = lids.fex.blinks(feature="eyeBlinkLeft", high=0.4, low=0.2)
course = lids.features.sel(feature="eyeBlinkLeft").values.ravel()
picture = curves({"": (lids.timestamp.values[0], course)}, "time (s)", "eyeBlinkLeft", level=0.4).opts(
    title=f"blinks: {counted.n.item()} in {counted.seconds.item():.1f} s", ylim=(0, 1)
)

# %%
# `cooccurrence`: of the frames in which at least one of two action units is active, the share in which both are.

picture = one.fex.plot.cooccurrence("aus", threshold=0.3)

# %%
# `cooccurrence_network`: the pairs that are active together most often.

edges = one.fex.cooccurrence("aus", threshold=0.3).fex.cooccurrence_network(least=0.3).head(12)
pairs = edges.assign(pair=edges.feature + " " + edges.feature_other)
picture = hv.Bars(pairs, "pair", "weight").opts(
    xrotation=60, ylabel="frames with both / with either", xlabel="", fig_inches=7, aspect=2
)

# %%
# `asymmetry`: by how much the left corner of the mouth is pulled further than the right one. Left is the person's own.

sides = one.fex.asymmetry("mouthSmile", mirrored=False).features.squeeze()
picture = curves({"": (seconds, sides.values)}, "time (s)", "mouthSmile, left less right", level=0)

# %%
# `synchrony`: the sample videos have one face each, so that a second one was made here that does the same 0.5 s later,
# and as much of its own. The first one leads: the correlation is strongest where the second is later by 0.5 s.

first = one.drop_vars("track_id")
second = first.assign(features=0.5 * first.features.shift(frame=12) + 0.5 * first.features[:, ::-1].values)
both = xr.concat([first, second], "face", coords="minimal", compat="override")
found = both.fex.synchrony("AU12", window=1.5, max_lag=1, null="segment_shuffle")
picture = curves({"": (found.lag.values, found.z.values[0])}, "lag of the second person (s)", "mean |z|").opts(
    title=f"p = {found.p_max.item():.3f}, lead of the first = {found['lead'].item():.2f}"
)

# %%
# `align`: the mean time courses around the onsets of AU12 in all sample videos, which have different frame rates.

onsets = ds.fex.events("AU12")[["video", "onset"]]
onsets = onsets[onsets.onset > 0]
aligned = ds.fex.align(onsets, before=0.5, after=1, features="AU06,AU12,AU25", rate=12)
mean = aligned.features.mean(["video", "trial", "face"])
picture = curves(
    {name: (mean.time.values, mean.sel(feature=name).values) for name in mean.feature.values.tolist()},
    "time from the onset of AU12 (s)",
    f"mean of {len(onsets)} onsets",
)

# %%
# `to_grid`: AU12 at the volumes of a scanner that takes one each second, and convolved with the response of the blood.

volumes = one.fex.to_grid(0.0, 1.0, 20, features="AU12")
response = one.fex.to_grid(0.0, 1.0, 20, features="AU12", hrf="spm", outside=0.0)
picture = curves(
    {
        label: (part.timestamp.values[0], part.features.values.ravel())
        for label, part in {"mean of a volume": volumes, "convolved": response}.items()
    },
    "time (s)",
    "AU12",
)

# %%
# `decompose`: the loadings of two principal components of the action units.

parts = one.fex.decompose("aus", n_components=2)
picture = fa.plot.bars(parts.components, group="component", ylabel="loading", title="principal components")

# %%
# Their scores over time.

scores = parts.scores.squeeze()
picture = curves({name: (seconds, scores.sel(component=name).values) for name in ("PC1", "PC2")}, "time (s)", "score")

# %%
# `distance` between the mean action units of those sample videos that have a face. Two are of the same smile.

seen = ds.sel(video=["wolfgang", "single_face", "face_noface"])
seen = seen.fex.mask(seen.features.sel(feature="FaceScore").isnull()).fex.bin(60.0, min_valid=0)
far = seen.fex.distance("aus").distance.isel(face=0)
ticks = list(enumerate(seen.video.values.tolist()))
picture = image(range(3), range(3), far.values, ["video", "other video", "distance"]).opts(
    xticks=ticks, yticks=ticks, aspect=1.3
)

# %%
# `similarity` of the action units of any two moments: blocks are stretches in which the face stays as it is.

moments = one.fex.bin(0.25)
alike = moments.fex.similarity("aus", between="frame").similarity.squeeze()
middle = moments.timestamp.values[0]
picture = image(middle, middle, alike.values, ["time (s)", "other time (s)", "correlation"]).opts(aspect=1.2)

# %%
# `spectrum`: how fast lips part and their corners are pulled.

power = one.fex.spectrum("AU25,AU12", window=8).power.squeeze()
decibel = 10 * np.log10(power.isel(frequency=slice(1, None)))
picture = curves(
    {name: (decibel.frequency.values, decibel.sel(feature=name).values) for name in ("AU12", "AU25")},
    "frequency (Hz)",
    "power (dB of 1/Hz)",
)

# %%
# `wavelet`: one frequency through time. Its amplitude says when lips move at that speed.

slow = one.fex.wavelet(0.5, "AU25", part="amplitude").features.squeeze()
picture = curves(
    {
        "AU25": (seconds, one.features.sel(feature="AU25").values.ravel()),
        "amplitude at 0.5 Hz": (seconds, slow.values),
    },
    "time (s)",
    "intensity",
)

# %%
# `multi_wavelet`: several frequencies. At the ends less than the length of a wavelet is known.

waves = one.fex.multi_wavelet(np.arange(0.3, 3.01, 0.1), "AU25", part="amplitude").features.squeeze()
picture = image(seconds, waves.frequency.values, waves.values.T, ["time (s)", "frequency (Hz)", "amplitude of AU25"])

# %%
# `boft`: how many movements of which size there are, at three speeds.

counts = one.fex.boft("aus", frequencies=[0.5, 1.0, 2.0])["count"].sum(["video", "face", "direction", "feature"])
counts = counts.assign_coords(
    size=[f"{low:g} to {high:g}" for low, high in zip(counts.size_from.values, counts.size_to.values, strict=True)],
    frequency=[f"{hertz:g} Hz" for hertz in counts.frequency.values],
)
picture = fa.plot.bars(
    counts.rename(size="feature"), group="frequency", ylabel="half waves", title="by the size of the movement"
)
