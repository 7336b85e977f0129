"""Time courses before statistics: cleaned, resampled and described, lazily, per video and face, on true seconds."""

__all__: list[str] = []
