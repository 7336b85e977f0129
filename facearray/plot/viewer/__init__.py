"""A page to look at a store in a browser: its videos, time courses, groups and correlations."""

from facearray.plot.viewer.server import Viewer, view

__all__ = ["Viewer", "view"]
