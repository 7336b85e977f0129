"""`xarray.open_dataset(..., engine="facearray")`: other tools' files through xarray's own door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

import xarray as xr
from xarray.backends import BackendEntrypoint

__all__ = ["FacearrayBackend"]


class FacearrayBackend(BackendEntrypoint):
    """Opens what :func:`facearray.read` reads, if it is named as the engine; it never guesses other people's files.

    A list or glob of files is one Dataset already: give it to ``xarray.open_dataset``. ``xarray.open_mfdataset`` puts
    together arrays of one size, which recordings of different length are not.

    Examples
    --------
    >>> import tempfile
    >>> import pandas as pd
    >>> columns = ["frame", "face_id", "timestamp", "confidence", "success", "gaze_angle_x", "gaze_angle_y"]
    >>> table = pd.DataFrame([[1, 0, 0.0, 0.98, 1, 0.1, -0.2]], columns=columns)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     table.to_csv(f"{folder}/001.csv", index=False)
    ...     ds = xr.open_dataset(f"{folder}/001.csv", engine="facearray", source="openface")
    >>> ds.feature.values.tolist()
    ['FaceScore', 'gaze_pitch', 'gaze_yaw']
    """

    description: ClassVar[str] = "Detections of faces that other tools wrote: py-feat, OpenFace, iMotions and others"
    open_dataset_parameters: ClassVar[tuple[str, ...]] = ("filename_or_obj", "drop_variables", "source", "fps")

    def open_dataset(
        self,
        filename_or_obj: Any,
        *,
        drop_variables: str | Iterable[str] | None = None,
        source: str = "auto",
        fps: float | None = None,
    ) -> xr.Dataset:
        """Read files; see :func:`facearray.read`."""
        from facearray.io.read import read

        ds = read(filename_or_obj, source=source, fps=fps)
        names = [drop_variables] if isinstance(drop_variables, str) else list(drop_variables or ())
        return ds.drop_vars(names, errors="ignore")

    def guess_can_open(self, filename_or_obj: Any) -> bool:  # noqa: ARG002
        """Say no: a CSV file may be anybody's."""
        return False
