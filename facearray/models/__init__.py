"""The networks, in torch, with the readers of their weights, and the action units that follow from their results."""

from facearray.models.au_map import AUMap
from facearray.models.au_table import AUS
from facearray.models.au_terms import ActionUnit
from facearray.models.aus import action_units

__all__ = ["AUS", "AUMap", "ActionUnit", "action_units"]
