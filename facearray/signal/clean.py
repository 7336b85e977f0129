"""Trends, frequencies and confounds taken out of time courses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.errors import unknown_names
from facearray.sampling import sampling
from facearray.signal._apply import Frames, Output, Result, feature_positions, map_videos
from facearray.signal._checks import Problems
from facearray.signal._measurements import with_unit
from facearray.signal._steps import recorded
from facearray.signal._times import check_one, check_videos, known, regular
from facearray.signal.kernels.cleaning import detrend as subtract_trend
from facearray.signal.kernels.cleaning import regress_out
from facearray.signal.kernels.cleaning import standardize as to_z
from facearray.signal.kernels.filters import butterworth, on_grid

__all__ = ["clean"]

Trend = Literal["constant", "linear", "quadratic"]

#: Of the filter, where none is asked for.
ORDER = 4

DEGREES: dict[bool | str, int | None] = {False: None, True: 1, "constant": 0, "linear": 1, "quadratic": 2}


@recorded
def clean(
    ds: xr.Dataset,
    *,
    features: str | Iterable[str] | None = None,
    detrend: bool | Trend = True,
    high_pass: float | None = None,
    low_pass: float | None = None,
    confounds: str | Iterable[str] | None = None,
    series: xr.DataArray | None = None,
    standardize: bool = True,
    order: int | None = None,
) -> xr.Dataset:
    """Clean the time courses of features of trend, frequencies, confounds and scale, in this order.

    Each face of each video is cleaned on its own.

    Parameters
    ----------
    ds
        Detections with dims (video, frame, face, feature).
    features
        Groups and names, as for `facearray.selectors.select`; by default all but the confounds.
    detrend
        1. The polynomial in time that is subtracted: ``"constant"``, ``"linear"`` (True) or ``"quadratic"``; False for
        none. With a trend, the mean of each video goes, too.
    high_pass, low_pass
        2. Cut-offs in Hz of a Butterworth filter, run forwards and backwards so that nothing is delayed: the power at a
        cut-off is a quarter, and slower or faster changes go.
    confounds
        3. What is regressed out, by least squares: groups and names of features, such as ``"poses"``, and names of
        coordinates with dims (video, frame) or (video, frame, face).
    series
        3. Further confounds with dims (video, frame), and possibly ``face`` and one more.
    standardize
        4. Whether each feature is given mean 0 and standard deviation 1 (denominator n - 1).
    order
        Of the filter in one direction, 4 by default.

    Returns
    -------
    xarray.Dataset
        ``ds`` with cleaned ``features``, and an empty ``unit`` of those that are standardized; lazy where ``ds`` is.
        What is missing stays missing: a trend, confounds and the scale are estimated from frames with a value, and the
        filter runs over gaps that are bridged by straight lines. A frame without a value of all confounds has none in
        the result. A feature without any value in a video stays without; one that does not vary has none once it is
        standardized.

    Raises
    ------
    InputError
        If an argument is not what it should be, a name is unknown, a feature is its own confound; if in any video a
        cut-off is not below half of the frame rate, a video is shorter than one period of ``high_pass``, or frames are
        not equally spaced but a filter is asked for. One error is about all of these.
    SchemaError
        If ``ds`` does not follow the schema or has no times.

    Notes
    -----
    Confounds lose the same trend and frequencies before they are regressed out; else the regression would bring back
    what was filtered (Lindquist et al. 2019). Confounds and features are centred for it; the mean that a feature has
    before, which is 0 unless `detrend` is False and there is no high-pass filter, stays.

    References
    ----------
    Lindquist, M. A., Geuter, S., Wager, T. D. & Caffo, B. S. (2019). Modular preprocessing pipelines can reintroduce
    artifacts into fMRI data. Human Brain Mapping 40, 2358-2376.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> ds = random_dataset(0, n_videos=1, n_faces=1, n_frames=4, features=["Yaw", "AU12"])
    >>> ds["timestamp"][:] = np.arange(4) / 25
    >>> ds["features"][0, :, 0] = np.array([[1, 0, 1, 0], [2, 0, np.nan, 1]]).T
    >>> clean(ds, confounds="Yaw", detrend="constant", standardize=False).features.sel(feature="AU12").values.squeeze()
    array([ 0. , -0.5,  nan,  0.5], dtype=float32)
    """
    plan = _make_plan(ds, features, detrend, high_pass, low_pass, confounds, standardize, order)
    others, n_dims = _series(ds, series) if series is not None else ({}, {})
    for name in plan.coordinates:
        others[name] = ds.variables[name].transpose("video", "frame", ...)
        n_dims[name] = "face" in ds.variables[name].dims
    check_videos(ds, plan.complaints)

    def cleaned(frames: Frames) -> Result:
        check_one(frames.video, frames.times, plan.complaints)
        out = frames.data["features"].copy()
        for face in range(len(out)):
            parts = [frames.data["features"][face, plan.confounds]]
            for name, has_face in n_dims.items():
                part = frames.data[name][face] if has_face else frames.data[name]
                parts.append(part.reshape(-1, part.shape[-1]))
            against = np.concatenate([part.astype(np.float64) for part in parts])
            out[face, plan.chosen] = plan.run(out[face, plan.chosen].astype(np.float64), against, frames.times)
        return (out,)

    variable = ds.variables["features"]
    (found,) = map_videos(ds, cleaned, [Output.like(variable)], others=others)
    found.attrs = variable.attrs
    new = ds.assign(features=found)
    return with_unit(new, plan.chosen, "") if standardize else new


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """What is done to each face of each video.

    Attributes
    ----------
    chosen, confounds
        Positions of the features that are cleaned, and of those that are regressed out.
    coordinates
        Names of those that are regressed out.
    degree
        Of the trend; None for none.
    """

    chosen: slice | NDArray[np.intp]
    confounds: NDArray[np.intp]
    coordinates: tuple[str, ...]
    degree: int | None
    high_pass: float | None
    low_pass: float | None
    order: int
    standardize: bool

    @property
    def filters(self) -> bool:
        return self.high_pass is not None or self.low_pass is not None

    def complaints(self, times: NDArray[np.float64]) -> Iterator[str]:
        """Say what is wrong with the times of a video."""
        if not self.filters:
            yield from known(times)
            return
        wrong = list(regular(times))
        if wrong or len(times) < 2:
            yield from wrong or ["found 1 frame; expected several to filter; leave the video out"]
            return
        places = sampling(times)
        rate, lasts = 1 / places.step, places.n_places * places.step
        for name, cut_off in (("high_pass", self.high_pass), ("low_pass", self.low_pass)):
            if cut_off is not None and cut_off >= rate / 2:
                yield (
                    f"found {name}={cut_off:g} Hz at {rate:.4g} frames a second; expected less than {rate / 2:.4g} Hz, "
                    "half of the rate; lower it"
                )
        if self.high_pass is not None and 1 / self.high_pass > lasts * (1 + 1e-6):
            yield (
                f"found high_pass={self.high_pass:g} Hz, a period of {1 / self.high_pass:.3g} s, and a video of "
                f"{lasts:.3g} s; expected a video of at least one period; raise the cut-off, or leave the video out"
            )

    def run(
        self, values: NDArray[np.float64], against: NDArray[np.float64], times: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Clean the features (n, n_frame) of one face, given its confounds (k, n_frame)."""
        found = regress_out(self._steady(values, times), self._steady(against, times))
        return to_z(found) if self.standardize else found

    def _steady(self, values: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
        """Take trend and frequencies out of series (n, n_frame)."""
        if self.degree is not None and len(values):
            values = subtract_trend(values, times, self.degree)
        if self.filters and len(values):
            places = sampling(times)
            values = on_grid(
                values,
                places,
                lambda grid: butterworth(grid, 1 / places.step, self.high_pass, self.low_pass, self.order),
            )
        return values


def _make_plan(
    ds: xr.Dataset,
    features: str | Iterable[str] | None,
    detrend: Any,
    high_pass: float | None,
    low_pass: float | None,
    confounds: str | Iterable[str] | None,
    standardize: Any,
    order: Any,
) -> _Plan:
    problems = Problems()
    problems.positive(high_pass=high_pass, low_pass=low_pass)
    if detrend not in DEGREES:
        problems.add(f"found detrend={detrend!r}; expected True, False, 'constant', 'linear' or 'quadratic'")
    if not isinstance(standardize, bool):
        problems.add(f"found standardize={standardize!r}; expected True or False")
    if order is not None and not (isinstance(order, int) and order > 0):
        problems.add(f"found order={order!r}; expected a whole number above 0")
    if order is not None and high_pass is None and low_pass is None:
        problems.add(f"found order={order!r} without a filter; give high_pass or low_pass, or leave it out")
    problems.raise_if_any()
    if high_pass is not None and low_pass is not None and high_pass >= low_pass:
        problems.add(f"found high_pass={high_pass:g} Hz and low_pass={low_pass:g} Hz; expected the first to be lower")
    chosen = feature_positions(ds, features)
    names = [str(name) for name in ds["feature"].to_numpy()]
    against, coordinates = _confounds(ds, confounds)
    places = np.array([names.index(name) for name in against], dtype=np.intp)
    if chosen is None and len(places):
        if features is not None and set(against) & set(selectors.feature_names(ds, features)):
            problems.add(
                f"found {', '.join(against)} among the features and the confounds; expected them in one of them"
            )
        chosen = np.setdiff1d(np.arange(len(names)), places)
    elif chosen is not None and (both := [names[i] for i in chosen if i in places]):
        problems.add(f"found {', '.join(both)} among the features and the confounds; expected them in one of them")
    problems.raise_if_any()
    return _Plan(
        chosen=slice(None) if chosen is None else chosen,
        confounds=places,
        coordinates=tuple(coordinates),
        degree=DEGREES[detrend],
        high_pass=high_pass,
        low_pass=low_pass,
        order=ORDER if order is None else order,
        standardize=standardize,
    )


def _confounds(ds: xr.Dataset, confounds: str | Iterable[str] | None) -> tuple[list[str], list[str]]:
    """Names of features, and of coordinates of frames, that are regressed out."""
    if confounds is None:
        return [], []
    listed = [part.strip() for part in confounds.split(",")] if isinstance(confounds, str) else list(confounds)
    on_frames = [str(name) for name, coord in ds.coords.items() if coord.dims[:2] == ("video", "frame")]
    coordinates = [name for name in listed if name in on_frames]
    features = [name for name in listed if name not in on_frames]
    for name in coordinates:
        if ds[name].dtype.kind not in "fiub":
            raise unknown_names("confound of numbers", [name], [n for n in on_frames if ds[n].dtype.kind in "fiub"])
    return (selectors.feature_names(ds, features) if features else []), coordinates


def _series(ds: xr.Dataset, series: xr.DataArray) -> tuple[dict[str, xr.Variable], dict[str, bool]]:
    """Bring further confounds into the order (video, frame[, face][, other]), and say whether they have faces."""
    problems = Problems()
    dims = [str(dim) for dim in series.dims]
    others = [dim for dim in dims if dim not in ("video", "frame", "face")]
    if "video" not in dims or "frame" not in dims or len(others) > 1:
        problems.add(
            f"found series with the dims {', '.join(dims)}; expected video, frame, and face and one more if any"
        )
    wrong = [dim for dim in ("video", "frame", "face") if dim in dims and series.sizes[dim] != ds.sizes[dim]]
    if wrong:
        sizes = ", ".join(f"{dim} {series.sizes[dim]} instead of {ds.sizes[dim]}" for dim in wrong)
        problems.add(f"found series of other sizes ({sizes}); expected those of the Dataset")
    elif "video" in series.coords and list(map(str, series["video"].values)) != list(map(str, ds["video"].values)):
        problems.add("found series of other videos, or in another order; expected those of the Dataset")
    if series.dtype.kind not in "fiub":
        problems.add(f"found series of {series.dtype}; expected numbers")
    problems.raise_if_any()
    has_face = "face" in dims
    order = ["video", "frame", *(["face"] if has_face else []), *others]
    return {"series": series.variable.transpose(*order)}, {"series": has_face}
