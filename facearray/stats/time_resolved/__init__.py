"""Statistics at every time: values of units in windows, and tests over all of them."""
