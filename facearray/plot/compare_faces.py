"""Faces side by side, to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import xarray as xr

from facearray.errors import InputError
from facearray.plot import _style
from facearray.plot._face_values import face_values, ranged
from facearray.plot.face import Muscles, View, colour_limits, draw, make_drawing, movement_factor

if TYPE_CHECKING:
    import holoviews as hv

    from facearray.plot.face_model import FaceModel

__all__ = ["compare_faces"]

#: Most faces of one picture.
MAX_FACES = 60


def compare_faces(
    faces: Mapping[str, Any] | Sequence[Any] | xr.DataArray,
    *,
    muscles: Muscles = "heatmap",
    gaze: tuple[float, float] | Mapping[str, float] | None = None,
    view: View = "2d",
    vectorfield: Any = None,
    feature_range: tuple[float, float] | None = None,
    exaggerate: float | None = None,
    model: FaceModel | None = None,
    clim: tuple[float, float] | None = None,
    cols: int | None = None,
    title: str | None = None,
) -> hv.Layout:
    """Draw several faces side by side, with the same colours and the same factor of movement.

    Parameters
    ----------
    faces
        Faces by name, as the first argument of `facearray.plot.face` each; or a sequence of them; or a DataArray with
        one dim besides ``feature``, along which they are: ``summary["mean"].isel(face=0)``.
    muscles, gaze, view, vectorfield, feature_range, exaggerate, model, clim
        As for `facearray.plot.face`, for all faces. The default of `clim` and `exaggerate` follows from all of them
        together, and `feature_range` is applied to all together.
    cols
        Faces a row; by default up to four.
    title
        Put before the name of each face.

    Returns
    -------
    holoviews.Layout
        A picture a face; the last one has the colour bar of all.

    Raises
    ------
    InputError
        As for `facearray.plot.face`, naming the face; or if there is no face.

    Notes
    -----
    If one of the faces has a value below 0, the values of all are taken as differences.

    Examples
    --------
    >>> picture = compare_faces({"smile": {"AU12": 1}, "frown": {"AU04": 0.5}})
    >>> len(picture)
    2
    """
    named = _by_name(faces)
    if not 1 <= len(named) <= MAX_FACES:
        raise InputError(f"found {len(named)} faces; expected 1 to {MAX_FACES}")
    if cols is not None and cols < 1:
        raise InputError(f"found cols={cols}; expected 1 or more")
    found = {}
    for name, values in named.items():
        try:
            found[name] = face_values(values, gaze=gaze)
        except InputError as error:
            raise InputError(f"face {name!r}: {error}") from error
    # with one difference among them, all are
    signed = any(values.signed for values in found.values())
    found = {name: replace(values, signed=signed) for name, values in found.items()}
    if feature_range is not None:
        found = dict(zip(found, ranged(tuple(found.values()), feature_range), strict=True))
    drawn = [values for values in found.values() if values.landmarks is None]
    limits = clim or max((colour_limits(values) for values in drawn), key=lambda pair: pair[1], default=(0.0, 1.0))
    factors = [movement_factor(values, exaggerate) for values in drawn]
    factor = min((own for own in factors if own is not None), default=None)
    start = None if vectorfield is None else face_values(vectorfield)
    pictures = []
    for i, (name, values) in enumerate(found.items()):
        own = None if values.landmarks is not None else factor
        pictures.append(
            draw(
                make_drawing(values, view, own, model),
                muscles,
                start=None if start is None else make_drawing(start, view, None, model),
                clim=limits,
                title=name if title is None else f"{title}: {name}",
                colorbar=i == len(found) - 1,
            )
        )
    cols = min(cols or 4, len(pictures))
    _style.load_backends()
    import holoviews as hv

    size = (3.0 * cols + 0.9, 3.9 * -(-len(pictures) // cols))
    layout = hv.Layout(pictures).cols(cols)
    return layout.opts(backend="matplotlib", sublabel_format="", fig_inches=size, hspace=0.05, vspace=0.15)


def _by_name(faces: Any) -> dict[str, Any]:
    if isinstance(faces, Mapping):
        return {str(name): values for name, values in faces.items()}
    if isinstance(faces, xr.DataArray):
        others = [dim for dim in faces.dims if dim not in ("feature", "landmark", "axis") and faces.sizes[dim] > 1]
        if len(others) != 1:
            raise InputError(
                f"found dims {', '.join(map(str, faces.dims))}; expected one, besides feature, along which the faces "
                "are: choose with .isel(), or average with .mean()"
            )
        (along,) = others
        names = faces[along].to_numpy().tolist() if along in faces.coords else range(faces.sizes[along])
        return {f"{name}": faces.isel({along: i}) for i, name in enumerate(names)}
    if isinstance(faces, Sequence) and not isinstance(faces, str):
        return {str(i + 1): values for i, values in enumerate(faces)}
    raise InputError(f"found {type(faces).__name__}; expected faces by name, a sequence of faces, or a DataArray")
