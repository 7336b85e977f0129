"""Tables of texts: every value in a column of its own."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facearray.errors import SchemaError
from facearray.io.exporters.form import Form, is_text, missing_text

__all__ = ["N_MESH", "check_texts", "column_names", "landmark_name"]

#: Points of MediaPipe's face mesh.
N_MESH = 478


def column_names(name: str, form: Form) -> list[str]:
    """Names of the columns that a variable's values in one row have, in C order.

    Features, landmarks and embeddings are called as py-feat calls them (``AU12``, ``mesh_x_0``, ``Identity_1``);
    elements of other variables have their position or label behind the variable's name.
    """
    part = form.variables[name]
    if name == "features":
        return [str(feature) for feature in form.values["feature"]]
    if name == "embedding":
        return [f"Identity_{i + 1}" for i in range(form.width(part))]
    labels = [_labels(dim, form) for dim in part.columns]
    if name == "landmarks":
        return [landmark_name(i, axis, form.sizes["landmark"]) for i, axis in itertools.product(*labels)]
    return ["_".join([name, *where]) for where in itertools.product(*labels)]


def landmark_name(landmark: str, axis: str, n_landmarks: int) -> str:
    """Return py-feat's name of a column of landmarks: those of the mesh differ from those of 68 points."""
    return f"mesh_{axis}_{landmark}" if n_landmarks == N_MESH else f"{axis}_{landmark}"


def _labels(dim: str, form: Form) -> list[str]:
    if dim in form.values:
        return [str(label) for label in form.values[dim]]
    return [str(i) for i in range(form.sizes[dim])]


def check_texts(name: str, values: NDArray[Any]) -> None:
    """Make sure that no text of a frame is missing: a table of texts cannot tell it from an empty one.

    Raises
    ------
    SchemaError
        If one is.
    """
    if is_text(values.dtype) and np.any(missing_text(values)):
        raise SchemaError(f"found missing texts in {name!r}; expected a text for every frame; fill them with ''")
