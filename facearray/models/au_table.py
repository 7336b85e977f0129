"""Twenty facial action units as a documented function of blendshapes and mesh.

There is no network behind them. What each estimate is made of comes from the definitions of the Facial Action Coding
System and from anatomy; its weights are round numbers that were chosen beforehand, nothing is fitted.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray.errors import InputError, unknown_names
from facearray.models.au_terms import (
    PARTS,
    ActionUnit,
    Baseline,
    Blendshape,
    Change,
    Combined,
    Readings,
    Remainder,
    Term,
    blendshapes_of,
)
from facearray.models.mesh_measures import measure, resting_landmarks, whole_and_sides
from facearray.schema import GROUPS

__all__ = ["AUS", "estimate", "estimate_parts", "resting_baseline"]

_N_BLENDSHAPES = len(GROUPS["blendshapes"].features)


def _up(measure: str, full: float, *, neutral: bool = False) -> Change:
    return Change("up", measure, full, neutral)


def _down(measure: str, full: float, *, neutral: bool = False) -> Change:
    return Change("down", measure, full, neutral)


def _all(how: Literal["mean", "largest", "smallest", "product", "geometric mean", "sum up to 1"], *terms: Term) -> Term:
    return Combined(how, terms)


_SMILE = _all("mean", Blendshape("mouthSmile"), _up("corner_y", 0.8))
_OPEN_EYES = Remainder(Blendshape("eyeBlink"))
_LITTLE_SMILE = Remainder(_SMILE, 0.5)
_CLOSED_LIPS = Remainder(_up("gap", 0.6))
_BLINK, _SHUT = Blendshape("eyeBlink"), _down("aperture", 1.0)

#: Every action unit by name, in storage order.
AUS: Mapping[str, ActionUnit] = MappingProxyType(
    {
        unit.name: unit
        for unit in (
            ActionUnit(
                "AU01",
                "inner brow raiser",
                "inner brow up, oblique",
                "frontalis, medial part",
                "good",
                ((0.5, Blendshape("browInnerUp")), (0.5, _up("brow_in", 1.2))),
            ),
            ActionUnit(
                "AU02",
                "outer brow raiser",
                "outer brow arched up",
                "frontalis, lateral part",
                "good",
                ((0.5, Blendshape("browOuterUp")), (0.5, _up("brow_out", 1.0))),
            ),
            ActionUnit(
                "AU04",
                "brow lowerer",
                "brows down or together; with AU01 raised but knit",
                "corrugator, depressor supercilii, procerus",
                "poor",
                (
                    (0.4, Blendshape("browDown")),
                    (0.2, _down("brow_gap", 0.5, neutral=True)),
                    (0.4, _all("largest", _down("brow_in", 0.6, neutral=True), _up("oblique", 0.4, neutral=True))),
                ),
            ),
            ActionUnit(
                "AU05",
                "upper lid raiser",
                "upper lid up, more of the white shows",
                "levator palpebrae",
                "fair",
                (
                    (0.6, _all("product", Blendshape("eyeWide"), _OPEN_EYES)),
                    (0.4, _all("product", _up("upper_lid", 0.3), _OPEN_EYES)),
                ),
            ),
            ActionUnit(
                "AU06",
                "cheek raiser",
                "cheeks and infraorbital triangle up, crow's feet",
                "orbicularis oculi, orbital part",
                "fair",
                (
                    (0.25, Blendshape("cheekSquint")),
                    (0.25, _up("cheek", 0.5)),
                    (0.25, _up("cheek_x", 0.8)),
                    (0.25, _all("geometric mean", Blendshape("eyeSquint"), _SMILE)),
                ),
            ),
            ActionUnit(
                "AU07",
                "lid tightener",
                "lower lid up and tense, aperture narrow",
                "orbicularis oculi, palpebral part",
                "good",
                (
                    (0.5, _all("product", Blendshape("eyeSquint"), _OPEN_EYES)),
                    (0.3, _all("product", _up("lower_lid", 0.3), _OPEN_EYES)),
                    (0.2, _all("product", _down("aperture", 0.5), _OPEN_EYES)),
                ),
            ),
            ActionUnit(
                "AU09",
                "nose wrinkler",
                "wings of the nose up, its root wrinkled, brow down",
                "levator labii superioris alaeque nasi",
                "poor",
                (
                    (0.6, Blendshape("noseSneer")),
                    (0.4, _all("smallest", _up("ala", 0.4), _down("brow_in", 0.6, neutral=True))),
                ),
            ),
            ActionUnit(
                "AU10",
                "upper lip raiser",
                "upper lip up, nasolabial fold pouched",
                "levator labii superioris",
                "fair",
                ((0.4, Blendshape("mouthUpperUp")), (0.4, _up("upper_lip", 0.6)), (0.2, _up("fold", 0.6))),
            ),
            ActionUnit(
                "AU11",
                "nasolabial deepener",
                "upper and middle nasolabial fold deepened",
                "zygomaticus minor",
                "poor",
                ((0.5, _up("fold", 0.6)), (0.5, _up("fold_x", 0.8))),
            ),
            ActionUnit(
                "AU12",
                "lip corner puller",
                "lip corners up and out",
                "zygomaticus major",
                "good",
                ((0.5, Blendshape("mouthSmile")), (0.25, _up("corner_y", 0.8)), (0.25, _up("width", 1.5))),
            ),
            ActionUnit(
                "AU14",
                "dimpler",
                "lip corners tightened, in and back",
                "buccinator",
                "fair",
                ((0.4, Blendshape("mouthDimple")), (0.3, _down("corner_z", 0.6)), (0.3, _down("corner_height", 0.6))),
            ),
            ActionUnit(
                "AU15",
                "lip corner depressor",
                "lip corners down",
                "depressor anguli oris",
                "poor",
                ((0.5, Blendshape("mouthFrown")), (0.5, _down("corner_rel", 0.6, neutral=True))),
            ),
            ActionUnit(
                "AU17",
                "chin raiser",
                "chin boss and lower lip up, arched",
                "mentalis",
                "poor",
                ((0.4, Blendshape("mouthShrugLower")), (0.3, _down("boss", 0.6)), (0.3, _up("arch", 0.5))),
            ),
            ActionUnit(
                "AU20",
                "lip stretcher",
                "lip corners back, lips flat",
                "risorius, platysma",
                "poor",
                (
                    (0.4, Blendshape("mouthStretch")),
                    (0.3, _all("product", _up("width", 1.5, neutral=True), _LITTLE_SMILE)),
                    (0.15, _all("product", _down("upper_thickness", 0.4, neutral=True), _LITTLE_SMILE)),
                    (0.15, _all("product", _down("lower_thickness", 0.4, neutral=True), _LITTLE_SMILE)),
                ),
            ),
            ActionUnit(
                "AU23",
                "lip tightener",
                "lips tight, narrow, thinner",
                "orbicularis oris",
                "fair",
                (
                    (0.3, Blendshape("mouthPress")),
                    (0.3, _all("mean", Blendshape("mouthRollLower"), Blendshape("mouthRollUpper"))),
                    (0.4, _down("width", 1.0, neutral=True)),
                ),
            ),
            ActionUnit(
                "AU24",
                "lip pressor",
                "lips pressed together",
                "orbicularis oris",
                "fair",
                (
                    (0.5, _all("product", Blendshape("mouthPress"), _CLOSED_LIPS)),
                    (0.3, _all("product", _down("upper_thickness", 0.4), _CLOSED_LIPS)),
                    (0.2, _all("product", _down("lower_thickness", 0.4), _CLOSED_LIPS)),
                ),
            ),
            ActionUnit(
                "AU25",
                "lips part",
                "lips apart",
                "depressor labii, relaxed mentalis",
                "good",
                ((0.7, _up("gap", 1.2)), (0.15, Blendshape("jawOpen")), (0.15, Blendshape("mouthLowerDown"))),
            ),
            ActionUnit(
                "AU26",
                "jaw drop",
                "mandible down",
                "masseter, relaxed",
                "fair",
                (
                    (0.4, _all("sum up to 1", Blendshape("jawOpen"), Blendshape("mouthClose"))),
                    (0.4, _up("chin", 2.0)),
                    (0.2, _down("lower_lip", 1.5)),
                ),
            ),
            ActionUnit(
                "AU28",
                "lip suck",
                "lips rolled in",
                "orbicularis oris",
                "poor",
                (
                    (0.4, Blendshape("mouthRollLower")),
                    (0.2, Blendshape("mouthRollUpper")),
                    (0.2, _down("lower_thickness", 0.5)),
                    (0.2, _down("upper_thickness", 0.5)),
                ),
            ),
            ActionUnit(
                "AU43",
                "eyes closed",
                "lids shut",
                "levator palpebrae, relaxed",
                "good",
                ((0.5, _all("product", _BLINK, _BLINK)), (0.5, _all("product", _SHUT, _SHUT))),
            ),
        )
    }
)


def estimate(blendshapes: ArrayLike, landmarks: ArrayLike, baseline: Baseline | None = None) -> NDArray[np.float32]:
    """Estimate the intensity of 20 action units.

    Parameters
    ----------
    blendshapes
        (n, 52) values 0 to 1 in the order of the feature group ``blendshapes``.
    landmarks
        (n, 478, 3) points in pixels (x right, y down, z away from the camera, in the same scale).
    baseline
        What counts as no expression; by default :func:`resting_baseline`, with which the values of a face depend on
        nothing but that face.

    Returns
    -------
    ndarray
        (n, 20) intensities 0 to 1 in the order of the feature group ``aus``. NaN for a face with a missing point or
        blendshape.

    Raises
    ------
    InputError
        If blendshapes or landmarks have another shape, or not the same number of faces.

    References
    ----------
    Ekman, P., Friesen, W. V. & Hager, J. C. (2002). Facial Action Coding System: The manual. Research Nexus.

    Examples
    --------
    >>> at_rest = 30 * resting_landmarks()[None] + (320, 180, 0)  # doctest: +SKIP
    >>> smile = np.char.startswith(GROUPS["blendshapes"].features, "mouthSmile")[None]  # doctest: +SKIP
    >>> estimate(smile, at_rest)[0, list(AUS).index("AU12")].item()  # doctest: +SKIP
    0.5
    """
    return estimate_parts(blendshapes, landmarks, baseline, parts=("face",))[:, :, 0]


def estimate_parts(
    blendshapes: ArrayLike, landmarks: ArrayLike, baseline: Baseline | None = None, *, parts: tuple[str, ...] = PARTS
) -> NDArray[np.float32]:
    """Estimate the intensity of 20 action units of the whole face and of the subject's sides.

    A side's estimate has the measures and blendshapes of that side, and those that have no sides. As estimates end at 0
    and 1, that of the whole face is not the mean of those of the sides.

    Parameters
    ----------
    blendshapes, landmarks, baseline
        As for :func:`estimate`.
    parts
        Some of ``PARTS``.

    Returns
    -------
    ndarray
        (n, 20, n_part) intensities, NaN as from :func:`estimate`.

    Raises
    ------
    InputError
        As from :func:`estimate`, or if a part is unknown.

    References
    ----------
    Ekman, P., Friesen, W. V. & Hager, J. C. (2002). Facial Action Coding System: The manual. Research Nexus.

    Examples
    --------
    >>> at_rest = 30 * resting_landmarks()[None] + (320, 180, 0)  # doctest: +SKIP
    >>> left_smile = np.isin(GROUPS["blendshapes"].features, ["mouthSmileLeft"])[None]  # doctest: +SKIP
    >>> estimate_parts(left_smile, at_rest)[0, list(AUS).index("AU12")].round(6).tolist()  # doctest: +SKIP
    [0.25, 0.0, 0.5]
    """
    if unknown := [part for part in parts if part not in PARTS]:
        raise unknown_names("part of the face", unknown, PARTS)
    shapes, values = np.asarray(blendshapes, np.float64), whole_and_sides(measure(landmarks))
    if shapes.shape != (len(values), _N_BLENDSHAPES):
        raise InputError(f"found blendshapes of shape {shapes.shape}; expected {(len(values), _N_BLENDSHAPES)}")
    missing = np.isnan(values).any(axis=(1, 2)) | ~np.isfinite(shapes).all(axis=1)
    baseline = resting_baseline() if baseline is None else baseline
    shapes = np.clip((shapes - baseline.blendshapes) / (1.0 - baseline.blendshapes), 0.0, 1.0)
    intensities = np.empty((len(values), len(AUS), len(parts)), np.float32)
    for i, part in enumerate(parts):
        p = PARTS.index(part)
        readings = Readings(
            {name: shapes[:, columns].mean(axis=1) for name, columns in _blendshape_columns(part).items()},
            values[:, :, p],
            *(end[..., p] for end in (baseline.low, baseline.neutral, baseline.high)),
        )
        intensities[:, :, i] = np.stack([unit.value(readings) for unit in AUS.values()], axis=1)
    intensities[missing] = np.nan
    return intensities


@functools.cache
def resting_baseline() -> Baseline:
    """Return the baseline of the canonical face: its measures at rest, and blendshapes that count from 0.

    Where faces of one person can be pooled, a baseline of that person takes out how the face differs from the
    canonical one.
    """
    resting, none = whole_and_sides(measure(resting_landmarks()[None]))[0], np.zeros(_N_BLENDSHAPES)
    resting.flags.writeable = none.flags.writeable = False
    return Baseline(low=resting, neutral=resting, high=resting, blendshapes=none)


@functools.cache
def _blendshape_columns(part: str) -> dict[str, list[int]]:
    used = {shape for unit in AUS.values() for _, term in unit.terms for shape in blendshapes_of(term)}
    return {shape.name: shape.columns(part) for shape in sorted(used, key=str)}
