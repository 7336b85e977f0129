"""How fast faces move: power by frequency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import numpy as np
import xarray as xr

from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._even import even_rates, on_places
from facearray.signal._steps import recorded
from facearray.signal._videos import chosen_positions
from facearray.signal.kernels.rhythms import welch
from facearray.stats.units import label_coordinates

__all__ = ["spectrum"]


@recorded
def spectrum(
    ds: xr.Dataset,
    features: str | Iterable[str] = "aus",
    *,
    window: float,
    overlap: float = 0.5,
    detrend: Literal["constant", "linear"] = "constant",
) -> xr.Dataset:
    """Compute the power spectrum of features in every video (Welch's method).

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature), of one frame rate.
    features
        Groups and names, as for `facearray.selectors.select`.
    window
        Seconds of the windows whose periodograms are averaged; 1 / `window` is the lowest frequency and the distance of
        two.
    overlap
        Share of a window that the next one has, too.
    detrend
        What is taken out of each window: its mean (``"constant"``) or a line (``"linear"``).

    Returns
    -------
    xarray.Dataset
        ``power`` with dims (video, frequency, face, feature), one-sided densities in squared units of the feature by
        Hz, and ``n_windows`` (video, face, feature). ``frequency`` is in Hz. Windows with a missing value or a frame
        that was left out do not count; NaN where none is complete, as in videos that are shorter than a window.

    Raises
    ------
    InputError
        If a name or option cannot be used, no video is as long as a window, frames are not evenly spaced, or videos
        have different rates.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    The sum of the density times the distance of frequencies is the variance, on average; Hann windows. Movements faster
    than half the frame rate appear as slower ones, which nothing here can undo.

    References
    ----------
    Welch, P. D. (1967). The use of fast Fourier transform for the estimation of power spectra. IEEE Transactions on
    Audio and Electroacoustics 15, 70-73.

    Examples
    --------
    >>> dims, t = ("video", "frame"), np.arange(200)[None] / 20
    >>> nod = np.sin(2 * np.pi * 1.5 * t)
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), nod[..., None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["Pitch"],
    ...         "frame_number": (dims, np.arange(200)[None]),
    ...         "timestamp": (dims, t),
    ...     },
    ... )
    >>> spectrum(ds, "Pitch", window=4).power.squeeze().idxmax("frequency").item()
    1.5
    """
    problems = Problems()
    problems.positive(window=window)
    problems.one_of("detrend", detrend, ("constant", "linear"))
    if not 0 <= overlap < 1:
        problems.add(f"found overlap={overlap!r}; expected a share from 0 on, below 1")
    problems.raise_if_any()
    even = even_rates(ds)
    step = even.common_step()
    length = round(window / step)
    if length < 4:
        problems.add(f"found window={window:g} s; expected {4 * step:g} s or more, four frames")
        problems.raise_if_any()
    even.check_length("window", window, "use a shorter window")
    ahead = max(1, round(length * (1 - overlap)))
    chosen = chosen_positions(ds, features)

    def of_video(frames: Frames) -> Result:
        x, found = on_places(frames, frames.data["features"][:, chosen])
        power, n_windows = welch(x, found.step, length, ahead, detrend)
        return np.moveaxis(power, -1, 0), n_windows

    power, n_windows = map_videos(
        ds,
        of_video,
        [Output(("frequency", "face", "feature"), np.float64), Output(("face", "feature"), np.int32, 0)],
        sizes={"frequency": length // 2 + 1, "feature": len(chosen)},
    )
    names = [str(name) for name in ds["feature"].to_numpy()[chosen]]
    coords: dict[Any, Any] = label_coordinates(ds, "video", "face", "feature", features=names)
    coords["frequency"] = ("frequency", np.round(np.fft.rfftfreq(length, step), 9), {"units": "Hz"})
    return xr.Dataset({"power": power, "n_windows": n_windows}, coords, ds.attrs)
