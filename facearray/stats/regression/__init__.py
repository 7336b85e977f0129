"""The parts of a regression: the request, the design, the fit of units or frames, the result."""
