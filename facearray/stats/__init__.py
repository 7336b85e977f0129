"""Group statistics on detections: labelled, lazy until a result has to be small, and by units that are independent."""

from facearray.stats.agreement import agreement
from facearray.stats.cluster_test import cluster_test
from facearray.stats.clusters import clusters
from facearray.stats.corrections import adjust
from facearray.stats.decode import decode
from facearray.stats.decode_over_time import decode_over_time
from facearray.stats.decoding.result import Decoding
from facearray.stats.describe import describe
from facearray.stats.event_average import event_average
from facearray.stats.event_test import event_test
from facearray.stats.isc import isc
from facearray.stats.isc_matrices import isc_bootstrap, isc_difference, isc_mean
from facearray.stats.isc_order import isc_order
from facearray.stats.isfc import isfc
from facearray.stats.mantel import mantel
from facearray.stats.missingness import missingness
from facearray.stats.pose import pose_confound
from facearray.stats.regress import regress
from facearray.stats.regress_over_time import regress_over_time
from facearray.stats.reliability import reliability, split_half
from facearray.stats.summarize import summarize
from facearray.stats.ttest import ttest
from facearray.stats.units import UnitValues, unit_values

__all__ = [
    "Decoding",
    "UnitValues",
    "adjust",
    "agreement",
    "cluster_test",
    "clusters",
    "decode",
    "decode_over_time",
    "describe",
    "event_average",
    "event_test",
    "isc",
    "isc_bootstrap",
    "isc_difference",
    "isc_mean",
    "isc_order",
    "isfc",
    "mantel",
    "missingness",
    "pose_confound",
    "regress",
    "regress_over_time",
    "reliability",
    "split_half",
    "summarize",
    "ttest",
    "unit_values",
]
