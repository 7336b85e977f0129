"""From videos to rows of a store: sources, decoding, detectors, the plan and the run."""
