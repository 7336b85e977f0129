"""Statistics on ndarrays: no labels, numpy and scipy only."""
