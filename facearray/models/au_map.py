"""Maps from faces to action units that users fit to their own labelled frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from facearray import schema
from facearray._version import package_version
from facearray.errors import InputError
from facearray.models.au_labels import labelled_faces
from facearray.models.au_map_file import (
    FileKind,
    check_arrays,
    check_names,
    content_hash,
    existing_map,
    map_path,
    read_fitted,
    write_fitted,
)
from facearray.models.geometry import N_LANDMARKS
from facearray.models.mesh_measures import lay_on_canonical

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AUMap", "predictors"]

_FILE = FileKind("map", "facearray AU map 1", "AUMap.save")

_SCORES = ("r", "r_within", "mae", "n")

#: What a map is computed from, by name: the mesh in the pose and size of the canonical face, in cm, and blendshapes.
PREDICTORS = (
    *(f"{axis}_{point}" for point in range(N_LANDMARKS) for axis in "xyz"),
    *schema.GROUPS["blendshapes"].features,
)


def predictors(blendshapes: ArrayLike, landmarks: ArrayLike) -> NDArray[np.float64]:
    """Compute what maps are made of: (n, 1486) in the order of ``PREDICTORS``; NaN in rows with a missing point.

    Parameters
    ----------
    blendshapes
        (n, 52) values 0 to 1.
    landmarks
        (n, 478, 3) points in pixels.

    Raises
    ------
    InputError
        If their shapes are others.
    """
    mesh, _ = lay_on_canonical(landmarks)
    shapes = np.asarray(blendshapes, np.float64)
    expected = (len(mesh), len(schema.GROUPS["blendshapes"].features))
    if shapes.shape != expected:
        raise InputError(f"found blendshapes of shape {shapes.shape}; expected {expected}")
    return np.concatenate([mesh.reshape(len(mesh), 3 * N_LANDMARKS), shapes], axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class AUMap:
    """A linear map from the mesh and blendshapes of a face to action units.

    Attributes
    ----------
    coef, intercept
        (n_predictor, n_au) and (n_au,): an estimate is ``predictors @ coef + intercept``, cut to [0, 1].
    names
        The action units.
    scores
        How well frames of groups that were left out of the fit were predicted: a Dataset with dim ``feature`` and the
        variables ``r`` (over all frames), ``r_within`` (over deviations from the mean of each group), ``mae``, ``n``.
    provenance
        What it was fitted to and how.

    Examples
    --------
    >>> ds = facearray.datasets.good_bad_news()  # doctest: +SKIP
    >>> own = facearray.models.AUMap.fit(ds, ds.fex.aus, cv=2)  # doctest: +SKIP
    >>> own.save("news").name  # doctest: +SKIP
    'news.npz'
    >>> facearray.models.action_units(ds, map="news").sizes["feature"]  # doctest: +SKIP
    20
    >>> again, one = facearray.models.AUMap.load("news"), ds.isel(video=0, face=0)  # doctest: +SKIP
    >>> again.predict(one.fex.blendshapes, one.landmarks).shape == one.fex.aus.shape  # doctest: +SKIP
    True
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    names: tuple[str, ...]
    scores: xr.Dataset
    provenance: Mapping[str, Any]

    @classmethod
    def fit(
        cls,
        ds: xr.Dataset,
        labels: xr.DataArray | pd.DataFrame,
        *,
        groups: str = "video",
        n_components: int = 10,
        cv: int = 10,
    ) -> Self:
        """Fit a map to labelled frames, by partial least squares.

        Parameters
        ----------
        ds
            Detections with landmarks and blendshapes, as for `facearray.models.action_units`.
        labels
            Action units 0 to 1, NaN in frames without any (intensities A to E, or 0 to 5, divided by 5). A DataArray
            with dims (video, frame, face, feature) of the videos and frames of ``ds``; or a DataFrame with the columns
            ``video``, ``frame_number``, ``face`` (where there are several) and one an action unit, one row a frame.
        groups
            ``"video"``, or a coordinate on video, or video and face, such as the person. Frames of a group are never in
            both the part that a map is fitted to and the one that it is scored on.
        n_components
            Of the partial least squares. More follow the labels closer, and noise with them; compare ``scores``.
        cv
            Parts that the groups are divided into; each is left out once. At most one a group.

        Returns
        -------
        AUMap
            Fitted to all labelled frames. Its ``scores`` are of cross-validation.

        Raises
        ------
        InputError
            If labels are not within [0, 1], do not belong to videos of ``ds`` or have names of no action units, there
            is one group only, or there are too few frames for the components.
        SchemaError
            If ``ds`` lacks landmarks or blendshapes.

        References
        ----------
        Wold, S., Sjostrom, M., & Eriksson, L. (2001). PLS-regression: a basic tool of chemometrics. Chemometrics and
        Intelligent Laboratory Systems, 58(2), 109-130.
        """
        frames = labelled_faces(ds, labels, groups)
        X, Y = predictors(frames.blendshapes, frames.landmarks), frames.values
        group_names = frames.groups
        if len(group_names) < 2:
            raise InputError(
                f"found labelled frames of {len(group_names)} {groups}; expected 2 or more: some have to be left out "
                "for the scores"
            )
        if cv < 2:
            raise InputError(f"found cv={cv}; expected 2 or more")
        parts = _folds(frames.codes, min(cv, len(group_names)))
        smallest = min(np.count_nonzero(parts != part) for part in range(parts.max() + 1))
        most = min(smallest - 1, X.shape[1])
        if not 1 <= n_components <= most:
            raise InputError(
                f"found n_components={n_components}; expected 1 to {most}, fewer than the labelled frames that are "
                "left when a part is left out"
            )
        predicted = np.empty_like(Y)
        for part in range(parts.max() + 1):
            coef, intercept = _pls(X[parts != part], Y[parts != part], n_components)
            predicted[parts == part] = np.clip(X[parts == part] @ coef + intercept, 0.0, 1.0)
        scores = _scored(predicted, Y, frames.codes, frames.names)
        coef, intercept = _pls(X, Y, n_components)
        provenance = {
            "facearray": package_version(),
            "detector": str(ds.attrs.get("detector", ds.attrs.get("source", ""))),
            "detector_version": str(ds.attrs.get("detector_version", "")),
            "n_frames": len(Y),
            "groups": groups,
            "n_groups": len(group_names),
            "n_components": n_components,
            "cv": int(parts.max()) + 1,
            "n_rows_without_frame": frames.n_unmatched,
        }
        return cls(coef, intercept, frames.names, scores, provenance)

    def predict(self, blendshapes: ArrayLike, landmarks: ArrayLike) -> NDArray[np.float32]:
        """Estimate action units of faces.

        Parameters
        ----------
        blendshapes
            (n, 52) values 0 to 1 in the order of the feature group ``blendshapes``.
        landmarks
            (n, 478, 3) points in pixels.

        Returns
        -------
        ndarray
            (n, n_au) in [0, 1]; NaN for a face with a missing point or blendshape.

        Raises
        ------
        InputError
            If their shapes are others.
        """
        X = predictors(blendshapes, landmarks)
        missing = ~np.asarray(np.isfinite(X).all(axis=1))
        values: NDArray[np.float32] = np.clip(
            np.where(missing[:, None], 0.0, X) @ self.coef + self.intercept, 0.0, 1.0
        ).astype(np.float32)
        values[missing] = np.nan
        return values

    @property
    def sha256(self) -> str:
        """Hash of everything in the map, by which a result says what it was computed with."""
        return content_hash(self._header(), self._arrays())

    @property
    def attrs(self) -> dict[str, Any]:
        """What a result computed with the map says about it."""
        return {"au_map": self.sha256, **{f"au_map_{key}": value for key, value in self.provenance.items()}}

    def save(self, name: str | PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the map to a file that holds numbers and texts only.

        Parameters
        ----------
        name
            A name, under which it is found by `load` and `facearray.models.action_units` for the same user; or the path
            of a file, which ends in ``.npz``. Named maps are in the folder ``au_maps`` of the one that
            ``FACEARRAY_DATA`` names, or of the user's data folder.
        overwrite
            Whether an existing map may be replaced.

        Returns
        -------
        Path
            Of the file.

        Raises
        ------
        InputError
            If the name cannot be one, or is taken.
        """
        path = map_path(name)
        if path.exists() and not overwrite:
            raise InputError(f"found a map in {path}; expected a new name, or overwrite=True to replace it")
        write_fitted(path, _FILE, self._header(), self._arrays(), self.sha256)
        return path

    @classmethod
    def load(cls, name: str | PathLike[str]) -> Self:
        """Read a map; nothing in its file is run.

        Parameters
        ----------
        name
            The name or path that it was saved under.

        Returns
        -------
        AUMap
            As it was saved.

        Raises
        ------
        InputError
            If there is no map of that name.
        ReadError
            If the file is damaged, of another kind, or made for other predictors than this version has.
        """
        return read_fitted(existing_map(name), _FILE, cls._from)

    @classmethod
    def _from(cls, header: Mapping[str, Any], arrays: Mapping[str, NDArray[np.float64]]) -> Self:
        check_names("predictors", header["predictors"], PREDICTORS)
        names, n = header["names"], len(header["names"])
        shapes = {"coef": (len(PREDICTORS), n), "intercept": (n,), "scores": (len(_SCORES), n)}
        check_arrays(arrays, shapes, finite=("coef", "intercept"))
        coef, intercept, scores = (arrays[key] for key in shapes)
        return cls(coef, intercept, tuple(names), _score_dataset(scores, names), header["provenance"])

    def _header(self) -> str:
        content = {
            "format": _FILE.format,
            "names": self.names,
            "predictors": PREDICTORS,
            "provenance": dict(self.provenance),
        }
        return json.dumps(content, sort_keys=True)

    def _arrays(self) -> dict[str, NDArray[np.float64]]:
        scores = np.stack([self.scores[name].to_numpy().astype(np.float64) for name in _SCORES])
        return {"coef": self.coef, "intercept": self.intercept, "scores": scores}


def _pls(
    X: NDArray[np.float64], Y: NDArray[np.float64], n_components: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Coefficients (n_predictor, n_au) and intercept (n_au,) of partial least squares."""
    from sklearn.cross_decomposition import PLSRegression

    model = PLSRegression(n_components=n_components).fit(X, Y)
    coef = np.asarray(model.coef_, np.float64).T
    intercept: NDArray[np.float64] = np.asarray(model.predict(X[:1]), np.float64).reshape(-1) - X[0] @ coef
    return coef, intercept


def _folds(codes: NDArray[np.intp], n_folds: int) -> NDArray[np.intp]:
    """Part (n,) of each frame, so that those of a group are in one and parts are of like size."""
    from sklearn.model_selection import GroupKFold

    parts = np.empty(len(codes), np.intp)
    for part, (_, left_out) in enumerate(GroupKFold(n_folds).split(codes, groups=codes)):
        parts[left_out] = part
    return parts


def _scored(
    predicted: NDArray[np.float64], labels: NDArray[np.float64], codes: NDArray[np.intp], names: tuple[str, ...]
) -> xr.Dataset:
    n = np.bincount(codes)[:, None]

    def centred(values: NDArray[np.float64]) -> NDArray[np.float64]:
        means = np.zeros((len(n), values.shape[1]))
        np.add.at(means, codes, values)
        deviations: NDArray[np.float64] = values - (means / np.maximum(n, 1))[codes]
        return deviations

    rows = [
        _correlations(predicted - predicted.mean(axis=0), labels - labels.mean(axis=0)),
        _correlations(centred(predicted), centred(labels)),
        np.abs(predicted - labels).mean(axis=0),
        np.full(len(names), float(len(labels))),
    ]
    return _score_dataset(np.stack(rows), names)


def _correlations(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation of columns of deviations; NaN where one does not vary."""
    size = np.sqrt((x**2).sum(axis=0) * (y**2).sum(axis=0))
    return np.where(size > 1e-12 * len(x), (x * y).sum(axis=0) / np.where(size > 0, size, 1.0), np.nan)


def _score_dataset(scores: NDArray[np.float64], names: Sequence[str]) -> xr.Dataset:
    variables = {name: ("feature", row) for name, row in zip(_SCORES, scores, strict=True)}
    return xr.Dataset(variables, {"feature": np.array(names, dtype=np.dtypes.StringDType())})
