"""Pictures of detections and results, as HoloViews objects that are never shown by us."""

from facearray.plot.report import write_report
from facearray.plot.timeseries import timeseries

__all__ = ["timeseries", "write_report"]
