"""Time courses of single frequencies."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, get_args

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.signal._apply import Frames, Output, Result, map_videos
from facearray.signal._checks import Problems
from facearray.signal._even import even_rates, on_places
from facearray.signal._measurements import with_unit
from facearray.signal._steps import recorded
from facearray.signal._videos import chosen_positions
from facearray.signal.kernels.rhythms import morlet, width

__all__ = ["checked", "multi_wavelet", "wavelet"]

Part = Literal["power", "amplitude", "phase", "filtered"]

_PARTS: dict[str, Callable[[NDArray[np.complex128]], NDArray[np.float64]]] = {
    "power": lambda w: np.abs(w) ** 2,
    "amplitude": np.abs,
    "phase": np.angle,
    "filtered": np.real,
}

#: Units of those that are not in that of the feature.
_UNITS: dict[str, str | Callable[[str], str]] = {
    "power": lambda unit: f"{unit}²" if unit else "",
    "phase": "radian",
}


@recorded
def wavelet(
    ds: xr.Dataset,
    frequency: float,
    features: str | Iterable[str] = "aus",
    *,
    n_cycles: float = 3.0,
    part: Part = "power",
    min_valid: float = 0.9,
) -> xr.Dataset:
    """Follow one frequency through time, with a complex Morlet wavelet.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature); frames of a video have to be evenly spaced, but videos may
        have different rates.
    frequency
        In Hz, not above half of the frame rate.
    features
        Groups and names, as for `facearray.selectors.select`.
    n_cycles
        Cycles of the wavelet in 2 pi standard deviations of its envelope. More tell neighbouring frequencies better
        apart, and moments worse: the standard deviations are `n_cycles` / (2 pi `frequency`) seconds and `frequency` /
        `n_cycles` Hz.
    part
        ``"amplitude"``, in the unit of the feature, of a wave of that frequency; ``"power"``, its square; ``"phase"``
        in radians; ``"filtered"``, the wave itself.
    min_valid
        Smallest share of a wavelet's weight that falls on values; NaN at the ends of videos and beside gaps, where it
        is less.

    Returns
    -------
    xarray.Dataset
        ``ds`` with these features only, their parts for values, and the ``unit`` of these. Landmarks and embeddings are
        left out.

    Raises
    ------
    InputError
        If a name or option cannot be used, the frequency is above half of a frame rate, the wavelet is longer than
        every video, or frames are not evenly spaced.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    References
    ----------
    Tallon-Baudry, C. & Bertrand, O. (1999). Oscillatory gamma activity in humans and its role in object representation.
    Trends in Cognitive Sciences 3, 151-162.

    Examples
    --------
    >>> dims, t = ("video", "frame"), np.arange(200)[None] / 20
    >>> nod = 3 * np.sin(2 * np.pi * t)
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), nod[..., None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["Pitch"],
    ...         "frame_number": (dims, np.arange(200)[None]),
    ...         "timestamp": (dims, t),
    ...     },
    ... )
    >>> found = wavelet(ds, 1.0, "Pitch", part="amplitude")
    >>> round(found.features.isel(frame=100).item(), 2)
    3.0
    """
    chosen = checked(ds, [frequency], features, n_cycles, min_valid, part)

    def of_video(frames: Frames) -> Result:
        return (_PARTS[part](_waves(frames, chosen, frequency, n_cycles, min_valid)),)

    dims = ("frame", "face", "feature")
    (values,) = map_videos(ds, of_video, [Output(dims, ds["features"].dtype)], sizes={"feature": len(chosen)})
    result = ds.drop_vars([name for name in ds.data_vars if name != "features"]).isel(feature=chosen)
    result = result.drop_dims([str(d) for d in result.dims if d not in ("video", *dims)]).assign(features=values)
    return _in_unit(result, part)


@recorded
def multi_wavelet(
    ds: xr.Dataset,
    frequencies: Sequence[float],
    features: str | Iterable[str] = "aus",
    *,
    n_cycles: float = 3.0,
    part: Part = "power",
    min_valid: float = 0.9,
) -> xr.Dataset:
    """Follow several frequencies through time, as `wavelet` does one.

    Parameters
    ----------
    ds, features, n_cycles, part, min_valid
        As for `wavelet`.
    frequencies
        In Hz.

    Returns
    -------
    xarray.Dataset
        As from `wavelet`, with a dim ``frequency`` behind the others.

    Raises
    ------
    InputError, SchemaError
        As from `wavelet`.

    Examples
    --------
    >>> dims, t = ("video", "frame"), np.arange(200)[None] / 20
    >>> nod = 3 * np.sin(2 * np.pi * t)
    >>> ds = xr.Dataset(
    ...     {"features": ((*dims, "face", "feature"), nod[..., None, None])},
    ...     coords={
    ...         "video": ["a"],
    ...         "feature": ["Pitch"],
    ...         "frame_number": (dims, np.arange(200)[None]),
    ...         "timestamp": (dims, t),
    ...     },
    ... )
    >>> multi_wavelet(ds, [0.5, 1, 2], "Pitch").features.isel(frame=100).squeeze().idxmax("frequency").item()
    1.0
    """
    wanted = [float(frequency) for frequency in frequencies]
    chosen = checked(ds, wanted, features, n_cycles, min_valid, part)

    def of_video(frames: Frames) -> Result:
        parts = [_PARTS[part](_waves(frames, chosen, f, n_cycles, min_valid)) for f in wanted]
        return (np.stack(parts, axis=2),)

    dims = ("frame", "face", "feature", "frequency")
    sizes = {"feature": len(chosen), "frequency": len(wanted)}
    (values,) = map_videos(ds, of_video, [Output(dims, ds["features"].dtype)], sizes=sizes)
    result = ds.drop_vars(list(ds.data_vars)).isel(feature=chosen)
    result = result.drop_dims([str(d) for d in result.dims if d not in ("video", *dims)])
    result = result.assign(features=values).assign_coords(frequency=("frequency", wanted, {"units": "Hz"}))
    return _in_unit(result, part)


def checked(
    ds: xr.Dataset,
    frequencies: Sequence[float],
    features: str | Iterable[str],
    n_cycles: float,
    min_valid: float,
    part: str,
) -> NDArray[np.intp]:
    """Find the positions of features, if all arguments can be used.

    Raises
    ------
    InputError
        About those that cannot.
    """
    problems = Problems()
    problems.one_of("part", part, get_args(Part))
    problems.positive(n_cycles=n_cycles)
    for frequency in frequencies:
        problems.positive(frequency=frequency)
    if not len(frequencies):
        problems.add("found no frequency; expected one or more, in Hz")
    if not 0 < min_valid <= 1:
        problems.add(f"found min_valid={min_valid!r}; expected a share above 0, up to 1")
    problems.raise_if_any()
    even = even_rates(ds)
    even.check_frequencies(*frequencies)
    even.check_length("wavelet", width(min(frequencies), n_cycles), "use a higher frequency, or fewer cycles")
    return chosen_positions(ds, features)


def _in_unit(result: xr.Dataset, part: Part) -> xr.Dataset:
    return with_unit(result, None, _UNITS[part]) if part in _UNITS else result


def _waves(
    frames: Frames, chosen: NDArray[np.intp], frequency: float, n_cycles: float, min_valid: float
) -> NDArray[np.complex128]:
    x, found = on_places(frames, frames.data["features"][:, chosen])
    if len(frames.times) < 2:
        return np.full(x.shape, np.nan, dtype=np.complex128)
    return morlet(x, found.step, frequency, n_cycles, min_valid)[..., found.places]
