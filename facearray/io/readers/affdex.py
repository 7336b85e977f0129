"""What the metrics of Affectiva's AFFDEX are in the schema."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

__all__ = ["ANGLES", "CONVERSIONS", "METRICS", "OTHER", "divisor", "feature", "is_metric"]

#: Feature of each metric of the schema's meaning; all are 0 to 100, valence is -100 to 100.
METRICS: Mapping[str, str] = MappingProxyType(
    {
        "anger": "anger",
        "disgust": "disgust",
        "fear": "fear",
        "joy": "happiness",
        "sadness": "sadness",
        "surprise": "surprise",
        "neutral": "neutral",
        "valence": "valence",
        "innerbrowraise": "AU01",
        "browraise": "AU02",
        "browfurrow": "AU04",
        "eyewiden": "AU05",
        "cheekraise": "AU06",
        "lidtighten": "AU07",
        "nosewrinkle": "AU09",
        "upperlipraise": "AU10",
        "smile": "AU12",
        "dimpler": "AU14",
        "lipcornerdepressor": "AU15",
        "chinraise": "AU17",
        "lipstretch": "AU20",
        "lippress": "AU24",
        "mouthopen": "AU25",
        "jawdrop": "AU26",
        "lipsuck": "AU28",
        "eyeclosure": "AU43",
    }
)

#: Metrics of 0 to 100 that the schema does not have.
OTHER = ("attention", "confusion", "contempt", "engagement", "lippucker", "sentimentality", "smirk")

#: Angles of the head. Which way each is positive is not known, so they are not the schema's.
ANGLES = ("pitch", "yaw", "roll")

_UNSCALED = ("blink", "blinkrate", "interoculardistance")

#: For the documentation, and the notes of recordings.
CONVERSIONS = (
    ("emotions, `joy` as `happiness`", "divided by 100; each on its own, so they do not sum to 1"),
    ("expressions, such as `smile` (AU12) or `browFurrow` (AU04)", "action units, divided by 100"),
    ("`valence`", "divided by 100: -1 to 1"),
    (", ".join(f"`{name}`" for name in OTHER), "`other`, divided by 100"),
    ("`pitch`, `yaw`, `roll`", "`other`, as `AFFDEX pitch` …: which way they are positive is not known"),
)


def feature(metric: str) -> str:
    """Feature of a metric, however the source spells it; its own name where the schema has none.

    Examples
    --------
    >>> feature("Inner Brow Raise"), feature("innerBrowRaise"), feature("Smirk"), feature("Pitch")
    ('AU01', 'AU01', 'Smirk', 'AFFDEX Pitch')
    """
    key = _key(metric)
    return METRICS.get(key, f"AFFDEX {metric}" if key in ANGLES else metric)


def divisor(metric: str) -> float:
    """Return what a metric is divided by.

    Examples
    --------
    >>> divisor("smirk"), divisor("Interocular Distance")
    (100.0, 1.0)
    """
    return 100.0 if _key(metric) in METRICS or _key(metric) in OTHER else 1.0


def is_metric(name: str) -> bool:
    """Tell metrics from other columns, such as those of other sensors.

    Examples
    --------
    >>> is_metric("Brow Furrow"), is_metric("PupilLeft")
    (True, False)
    """
    return _key(name) in {*METRICS, *OTHER, *ANGLES, *_UNSCALED}


def _key(metric: str) -> str:
    return metric.replace(" ", "").lower()
