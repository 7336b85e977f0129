"""The accessor ``.fex`` of Datasets and DataArrays.

Every member is a public function whose first argument is the object. A new one is one line here; then run
``python tools/accessor_stub.py`` to renew the stub that editors and type checkers read.
"""

from __future__ import annotations

import xarray as xr

from facearray._members import Attribute, Method

__all__ = ["DataArrayAccessor", "DatasetAccessor", "PlotAccessor"]


class PlotAccessor:
    """Pictures of the object, as HoloViews objects."""

    def __init__(self, obj: xr.Dataset | xr.DataArray) -> None:
        self._obj = obj

    bars = Method("facearray.plot")
    coefficients = Method("facearray.plot")
    cooccurrence = Method("facearray.plot")
    distribution = Method("facearray.plot")
    embedding = Method("facearray.plot")
    face = Method("facearray.plot")
    generalization = Method("facearray.plot")
    isc = Method("facearray.plot")
    landmarks = Method("facearray.plot")
    over_time = Method("facearray.plot")
    quality = Method("facearray.plot")
    raster = Method("facearray.plot")
    render = Method("facearray.plot")
    timeseries = Method("facearray.plot")
    trajectory = Method("facearray.plot")


class DataArrayAccessor:
    """What facearray offers on a DataArray."""

    def __init__(self, obj: xr.DataArray) -> None:
        self._obj = obj

    select = Method("facearray.selectors")
    aus = Attribute("facearray.selectors")
    emotions = Attribute("facearray.selectors")
    poses = Attribute("facearray.selectors")
    gaze = Attribute("facearray.selectors")
    affect = Attribute("facearray.selectors")
    blendshapes = Attribute("facearray.selectors")
    facebox = Attribute("facearray.selectors")
    time = Attribute("facearray.selectors")
    join = Method("facearray.tables")
    annotate = Method("facearray.intervals")
    rename_videos = Method("facearray.combine")
    to_dataframe = Method("facearray.io.dataframe")
    decompose = Method("facearray.signal")

    @property
    def plot(self) -> PlotAccessor:
        """Pictures of the object, as HoloViews objects."""
        return PlotAccessor(self._obj)


class DatasetAccessor(DataArrayAccessor):
    """What facearray offers on a Dataset."""

    def __init__(self, obj: xr.Dataset) -> None:
        self._obj = obj

    landmarks = Attribute("facearray.selectors")
    embedding = Attribute("facearray.selectors")
    identities = Method("facearray.identities")
    quality = Method("facearray.signal")
    rectify = Method("facearray.signal")
    mask = Method("facearray.signal")
    interpolate = Method("facearray.signal")
    baseline = Method("facearray.signal")
    clean = Method("facearray.signal")
    smooth = Method("facearray.signal")
    resample = Method("facearray.signal")
    bin = Method("facearray.signal")
    steps = Method("facearray.signal")
    events = Method("facearray.signal")
    blinks = Method("facearray.signal")
    smiles = Method("facearray.signal")
    cooccurrence = Method("facearray.signal")
    cooccurrence_network = Method("facearray.signal")
    asymmetry = Method("facearray.signal")
    synchrony = Method("facearray.signal")
    align = Method("facearray.signal")
    to_grid = Method("facearray.signal")
    distance = Method("facearray.signal")
    similarity = Method("facearray.signal")
    spectrum = Method("facearray.signal")
    wavelet = Method("facearray.signal")
    multi_wavelet = Method("facearray.signal")
    boft = Method("facearray.signal")
    summarize = Method("facearray.stats")
    regress = Method("facearray.stats")
    ttest = Method("facearray.stats")
    decode = Method("facearray.stats")
    missingness = Method("facearray.stats")
    pose_confound = Method("facearray.stats")
    action_units = Method("facearray.models")
    isc = Method("facearray.stats")
    isfc = Method("facearray.stats")
    isc_mean = Method("facearray.stats")
    isc_difference = Method("facearray.stats")
    isc_bootstrap = Method("facearray.stats")
    isc_order = Method("facearray.stats")
    mantel = Method("facearray.stats")
    reliability = Method("facearray.stats")
    split_half = Method("facearray.stats")
    agreement = Method("facearray.stats")
    decode_over_time = Method("facearray.stats")
    regress_over_time = Method("facearray.stats")
    cluster_test = Method("facearray.stats")
    event_average = Method("facearray.stats")
    event_test = Method("facearray.stats")
    clusters = Method("facearray.stats")


def _register() -> None:
    for cls in (xr.Dataset, xr.DataArray):
        # A second import of this module replaces its own accessors; only one of another package is a clash.
        if getattr(getattr(cls, "fex", None), "__module__", None) == __name__:
            delattr(cls, "fex")
    xr.register_dataset_accessor("fex")(DatasetAccessor)
    xr.register_dataarray_accessor("fex")(DataArrayAccessor)


_register()
