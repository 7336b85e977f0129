"""What is computed from time courses: arrays without labels, the last axis is time."""
