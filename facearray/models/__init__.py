"""Torch networks, the readers of their weights, and the geometry around them."""
