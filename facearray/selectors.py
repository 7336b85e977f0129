"""Parts of a Dataset by name: groups of features, single features, landmarks, embeddings, times.

Nothing is read or computed but the labels of the features, and attributes are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import xarray as xr

from facearray import schema
from facearray.errors import InputError, SchemaError, unknown_names

__all__ = [
    "affect",
    "aus",
    "blendshapes",
    "embedding",
    "emotions",
    "facebox",
    "gaze",
    "landmarks",
    "poses",
    "select",
    "time",
]


def select(ds: xr.Dataset | xr.DataArray, what: str | Iterable[str]) -> xr.Dataset | xr.DataArray:
    """Select features by their names and the names of their groups.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim, such as the result of a statistic.
    what
        Names of groups (see `facearray.schema.GROUPS`) and features in any mix: a list, or a string with commas
        between the names. A group stands for its features in the order in which ``ds`` has them.

    Returns
    -------
    object
        The features in the order of the request, each once. Detections give their ``features`` variable, with dims
        (video, frame, face, feature), named after the group where one group was asked for. A Dataset without a
        variable ``features``, such as a result with one variable a statistic, gives a Dataset whose variables are
        all cut to the features. A DataArray gives a DataArray of the same name. Missing values stay NaN, and what is
        lazy stays lazy.

    Raises
    ------
    InputError
        If a name is unknown, or stands for features that ``ds`` does not have, or if no name is given.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Notes
    -----
    Which feature belongs to which group is read from the coordinate ``group`` where there is one, else from
    `facearray.schema`.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> means = xr.DataArray(np.arange(4.0), coords={"feature": ["Yaw", "AU12", "anger", "AU01"]}, name="mean")
    >>> select(means, "aus, Yaw").feature.values.tolist()
    ['AU12', 'AU01', 'Yaw']
    """
    names = _requested_names(what)
    groups = _groups_of_features(ds)
    wanted = _resolve(names, groups)
    place = {feature: i for i, feature in enumerate(groups)}
    selected = _features_of(ds).isel(feature=[place[feature] for feature in wanted])
    if isinstance(ds, xr.Dataset) and isinstance(selected, xr.DataArray) and len(names) == 1 and names[0] not in groups:
        return selected.rename(names[0])
    return selected


def feature_names(ds: xr.Dataset | xr.DataArray, what: str | Iterable[str]) -> list[str]:
    """Names of the features that `select` selects, without a value being read or copied; not a member of ``.fex``.

    Parameters
    ----------
    ds, what
        As for `select`.

    Raises
    ------
    InputError, SchemaError
        As from `select`.
    """
    return _resolve(_requested_names(what), _groups_of_features(ds))


def aus(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select the facial action units, ``AU01`` to ``AU43``: intensities from 0 to 1.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([3.0, 0.25], coords={"feature": ["Yaw", "AU12"]}, name="mean")
    >>> aus(means).item()
    0.25
    """
    return select(ds, "aus")


def emotions(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select the probabilities of the seven expressions, ``anger`` to ``neutral``, which sum to 1.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([1.0, 0.25], coords={"feature": ["AU12", "anger"]}, name="mean")
    >>> emotions(means).item()
    0.25
    """
    return select(ds, "emotions")


def poses(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select the head's rotation ``Pitch Roll Yaw`` in degrees and position ``X Y Z`` in cm.

    ``facearray.schema.FEATURES`` has the positive direction of each: of ``Pitch`` nose down, of ``Yaw`` nose to the
    image's right, of ``Roll`` top of the head to the image's left.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([1.0, 3.0], coords={"feature": ["AU12", "Yaw"]}, name="mean")
    >>> poses(means).item()
    3.0
    """
    return select(ds, "poses")


def gaze(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select the direction of gaze, ``gaze_pitch gaze_yaw``, in degrees: positive down and to the image's right.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([1.0, -4.0], coords={"feature": ["AU12", "gaze_yaw"]}, name="mean")
    >>> gaze(means).item()
    -4.0
    """
    return select(ds, "gaze")


def affect(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select ``valence`` and ``arousal``, from -1 to 1.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([1.0, 0.5], coords={"feature": ["AU12", "valence"]}, name="mean")
    >>> affect(means).item()
    0.5
    """
    return select(ds, "affect")


def blendshapes(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select the 52 ARKit blendshapes, from 0 to 1.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([1.0, 0.75], coords={"feature": ["AU12", "jawOpen"]}, name="mean")
    >>> blendshapes(means).item()
    0.75
    """
    return select(ds, "blendshapes")


def facebox(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    """Select the face's box in pixels of the source frame and the detector's score.

    Parameters
    ----------
    ds
        Detections, or any Dataset or DataArray that has a ``feature`` dim.

    Returns
    -------
    object
        As from `select`; missing values stay NaN.

    Raises
    ------
    InputError
        If there are none in ``ds``.
    SchemaError
        If ``ds`` has no labelled ``feature`` dim.

    Examples
    --------
    >>> import xarray as xr
    >>> means = xr.DataArray([1.0, 0.875], coords={"feature": ["AU12", "FaceScore"]}, name="mean")
    >>> facebox(means).item()
    0.875
    """
    return select(ds, "facebox")


def landmarks(ds: xr.Dataset) -> xr.DataArray:
    """Select the points of the face mesh, in pixels of the source frame.

    Parameters
    ----------
    ds
        Detections.

    Returns
    -------
    object
        The variable ``landmarks`` with dims (video, frame, face, landmark, axis); NaN where there is no face.

    Raises
    ------
    SchemaError
        If ``ds`` has none.

    Examples
    --------
    >>> from facearray.testing import random_dataset
    >>> landmarks(random_dataset(0, n_landmarks=478)).dims
    ('video', 'frame', 'face', 'landmark', 'axis')
    """
    return _variable(ds, "landmarks", "detect with landmarks=True")


def embedding(ds: xr.Dataset) -> xr.DataArray:
    """Select the identity embeddings, each of unit L2 norm.

    Parameters
    ----------
    ds
        Detections.

    Returns
    -------
    object
        The variable ``embedding`` with dims (video, frame, face, component); NaN where there is no face.

    Raises
    ------
    SchemaError
        If ``ds`` has none.

    Examples
    --------
    >>> import numpy as np
    >>> import xarray as xr
    >>> ds = xr.Dataset({"embedding": (("video", "frame", "face", "component"), np.eye(1, 128)[None, None])})
    >>> embedding(ds).sizes["component"]
    128
    """
    return _variable(ds, "embedding", "detect with embedding=True")


def time(ds: xr.Dataset | xr.DataArray) -> xr.DataArray:
    """Select the presentation times of the frames, in seconds.

    Parameters
    ----------
    ds
        Detections, or a part of them.

    Returns
    -------
    object
        The coordinate ``timestamp`` with dims (video, frame); NaN in padding.

    Raises
    ------
    SchemaError
        If ``ds`` has none.

    Examples
    --------
    >>> import xarray as xr
    >>> ds = xr.Dataset(coords={"timestamp": (("video", "frame"), [[0.0, 0.04]])})
    >>> time(ds).values
    array([[0.  , 0.04]])
    """
    return _variable(ds, "timestamp", "take it from the detections, before the frames are averaged")


def _requested_names(what: str | Iterable[str]) -> list[str]:
    names = [part.strip() for part in what.split(",")] if isinstance(what, str) else list(what)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise InputError(
            f"found {what!r}; expected names of features and groups, as a string with commas between them or a list: "
            "for instance 'aus,Yaw' or ['aus', 'Yaw']"
        )
    return names


def _groups_of_features(ds: xr.Dataset | xr.DataArray) -> dict[str, str]:
    """Group of each feature, in storage order."""
    if "feature" not in ds.dims or "feature" not in ds.coords:
        dims = ", ".join(str(dim) for dim in ds.dims) or "none"
        raise SchemaError(
            f"found dims {dims}; expected a labelled dim 'feature'; take features from the detections "
            "or from a result before its features are reduced"
        )
    coords = ds.coords.variables
    features = [str(name) for name in coords["feature"].to_numpy()]
    if "group" in coords and coords["group"].dims == ("feature",):
        return dict(zip(features, (str(group) for group in coords["group"].to_numpy()), strict=True))
    return {name: schema.FEATURES[name].group if name in schema.FEATURES else "other" for name in features}


def _resolve(names: Sequence[str], groups: dict[str, str]) -> list[str]:
    """Features that the names stand for, each once, in the order of the names."""
    present = set(groups.values())
    missing = [name for name in names if name not in groups and name not in present]
    unknown = [name for name in missing if name not in schema.GROUPS]
    if unknown:
        raise unknown_names("feature or group", unknown, [*groups, *sorted(present)])
    if missing:
        wanted, found = ", ".join(map(repr, sorted(missing))), ", ".join(sorted(present))
        raise InputError(
            f"found no features of group {wanted} in this Dataset; its groups: {found}; "
            "use a detector or a source that measures them"
        )
    members = [[name] if name in groups else [f for f, group in groups.items() if group == name] for name in names]
    return list(dict.fromkeys(feature for features in members for feature in features))


def _features_of(ds: xr.Dataset | xr.DataArray) -> xr.Dataset | xr.DataArray:
    return ds["features"] if isinstance(ds, xr.Dataset) and "features" in ds.data_vars else ds


def _variable(ds: xr.Dataset | xr.DataArray, name: str, remedy: str) -> xr.DataArray:
    known = {**schema.DATA_VARS, **schema.COORDS}[name]
    if name not in (ds.variables if isinstance(ds, xr.Dataset) else ds.coords):
        found = ", ".join(sorted(str(v) for v in (ds.data_vars if isinstance(ds, xr.Dataset) else ds.coords))) or "none"
        raise SchemaError(f"found no {name!r} among {found}; expected dims ({', '.join(known.dims)}); {remedy}")
    return ds[name]
