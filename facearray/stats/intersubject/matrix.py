"""Correlations of all pairs of videos, tile by tile: at once, or when a part of them is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray.stats.intersubject.grid import Grid, load
from facearray.stats.kernels.comparison import Comparison, Found
from facearray.stats.kernels.products import Series

__all__ = ["LAZY_BYTES", "is_lazy", "pair_matrix"]

#: Videos along the side of a tile that is computed when it is asked for.
TILE = 512

#: Videos along the sides of a tile of what is computed at once.
ROWS, COLUMNS = 256, 2048

#: Rows or columns that are copied at a time, so that they stay in the cache of a processor.
STRIP = 32

#: Beyond this size of series and results together, tiles are computed when they are asked for.
LAZY_BYTES = 2**30

#: Bytes of r, n and lag of one pair.
_PAIR_BYTES = 16


def is_lazy(ds: xr.Dataset, grid: Grid, n_features: int, n_windows: int) -> bool:
    """Whether a matrix is computed when it is asked for: that of dask arrays, and one that does not fit."""
    n_videos = ds.sizes["video"]
    pairs = n_features * n_windows * n_videos**2 * _PAIR_BYTES
    series = 2 * 8 * n_features * n_videos * grid.n_places
    return ds["features"].chunks is not None or pairs + series > LAZY_BYTES


def pair_matrix(ds: xr.Dataset, grid: Grid, features: list[str], comparison: Comparison, *, lazy: bool) -> Found:
    """Compare all pairs of videos: arrays (n_feature, [n_window,] n_video, n_video), NumPy or dask."""
    return _lazy(ds, grid, features, comparison) if lazy else _at_once(ds, grid, features, comparison)


def _tiles(n: int) -> list[slice]:
    return [slice(start, min(start + TILE, n)) for start in range(0, n, TILE)]


def _pairs(n: int) -> Iterator[tuple[int, int]]:
    """Tiles on and above the diagonal."""
    return ((i, j) for i in range(n) for j in range(i, n))


def _at_once(ds: xr.Dataset, grid: Grid, features: list[str], comparison: Comparison) -> Found:
    values = load(ds, grid, features)
    n_videos = ds.sizes["video"]
    # in the order of their lengths, as no pair is looked at for longer than its shorter video
    order = np.argsort(grid.stop, kind="stable")
    in_order = bool((order == np.arange(n_videos)).all())
    n_windows = () if comparison.window is None else (len(list(comparison.windows(grid.n_places))),)
    shape = (*n_windows, n_videos, n_videos)
    found = _empty((len(features), *shape), comparison)
    sorted_ = _empty(shape, comparison)
    for f in range(len(features)):
        target = Found(*(array[f] for array in found)) if in_order else sorted_
        series = comparison.prepare(values[f] if in_order else values[f, order])
        for rows, columns in _wide_tiles(n_videos):
            stop = int(grid.stop[order[rows]].max())
            same = columns.start == rows.start
            part = _compare(_rows(series, rows), None if same else _rows(series, columns), stop, grid, comparison)
            for name in _stored(comparison):
                whole, tile = getattr(target, name), getattr(part, name)
                whole[..., rows, columns] = tile
                if not same:
                    _write_mirrored(whole[..., columns, rows], tile, is_lag=name == "lag")
        for name in () if in_order else _stored(comparison):
            _put_back(getattr(found, name)[f], getattr(sorted_, name), order)
    return found


def _wide_tiles(n: int) -> Iterator[tuple[slice, slice]]:
    """Tiles on and above the diagonal, some rows and many columns, of which products of matrices are made faster."""
    for start in range(0, n, ROWS):
        stop = min(start + ROWS, n)
        yield slice(start, stop), slice(start, stop)
        for first in range(stop, n, COLUMNS):
            yield slice(start, stop), slice(first, min(first + COLUMNS, n))


def _rows(x: NDArray[np.floating] | Series, rows: slice) -> NDArray[np.floating] | Series:
    return x.rows(rows) if isinstance(x, Series) else x[rows]


def _write_mirrored(whole: NDArray[Any], tile: NDArray[Any], *, is_lag: bool) -> None:
    """Write a tile across the diagonal, a few columns at a time: each line of memory is read once."""
    for start in range(0, tile.shape[-1], STRIP):
        part = slice(start, start + STRIP)
        whole[..., part, :] = _mirrored(tile[..., part], is_lag=is_lag)


def _put_back(whole: NDArray[Any], sorted_: NDArray[Any], order: NDArray[np.intp]) -> None:
    """Put rows and columns that are in an order into their places."""
    back = np.argsort(order)
    for start in range(0, len(order), STRIP):
        rows = slice(start, start + STRIP)
        whole[..., order[rows], :] = sorted_[..., rows, :].take(back, axis=-1)


def _stored(comparison: Comparison) -> tuple[str, ...]:
    """Give the names of what is kept of a comparison; without lags that of all pairs is 0."""
    return ("r", "n", "lag") if comparison.max_lag else ("r", "n")


def _empty(shape: tuple[int, ...], comparison: Comparison) -> Found:
    """Make room for what is found."""
    lag = np.empty(shape, np.int32) if comparison.max_lag else np.broadcast_to(np.int32(0), shape)
    return Found(np.empty(shape), np.empty(shape, np.int32), lag)


def _compare(
    a: NDArray[np.floating] | Series,
    b: NDArray[np.floating] | Series | None,
    stop: int,
    grid: Grid,
    comparison: Comparison,
) -> Found:
    """Compare two tiles. With a lag, and in windows, what lies behind the end of one of them matters, too."""
    if not comparison.is_plain:
        stop = grid.n_places
    same = b is None
    a = _until(a, stop)
    found = comparison.of_pairs(a, None if b is None else _until(b, stop))
    if same:
        diagonal = np.einsum("...ii->...i", found.r)
        diagonal[~np.isnan(diagonal)] = 1
    return found


def _until(x: NDArray[np.floating] | Series, stop: int) -> NDArray[np.floating] | Series:
    """Cut behind some place, or add places without values."""
    if isinstance(x, Series):
        return x.until(stop)
    behind = stop - x.shape[-1]
    return x[..., :stop] if behind <= 0 else np.pad(x, [(0, 0), (0, behind)], constant_values=np.nan)


def _mirrored(array: NDArray[Any], *, is_lag: bool) -> NDArray[Any]:
    """Turn what is found for pairs into that for the same pairs with their videos exchanged."""
    turned = array.swapaxes(-1, -2)
    return -turned if is_lag else turned


def _lazy(ds: xr.Dataset, grid: Grid, features: list[str], comparison: Comparison) -> Found:
    """Make one task for every tile; what is read of the videos is shared by all of them."""
    import dask.array
    from dask.delayed import delayed

    da: Any = dask.array  # which has no types
    ds = ds[["features"]].sel(feature=features)
    tiles = _tiles(ds.sizes["video"])
    read, compare = delayed(_read, pure=False), delayed(_tile, nout=3, pure=False)
    values = [read(ds.isel(video=tile), grid.take(tile), features) for tile in tiles]
    n_windows = () if comparison.window is None else (len(list(comparison.windows(grid.n_places))),)
    dtypes = (np.float64, np.int32, np.int32)
    of_features = []
    for f in range(len(features)):
        blocks: list[list[list[Any]]] = [[[None] * len(tiles) for _ in tiles] for _ in dtypes]
        for i, j in _pairs(len(tiles)):
            found = compare(values[i], None if i == j else values[j], f, grid, comparison)
            shape = (*n_windows, tiles[i].stop - tiles[i].start, tiles[j].stop - tiles[j].start)
            for k, dtype in enumerate(dtypes):
                blocks[k][i][j] = da.from_delayed(found[k], shape, dtype)
                if i != j:
                    blocks[k][j][i] = _mirrored(blocks[k][i][j], is_lag=k == 2)
        of_features.append([da.block(rows) for rows in blocks])
    return Found(*(da.stack(arrays) for arrays in zip(*of_features, strict=True)))


def _read(ds: xr.Dataset, grid: Grid, features: list[str]) -> NDArray[np.floating]:
    return load(ds, grid, features)


def _tile(
    a: NDArray[np.floating], b: NDArray[np.floating] | None, feature: int, grid: Grid, comparison: Comparison
) -> Found:
    stop = a.shape[-1] if b is None else min(a.shape[-1], b.shape[-1])
    prepared = None if b is None else comparison.prepare(b[feature])
    return _compare(comparison.prepare(a[feature]), prepared, stop, grid, comparison)
