"""What :mod:`facearray.assets` is made of: the registry, the sources and the fetching."""
