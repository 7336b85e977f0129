"""Group statistics on detections: labelled, lazy until a result has to be small, and by units that are independent."""

from facearray.stats.corrections import adjust
from facearray.stats.missingness import missingness
from facearray.stats.pose import pose_confound
from facearray.stats.summarize import summarize
from facearray.stats.units import UnitValues, unit_values

__all__ = ["UnitValues", "adjust", "missingness", "pose_confound", "summarize", "unit_values"]
