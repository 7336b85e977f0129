"""A self-contained page on a store: quality, statistics and time courses, with pictures of faces only on request."""

from facearray.plot.report.page import write_report
from facearray.plot.report.videos import video_table

__all__ = ["video_table", "write_report"]
