"""Time courses of several videos on one time axis, and what is computed from all pairs of them."""
