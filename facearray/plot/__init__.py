"""Pictures of detections and results, as HoloViews objects that are never shown by us, and rendered videos.

Every picture can be drawn by Bokeh, for looking around, and by matplotlib, for print; `save` takes the one that the
suffix of the file needs.
"""

from facearray.plot.animate_face import animate_face
from facearray.plot.bars import bars
from facearray.plot.coefficients import coefficients
from facearray.plot.compare_faces import compare_faces
from facearray.plot.cooccurrence import cooccurrence
from facearray.plot.decoding import confusion, decoding
from facearray.plot.distribution import distribution
from facearray.plot.embedding import embedding
from facearray.plot.face import face
from facearray.plot.face_model import FaceModel
from facearray.plot.generalization import generalization
from facearray.plot.isc import isc
from facearray.plot.landmarks import landmarks
from facearray.plot.over_time import over_time
from facearray.plot.quality import quality, quality_table
from facearray.plot.raster import raster
from facearray.plot.render import Rendered, render
from facearray.plot.report import write_report
from facearray.plot.saving import save
from facearray.plot.timeseries import timeseries
from facearray.plot.trajectory import trajectory
from facearray.plot.viewer import view

__all__ = [
    "FaceModel",
    "Rendered",
    "animate_face",
    "bars",
    "coefficients",
    "compare_faces",
    "confusion",
    "cooccurrence",
    "decoding",
    "distribution",
    "embedding",
    "face",
    "generalization",
    "isc",
    "landmarks",
    "over_time",
    "quality",
    "quality_table",
    "raster",
    "render",
    "save",
    "timeseries",
    "trajectory",
    "view",
    "write_report",
]
