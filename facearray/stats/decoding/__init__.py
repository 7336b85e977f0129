"""Parts of `facearray.stats.decode`."""
