"""The networks, in torch, with the readers of their weights, and what is computed from their results."""

from facearray.models.au_table import AUS

__all__ = ["AUS"]
