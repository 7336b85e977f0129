"""What many features have in common: few components, and their time courses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import selectors
from facearray.blocks import iter_blocks
from facearray.errors import InputError, SchemaError, unknown_names
from facearray.signal._checks import Problems
from facearray.signal.kernels.latent import METHODS, DecompositionMethod, Latent, Moments, fit

__all__ = ["Decomposition", "decompose"]

#: Names of components, by method.
_PREFIX = {"pca": "PC", "ica": "IC", "nmf": "NMF", "factor": "F"}

#: Values of one part in memory, in float64.
_PART = 2**21

_FRAMES_A_TASK = 1024

_VALUES = "_values"


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """Components and their scores, as `decompose` finds them.

    Attributes
    ----------
    components
        Dims (component, ...): the loadings of each measure.
    scores
        The dims of the data without those that were decomposed, and ``component``: how much of each there is. NaN where
        a measure is missing. Backed by dask if the data are, or were not in memory.
    share
        Dims (component): the share of the variance of all measures that each makes up; for ``"nmf"``, of the sum.
    mean
        What is added in `inverse`.
    estimator
        As fitted by scikit-learn, of measures that are divided by their standard deviations if standardized; its
        components may be in another order, with other signs.
    """

    components: xr.DataArray
    scores: xr.DataArray
    share: xr.DataArray
    mean: xr.DataArray
    estimator: Any
    _latent: Latent

    def transform(self, ds: xr.Dataset | xr.DataArray) -> xr.DataArray:
        """Compute the scores of other data with the same measures.

        Parameters
        ----------
        ds
            Detections, or a DataArray with the dims that were decomposed, in the same units.

        Returns
        -------
        xarray.DataArray
            As ``scores``, NaN where a measure has no value.

        Raises
        ------
        InputError
            If a measure is not there at all.
        """
        dims = tuple(str(dim) for dim in self.mean.dims)
        array = ds["features"] if isinstance(ds, xr.Dataset) else ds
        if absent := [dim for dim in dims if dim not in array.dims]:
            raise InputError(f"found dims {array.dims}; expected {', '.join(absent)} among them")
        for dim in dims:
            if dim in self.mean.coords:
                wanted = self.mean[dim].to_numpy()
                here = set(array[dim].to_numpy().tolist()) if dim in array.coords else set()
                if lacking := [str(label) for label in wanted.tolist() if label not in here]:
                    raise InputError(f"found no {dim} {', '.join(lacking[:20])}; expected all that were decomposed")
                array = array.sel({dim: wanted})
            elif array.sizes[dim] != self.mean.sizes[dim]:
                raise InputError(f"found {array.sizes[dim]} of dim {dim}; expected {self.mean.sizes[dim]}")
        return _scores(array, dims, self._latent, self.components[self._name])

    def inverse(self, scores: xr.DataArray | None = None) -> xr.DataArray:
        """Compute what the measures would be if nothing else was in them.

        Parameters
        ----------
        scores
            With the dim ``component``; by default those of the data. Components that are absent count as 0.

        Returns
        -------
        xarray.DataArray
            With the dims of the scores and those that were decomposed; NaN where scores are.

        Raises
        ------
        InputError
            If the scores have no dim of components, or one that is unknown or that has another size.
        """
        name = self._name
        found = self.scores if scores is None else scores
        labels = self.components[name]
        if name not in found.dims:
            raise InputError(
                f"found dims {', '.join(map(str, found.dims)) or 'none'}; expected {name!r} among them; keep it where "
                f"one is chosen: scores.isel({name}=[0])"
            )
        if name in found.coords:
            known = labels.to_numpy().tolist()
            if unknown := [str(label) for label in found[name].to_numpy().tolist() if label not in known]:
                raise unknown_names(str(name), unknown, known)
            labels = found[name]
        elif found.sizes[name] != labels.size:
            raise InputError(f"found {found.sizes[name]} of dim {name}; expected {labels.size}, or labels")
        components = self.components.sel({name: labels.to_numpy()})
        dims = [str(dim) for dim in self.mean.dims]
        scaled = components * xr.DataArray(self._latent.scale.reshape(self.mean.shape), dims=dims)
        rebuilt: xr.DataArray = xr.dot(found, scaled, dim=name, optimize=True) + self.mean
        return rebuilt.rename("features")

    @property
    def _name(self) -> str:
        return str(self.share.dims[0])

    def __repr__(self) -> str:
        share = ", ".join(f"{label}: {value:.1%}" for label, value in zip(self._labels, self.share.values, strict=True))
        return f"<Decomposition of {dict(self.mean.sizes)}: {share}>"

    @property
    def _labels(self) -> list[str]:
        return [str(label) for label in self.components[self._name].to_numpy()]


def decompose(
    ds: xr.Dataset | xr.DataArray,
    features: str | Iterable[str] | None = None,
    *,
    n_components: int,
    method: DecompositionMethod = "pca",
    dim: str | Sequence[str] = "feature",
    standardize: bool = False,
    max_bytes: int = 2**28,
    seed: int = 0,
) -> Decomposition:
    """Find few components that many features are made of.

    Parameters
    ----------
    ds
        Detections, of which ``features`` are decomposed; or any DataArray, such as ``ds.landmarks`` or means.
    features
        Groups and names, as for `facearray.selectors.select`; all by default. Features of one unit suit each other,
        such as ``"aus"``; see `standardize` for others.
    n_components
        How many.
    method
        ``"pca"`` (principal components), ``"ica"`` (independent ones), ``"nmf"`` (non-negative parts of non-negative
        measures), ``"factor"`` (factor analysis by maximum likelihood).
    dim
        Which dims are decomposed: ``"feature"``, ``("landmark", "axis")``, or any others. Each combination of the other
        dims is a sample, as every face in every frame.
    standardize
        Divide measures by their standard deviation first, so that all count the same.
    max_bytes
        Memory of the samples at hand for ``"ica"`` and ``"nmf"``: of more, every second, third, ... of each video are
        used to fit. The other two go over all samples in parts, once, and approximate nothing.
    seed
        Of what is random in a method.

    Returns
    -------
    Decomposition
        Labelled components in the order of their share, the largest loading of each positive; scores; ``transform`` and
        ``inverse``. A sample in which a measure is missing is left out, and its scores are NaN.

    Raises
    ------
    InputError
        If a name, dim or option cannot be used, no sample is complete, or there are more components than measures or
        samples; with ``"nmf"``, if a value is negative.
    SchemaError
        If ``ds`` has no such dims.

    Notes
    -----
    Every frame counts the same, so that long videos count more than short ones; decompose the means of videos
    (``ds.fex.summarize(by="video")["mean"]``) where videos are to be compared. Scores of different frames depend on
    each other.

    References
    ----------
    Jolliffe, I. T. & Cadima, J. (2016). Principal component analysis: a review and recent developments. Philosophical
    Transactions of the Royal Society A 374, 20150202.

    Hyvarinen, A. & Oja, E. (2000). Independent component analysis: algorithms and applications. Neural Networks 13,
    411-430.

    Lee, D. D. & Seung, H. S. (1999). Learning the parts of objects by non-negative matrix factorization. Nature 401,
    788-791.

    Joreskog, K. G. (1967). Some contributions to maximum likelihood factor analysis. Psychometrika 32, 443-482.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> smile = rng.random((5, 40, 1))
    >>> means = xr.DataArray(
    ...     np.concatenate([smile, 2 * smile, 0.01 * rng.random((5, 40, 1))], axis=2),
    ...     dims=("video", "time", "feature"),
    ...     coords={"feature": ["AU06", "AU12", "AU04"]},
    ... )
    >>> found = decompose(means, n_components=1)
    >>> found.components.sel(component="PC1", feature=["AU06", "AU12"]).round(2).values, found.scores.dims
    (array([0.45, 0.89]), ('video', 'time', 'component'))
    """
    dims = (dim,) if isinstance(dim, str) else tuple(dim)
    array = _array(ds, features, dims)
    problems = Problems()
    problems.one_of("method", method, METHODS)
    n_measures = int(np.prod([array.sizes[d] for d in dims]))
    if isinstance(n_components, bool) or not isinstance(n_components, int | np.integer) or n_components < 1:
        problems.add(f"found n_components={n_components!r}; expected a whole number, 1 or more")
    elif n_components > n_measures:
        problems.add(f"found n_components={n_components}; expected at most {n_measures}, the number of measures")
    problems.positive(max_bytes=max_bytes)
    problems.raise_if_any()
    samples = _Samples(array, dims, non_negative=method == "nmf")
    moments = Moments.of(samples(1))
    n_samples = moments.n
    if n_samples <= n_components:
        raise InputError(
            f"found {n_samples} samples with a value of all {n_measures} measures; expected more than {n_components}, "
            "the number of components; leave out measures that are missing, or interpolate them first"
        )
    most = max(n_components + 1, int(max_bytes) // (8 * n_measures))
    latent = fit(samples, moments, int(n_components), method, standardize=standardize, max_samples=most, seed=seed)
    name = "component" if "component" not in array.dims else "latent"
    labels = xr.DataArray(
        np.array([f"{_PREFIX[method]}{i + 1}" for i in range(n_components)], dtype=np.dtypes.StringDType()), dims=name
    )
    attrs = {
        "method": method,
        "standardize": int(standardize),
        "n_samples": n_samples,
        "n_samples_fit": latent.n,
        "seed": seed,
        "facearray_version": version("facearray"),
    }
    shape = tuple(array.sizes[d] for d in dims)
    of_measures = {n: c.variable for n, c in array.coords.items() if set(c.dims) <= set(dims) and c.dims}
    components = xr.DataArray(
        latent.components.reshape(n_components, *shape),
        {name: labels.variable, **of_measures},
        (name, *dims),
        "components",
        attrs,
    )
    return Decomposition(
        components=components,
        scores=_scores(array, dims, latent, components[name]).assign_attrs(attrs),
        share=xr.DataArray(latent.share, {name: labels.variable}, (name,), "share", attrs),
        mean=xr.DataArray(latent.mean.reshape(shape), of_measures, dims, "mean"),
        estimator=latent.estimator,
        _latent=latent,
    )


def _array(ds: xr.Dataset | xr.DataArray, features: str | Iterable[str] | None, dims: tuple[str, ...]) -> xr.DataArray:
    if isinstance(ds, xr.Dataset):
        if "features" not in ds.data_vars:
            raise SchemaError(
                f"found no 'features' among {', '.join(map(str, ds.data_vars)) or 'no variables'}; expected detections "
                "or one variable of a result, such as result['mean']"
            )
        array = ds["features"]
    else:
        array = ds
    if features is not None:
        places = [str(label) for label in array["feature"].to_numpy()] if "feature" in array.coords else []
        names = selectors.feature_names(array, features)
        array = array.isel(feature=[places.index(name) for name in names])
    absent = [dim for dim in dims if dim not in array.dims]
    if absent or not dims:
        raise SchemaError(
            f"found dims {', '.join(map(str, array.dims))}; expected {', '.join(absent) or 'a dim'}; see dim="
        )
    if len(dims) == array.ndim:
        raise SchemaError(f"found no dim beside {', '.join(dims)}; expected one or more, whose places are the samples")
    return array


@dataclass(frozen=True, slots=True, eq=False)
class _Samples:
    """Gives the complete samples of an array in parts, each time anew."""

    array: xr.DataArray
    dims: tuple[str, ...]
    non_negative: bool

    def __call__(self, every: int) -> Iterator[NDArray[np.float64]]:
        for part in self._streamed(every) if self._is_streamed else self._in_memory(every):
            if self.non_negative and (part < 0).any():
                raise InputError(
                    f"found values below 0, down to {part.min():g}; expected none with method='nmf'; choose measures "
                    "such as 'aus' that have none, or another method"
                )
            yield part

    @property
    def _is_streamed(self) -> bool:
        of_frames = {"video", "frame"} <= set(self.array.dims) and not {"video", "frame"} & set(self.dims)
        return of_frames and "frame_number" in self.array.coords

    def _flat(self, values: NDArray[np.floating], dims: Sequence[str]) -> NDArray[np.float64]:
        """Make rows of samples, those that are complete."""
        last = [dims.index(dim) for dim in self.dims]
        first = [i for i in range(len(dims)) if i not in last]
        rows = values.transpose([*first, *last]).reshape(-1, int(np.prod([values.shape[i] for i in last])))
        return np.asarray(rows[~np.isnan(rows).any(axis=1)], dtype=np.float64)

    def _streamed(self, every: int) -> Iterator[NDArray[np.float64]]:
        others = [dim for dim in map(str, self.array.dims) if dim not in ("video", "frame")]
        array = self.array.transpose("video", "frame", *others)
        coords = {name: c.variable for name, c in array.coords.items() if name in ("frame_number", "n_frames", "video")}
        ds = xr.Dataset({_VALUES: array.variable}, coords)
        n_measures = int(np.prod([array.sizes[dim] for dim in self.dims]))
        size = max(1, _PART // n_measures) * n_measures * array.dtype.itemsize
        before = np.zeros(array.sizes["video"], dtype=np.intp)
        for block in iter_blocks(ds, variables=(_VALUES,), max_bytes=size, copy=False):
            for i, (video, n) in enumerate(zip(block.videos.tolist(), block.n_frames.tolist(), strict=True)):
                rows = self._flat(block.data[_VALUES][i, :n], ["frame", *others])
                skip = int(-before[video] % every)
                before[video] += len(rows)
                yield rows[skip::every]

    def _in_memory(self, every: int) -> Iterator[NDArray[np.float64]]:
        rows = self._flat(self.array.to_numpy(), [str(dim) for dim in self.array.dims])[::every]
        step = max(1, _PART // rows.shape[1])
        for start in range(0, len(rows), step):
            yield rows[start : start + step]


def _scores(array: xr.DataArray, dims: tuple[str, ...], latent: Latent, labels: xr.DataArray) -> xr.DataArray:
    name = str(labels.dims[0])
    dtype = array.dtype if array.dtype.kind == "f" else np.dtype(np.float64)

    def of_block(values: NDArray[np.floating]) -> NDArray[np.floating]:
        samples = values.reshape(-1, latent.components.shape[1]).astype(np.float64)
        return latent.scores(samples).reshape(*values.shape[: values.ndim - len(dims)], -1).astype(dtype)

    if array.chunks is not None:
        array = array.chunk(dict.fromkeys(dims, -1))
    elif not array.variable._in_memory:
        array = array.chunk({str(d): 1 if d == "video" else _FRAMES_A_TASK if d == "frame" else -1 for d in array.dims})
    found: xr.DataArray = xr.apply_ufunc(
        of_block,
        array.drop_vars([n for n, c in array.coords.items() if set(c.dims) & set(dims)]),
        input_core_dims=[list(dims)],
        output_core_dims=[[name]],
        dask="parallelized",
        dask_gufunc_kwargs={"output_sizes": {name: labels.size}},
        output_dtypes=[dtype],
    )
    return found.assign_coords({name: labels.variable}).rename("scores")
