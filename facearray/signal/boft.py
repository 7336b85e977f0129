"""How often movements of some size and speed occur."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._even import on_places
from facearray.signal._steps import recorded
from facearray.signal.kernels.rhythms import count_lobes, morlet
from facearray.signal.wavelet import checked
from facearray.stats.units import label_coordinates

__all__ = ["boft"]

#: Sizes of movements, as amplitudes of sine waves. An intensity that jumps between 0 and 1 has 0.64.
EDGES = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8)

#: Hz: from slow changes of expression to a few movements in two seconds.
BANK = tuple(np.geomspace(0.06, 0.66, 8).round(3).tolist())


@recorded
def boft(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    frequencies: Sequence[float] = BANK,
    edges: Sequence[float] = EDGES,
    n_cycles: float = 3.0,
    min_valid: float = 0.9,
) -> xr.Dataset:
    """Describe each video by how many movements of some size and speed are in it (bag of temporal features).

    Time courses pass a bank of filters (`wavelet`, ``part="filtered"``). What comes out goes up and down around 0; each
    half wave is a movement. Its size is that of the sine wave whose half waves have its area, in the unit of the
    feature, whatever the frequency.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of evenly spaced frames.
    features
        Groups and names, as for `facearray.selectors.select`. The bins suit intensities and probabilities.
    frequencies
        Of the filters, in Hz; by default 8 from 0.06 to 0.66. The lowest needs videos of a minute.
    edges
        Of the bins; half waves below the first and from the last on are not counted. By default 0.01 to 0.8: what is
        smaller is noise, and nothing from 0 to 1 is larger than 0.64.
    n_cycles, min_valid
        As for `wavelet`.

    Returns
    -------
    xarray.Dataset
        ``count`` with dims (video, frequency, direction, size, face, feature): half waves, ``direction`` being ``"up"``
        or ``"down"`` from the slower course, ``size`` the middle of the bin (geometric mean of the coordinates
        ``size_from`` and ``size_to``); and ``seconds`` (video, frequency, face, feature), the time that was looked at.

    Raises
    ------
    InputError
        If a name or option cannot be used, a frequency is above half of a frame rate, its wavelet is longer than every
        video, or frames are not evenly spaced.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    References
    ----------
    Bartlett, M. S. et al. (2014). Automatic decoding of facial movements reveals deceptive pain expressions. Current
    Biology 24, 738-743.

    Examples
    --------
    >>> dims, t = ("video", "frame"), np.arange(1500)[None] / 25
    >>> smile = 0.5 + 0.3 * np.sin(2 * np.pi * 0.5 * t)
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), smile[..., None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["AU12"],
    ...         "frame_number": (dims, np.arange(1500)[None]),
    ...         "timestamp": (dims, t),
    ...     },
    ... )
    >>> found = boft(ds, "AU12", frequencies=[0.5])
    >>> found["count"].sel(size=0.28, method="nearest").squeeze().values.tolist()
    [28, 28]
    """
    wanted = [float(frequency) for frequency in frequencies]
    limits = np.asarray(edges, dtype=np.float64)
    problems = Problems()
    if limits.ndim != 1 or len(limits) < 2 or not (np.diff(limits) > 0).all() or not limits[0] > 0:
        problems.add(f"found edges={edges!r}; expected two or more positive numbers in ascending order")
    problems.raise_if_any()
    chosen = checked(ds, wanted, features, n_cycles, min_valid, "filtered")
    n_bins = len(limits) - 1

    def of_video(frames: Frames) -> Result:
        n_faces = len(frames.data["features"])
        count = np.zeros((len(wanted), 2, n_bins, n_faces, len(chosen)))
        seconds = np.zeros((len(wanted), n_faces, len(chosen)))
        for i, frequency in enumerate(wanted):
            x, found = on_places(frames, frames.data["features"][:, chosen])
            if len(frames.times) < 2:
                continue
            waves = morlet(x, found.step, frequency, n_cycles, min_valid).real
            lobes = count_lobes(waves.reshape(-1, waves.shape[-1]), found.step, frequency, limits)
            count[i] = np.moveaxis(lobes.reshape(n_faces, len(chosen), 2, n_bins), (0, 1), (2, 3))
            seconds[i] = (~np.isnan(waves)).sum(axis=-1) * found.step
        return count, seconds

    dims = ("frequency", "direction", "size", "face", "feature")
    count, seconds = map_videos(
        ds,
        of_video,
        [Output(dims, np.int32, 0), Output(("frequency", "face", "feature"), np.float64, 0.0)],
        sizes={"frequency": len(wanted), "direction": 2, "size": n_bins, "feature": len(chosen)},
    )
    names = [str(name) for name in ds["feature"].to_numpy()[chosen]]
    coords: dict[Any, Any] = label_coordinates(ds, "video", "face", "feature", features=names)
    coords |= {
        "frequency": ("frequency", wanted, {"units": "Hz"}),
        "direction": np.array(["up", "down"], dtype=np.dtypes.StringDType()),
        "size": np.sqrt(limits[:-1] * limits[1:]),
        "size_from": ("size", limits[:-1]),
        "size_to": ("size", limits[1:]),
    }
    seconds.attrs["units"] = "s"
    return xr.Dataset({"count": count, "seconds": seconds}, coords, ds.attrs)
