"""Statistics that are about one face in each video."""

from __future__ import annotations

import xarray as xr

from facearray.errors import InputError

__all__ = ["one_face"]


def one_face(ds: xr.Dataset, reason: str) -> xr.Dataset:
    """Give detections of one face their ``face`` dim back if it was taken away by choosing one.

    Parameters
    ----------
    ds
        Detections, or something else, which is left to the check of the schema.
    reason
        Why there may not be several, to end "expected one, ...".

    Raises
    ------
    InputError
        If there are several faces.
    """
    if "features" not in ds.data_vars or "frame" not in ds["features"].dims:
        return ds  # for the check of the schema to say what is wrong
    features = ds["features"]
    if "face" in features.dims:
        if features.sizes["face"] != 1:
            raise InputError(
                f"found {features.sizes['face']} faces; expected one, {reason}: choose it first, as in ds.isel(face=0)"
            )
        return ds
    of_faces = [name for name in ("track_id",) if name in ds.coords]
    ds = ds.drop_vars([*of_faces, *(["face"] if "face" in ds.coords else [])])
    widened = ds["features"].expand_dims("face", axis=features.get_axis_num("frame") + 1)
    return ds.drop_vars([name for name in ds.data_vars if name != "features"]).assign(features=widened)
