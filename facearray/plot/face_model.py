"""How action units move the points of a face, learned from one's own detections."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, Self

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from facearray import schema
from facearray._version import package_version
from facearray._words import counted
from facearray.blocks import iter_blocks
from facearray.errors import InputError, SchemaError
from facearray.io.location import check_folder
from facearray.models.au_map_file import FileKind, check_arrays, check_names, content_hash, read_fitted, write_fitted
from facearray.models.geometry import N_LANDMARKS, N_VERTICES, canonical_mesh
from facearray.models.inputs import person_codes
from facearray.models.mesh_measures import lay_on_canonical
from facearray.plot.rig.deform import Fields, linear_fields
from facearray.plot.rig.table import MOVEMENTS

__all__ = ["FaceModel"]

_Array = NDArray[np.float64]

_FILE = FileKind("model", "facearray face model 1", "FaceModel.save")

_UNITS = tuple(MOVEMENTS)

#: Bytes of one block; what is computed from a mesh takes some ten times as much beside it.
_BLOCK = 8 * 2**20


@dataclass(frozen=True, eq=False)
class FaceModel:
    """A linear model of where the points of a face go with action units.

    Attributes
    ----------
    coef
        (20, 468, 3) movement of each point for an action unit from 0 to 1, in cm of the canonical face.
    scores
        How well the points of groups that were left out of the fit were predicted: a Dataset with dim ``landmark`` and
        the variable ``r2``, the share of the variance within groups; its attribute ``r2`` is that of all points
        together.
    provenance
        What it was fitted to and how.

    Examples
    --------
    >>> ds = facearray.datasets.good_bad_news()  # doctest: +SKIP
    >>> own = facearray.plot.FaceModel.fit(ds)  # doctest: +SKIP
    >>> picture = facearray.plot.face({"AU12": 1}, model=own)  # doctest: +SKIP
    >>> own.coef.shape, 0 < own.scores.attrs["r2"] < 1  # doctest: +SKIP
    ((20, 468, 3), True)
    """

    coef: _Array
    scores: xr.Dataset
    provenance: Mapping[str, Any]

    @classmethod
    def fit(cls, ds: xr.Dataset, *, groups: str = "video", alpha: float = 0.01, cv: int = 5) -> Self:
        """Fit a model to detections, by ridge regression.

        Parameters
        ----------
        ds
            Detections with the action units and MediaPipe's 478 landmarks. It is read once, a part at a time.
        groups
            ``"video"``, or a coordinate on video, or on video and face, such as the person. The mean of each group is
            taken out of its faces and its action units, so that who somebody is moves nothing; frames of a group are
            never in both the part that is fitted and the one that is scored.
        alpha
            Penalty on the coefficients, as a part of the mean variance of the action units.
        cv
            Parts that the groups are divided into; each is left out once. At most one a group.

        Returns
        -------
        FaceModel
            Fitted to all faces. Its ``scores`` are of cross-validation.

        Raises
        ------
        SchemaError
            If there are no landmarks of MediaPipe or no action units.
        InputError
            If an argument has no such value, or there are too few groups or faces.

        Notes
        -----
        Faces are brought to the pose and size of the canonical face first. Faces with a missing point or action unit
        do not count. An action unit that never varies, or that ``ds`` does not have, moves nothing.

        References
        ----------
        Hoerl, A. E. & Kennard, R. W. (1970). Ridge regression: biased estimation for nonorthogonal problems.
        Technometrics 12, 55-67.
        """
        if not (np.isfinite(alpha) and alpha > 0):
            raise InputError(f"found alpha={alpha}; expected a number above 0")
        if cv < 2:
            raise InputError(f"found cv={cv}; expected 2 or more")
        ds, names = _checked(ds)
        group_names, codes = person_codes(ds, groups, what="group")
        n_parts = min(cv, len(group_names))
        if n_parts < 2:
            raise InputError(
                f"found {counted(len(group_names), 'group')} in {groups!r}; expected 2 or more: some have to be left "
                "out for the scores"
            )
        sums = _sums(ds, names, codes, n_parts)
        by_part = [part for part in sums.within() if part.n]
        if len(by_part) < 2:
            raise InputError(
                "found faces with all points and action units in one part of the groups or none; expected some in two "
                "groups or more"
            )
        whole = _added(by_part)
        error, total = np.zeros(3 * N_VERTICES), np.zeros(3 * N_VERTICES)
        for held in by_part:
            fitted = _ridge(_added([part for part in by_part if part is not held]), alpha)
            error += held.yy - 2 * (fitted * held.xy).sum(axis=0) + (fitted * (held.xx @ fitted)).sum(axis=0)
            total += held.yy
        coef = np.zeros((len(_UNITS), N_VERTICES, 3))
        coef[[_UNITS.index(name) for name in names]] = _ridge(whole, alpha).reshape(-1, N_VERTICES, 3)
        provenance = {
            "facearray": package_version(),
            "detector": str(ds.attrs.get("detector", ds.attrs.get("source", ""))),
            "n_faces": whole.n,
            "groups": groups,
            "n_groups": len(group_names),
            "alpha": float(alpha),
            "cv": len(by_part),
            "units": list(names),
        }
        return cls(coef, _scores(error, total), provenance)

    @functools.cached_property
    def fields(self) -> Fields:
        """What moves the points of the face that is drawn."""
        return linear_fields(self.coef)

    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the model to a file that holds numbers and texts only.

        Parameters
        ----------
        path
            Of a file that ends in ``.npz``.
        overwrite
            Whether an existing file may be replaced.

        Returns
        -------
        Path
            The path.

        Raises
        ------
        InputError
            If it has another suffix, there is no such folder, or the file exists.

        Examples
        --------
        >>> import tempfile
        >>> scores = xr.Dataset({"r2": ("landmark", np.zeros(468))}, attrs={"r2": 0.0})
        >>> own = FaceModel(np.zeros((20, 468, 3)), scores, {})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     own.save(f"{folder}/own.npz").name
        'own.npz'
        """
        path = _path(path)
        check_folder(path)
        if path.exists() and not overwrite:
            raise InputError(f"found {path}; expected a new path, or overwrite=True to replace it")
        write_fitted(path, _FILE, self._header(), self._arrays(), self.sha256)
        return path

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a model; nothing in its file is run.

        Parameters
        ----------
        path
            Where it was saved.

        Returns
        -------
        FaceModel
            Equal to the one that was saved.

        Raises
        ------
        InputError
            If there is no such file.
        ReadError
            If it is damaged, or of another kind.

        Examples
        --------
        >>> import tempfile
        >>> scores = xr.Dataset({"r2": ("landmark", np.zeros(468))}, attrs={"r2": 0.0})
        >>> own = FaceModel(np.zeros((20, 468, 3)), scores, {})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     FaceModel.load(own.save(f"{folder}/own.npz")).sha256 == own.sha256
        True
        """
        path = _path(path)
        if not path.is_file():
            raise InputError(f"found no file {path}; expected a model that FaceModel.save wrote")
        return read_fitted(path, _FILE, cls._from)

    @classmethod
    def _from(cls, header: Mapping[str, Any], arrays: Mapping[str, _Array]) -> Self:
        check_names("action units", header["units"], _UNITS)
        check_arrays(arrays, {"coef": (len(_UNITS), N_VERTICES, 3), "r2": (N_VERTICES,)}, finite=("coef",))
        return cls(arrays["coef"], _score_dataset(arrays["r2"], float(header["r2"])), header["provenance"])

    @property
    def sha256(self) -> str:
        """Hash of everything in the model."""
        return content_hash(self._header(), self._arrays())

    def _header(self) -> str:
        content = {
            "format": _FILE.format,
            "units": list(_UNITS),
            "r2": float(self.scores.attrs["r2"]),
            "provenance": dict(self.provenance),
        }
        return json.dumps(content, sort_keys=True)

    def _arrays(self) -> dict[str, _Array]:
        return {"coef": self.coef, "r2": self.scores["r2"].to_numpy().astype(np.float64)}


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Sums over n faces of products of deviations: of action units (p, p), with coordinates (p, q), of these (q,)."""

    n: int
    xx: _Array
    xy: _Array
    yy: _Array


@dataclass(frozen=True, slots=True, eq=False)
class _Sums:
    """What a pass over the faces adds up.

    Attributes
    ----------
    part
        (g,) the part of each centre: of the faces whose mean is taken out together.
    n, x, y
        (g,), (g, p) and (g, q) of each centre.
    xx, xy, yy
        (n_part, p, p), (n_part, p, q) and (n_part, q).
    """

    part: NDArray[np.intp]
    n: NDArray[np.intp]
    x: _Array
    y: _Array
    xx: _Array
    xy: _Array
    yy: _Array

    def add(self, centre: NDArray[np.intp], x: _Array, y: _Array) -> None:
        """Add faces (m,) of centres, with action units (m, p) and coordinates (m, q)."""
        np.add.at(self.n, centre, 1)
        np.add.at(self.x, centre, x)
        np.add.at(self.y, centre, y)
        part = self.part[centre]
        for i in np.unique(part).tolist():
            X, Y = x[part == i], y[part == i]
            self.xx[i] += X.T @ X
            self.xy[i] += X.T @ Y
            self.yy[i] += (Y**2).sum(axis=0)

    def within(self) -> list[_Moments]:
        """Take the mean of each centre out."""
        found = []
        for i in range(len(self.xx)):
            mine = np.flatnonzero((self.part == i) & (self.n > 0))
            n, x, y = self.n[mine], self.x[mine], self.y[mine]
            mean = x / n[:, None]
            xx, xy = self.xx[i] - mean.T @ x, self.xy[i] - mean.T @ y
            found.append(_Moments(int(n.sum()), xx, xy, self.yy[i] - (y**2 / n[:, None]).sum(axis=0)))
        return found


def _checked(ds: xr.Dataset) -> tuple[xr.Dataset, list[str]]:
    """Put the axes of landmarks in order, and find the action units."""
    schema.validate(ds, variables=["features", "landmarks", "frame_number", "video", "feature"])
    names = [name for name in _UNITS if name in set(map(str, ds["feature"].to_numpy().tolist()))]
    axes = [str(axis) for axis in ds["axis"].to_numpy()] if "axis" in ds.coords else list("xyz")[: ds.sizes["axis"]]
    problems = []
    if not names:
        problems.append("found no action units; expected some of AU01 to AU43")
    if ds.sizes["landmark"] != N_LANDMARKS:
        problems.append(f"found {ds.sizes['landmark']} landmarks; expected MediaPipe's mesh of {N_LANDMARKS}")
    if sorted(axes) != list("xyz"):
        problems.append(f"found the axes {', '.join(axes)}; expected x, y and z")
    if problems:
        raise SchemaError("a model of faces cannot be fitted:\n" + "".join(f"  - {problem}\n" for problem in problems))
    return ds.isel(axis=[axes.index(axis) for axis in "xyz"]), names


def _sums(ds: xr.Dataset, names: list[str], codes: NDArray[np.intp], n_parts: int) -> _Sums:
    """Go over all faces once.

    A centre is a group, or where the faces of a video share a group, each of them: who is in which slot moves nothing.
    """
    n_faces = codes.shape[1]
    shared = n_faces > 1 and bool((codes == codes[:, :1]).all())
    centres = np.where(codes < 0, -1, codes * n_faces + np.arange(n_faces) if shared else codes)
    g, p, q = int(centres.max(initial=-1)) + 1, len(names), 3 * N_VERTICES
    part = (np.arange(g) // n_faces if shared else np.arange(g)) % n_parts
    sums = _Sums(
        part,
        np.zeros(g, np.intp),
        np.zeros((g, p)),
        np.zeros((g, q)),
        np.zeros((n_parts, p, p)),
        np.zeros((n_parts, p, q)),
        np.zeros((n_parts, q)),
    )
    rest = canonical_mesh().vertices
    wanted = np.flatnonzero((codes >= 0).any(axis=1))
    for block in iter_blocks(ds, variables=("features", "landmarks"), features=names, videos=wanted, max_bytes=_BLOCK):
        values, points = block.data["features"], block.data["landmarks"]
        there = np.isfinite(values).all(axis=-1) & np.isfinite(points).all(axis=(-2, -1))
        there &= (centres[block.videos] >= 0)[:, None]
        video, _, face = np.nonzero(there)
        mesh, _ = lay_on_canonical(points[there])
        usable = np.isfinite(mesh).all(axis=(1, 2))
        sums.add(
            centres[block.videos[video], face][usable],
            values[there][usable].astype(np.float64),
            (mesh[usable, :N_VERTICES] - rest).reshape(-1, q),
        )
    return sums


def _added(parts: Sequence[_Moments]) -> _Moments:
    return _Moments(
        sum(part.n for part in parts),
        np.sum([part.xx for part in parts], axis=0),
        np.sum([part.xy for part in parts], axis=0),
        np.sum([part.yy for part in parts], axis=0),
    )


def _ridge(moments: _Moments, alpha: float) -> _Array:
    """Coefficients (p, q); of action units that do not vary 0."""
    penalty = alpha * np.trace(moments.xx) / len(moments.xx)
    if penalty <= 0:
        raise InputError("found action units that do not vary within any group; expected some that do")
    found: _Array = np.linalg.solve(moments.xx + penalty * np.eye(len(moments.xx)), moments.xy)
    return found


def _scores(error: _Array, total: _Array) -> xr.Dataset:
    by_point = [values.reshape(N_VERTICES, 3).sum(axis=1) for values in (error, total)]
    with np.errstate(invalid="ignore", divide="ignore"):
        return _score_dataset(1.0 - by_point[0] / by_point[1], float(1.0 - error.sum() / total.sum()))


def _score_dataset(by_point: _Array, whole: float) -> xr.Dataset:
    variable = ("landmark", by_point, {"description": "variance within groups that is predicted, of groups left out"})
    return xr.Dataset({"r2": variable}, attrs={"r2": whole})


def _path(path: str | PathLike[str]) -> Path:
    found = Path(path)
    if found.suffix != ".npz":
        raise InputError(f"found {str(found)!r} for a model; expected a path that ends in .npz")
    return found
