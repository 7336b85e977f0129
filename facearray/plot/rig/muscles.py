"""Where the muscles of the action units lie, as patches of the skin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from facearray.plot.rig.mesh import RIGHT_EYE

__all__ = ["MUSCLES", "Muscle"]


@dataclass(frozen=True, slots=True)
class Muscle:
    """A muscle of the subject's right side; that of the left side mirrors it.

    Attributes
    ----------
    name
        As anatomy has it.
    units
        Action units that it stands for.
    outline
        Vertices around it.
    """

    name: str
    units: tuple[str, ...]
    outline: tuple[int, ...]


_UPPER_LID = (33, *RIGHT_EYE.upper, 133, 243, *RIGHT_EYE.upper_fold[::-1], 130)
_LOWER_LID = (33, *RIGHT_EYE.lower, 133, 244, 233, 232, 231, 230, 229, 228, 31, 226, 130)
_AROUND_LIPS = (164, 167, 165, 92, 186, 57, 43, 106, 182, 83, 18, 17, 84, 181, 91, 146, 61, 185, 40, 39, 37, 0)
_UPPER_RED, _LOWER_RED = (
    (0, 37, 39, 40, 185, 61, 78, 191, 80, 81, 82, 13),
    (17, 84, 181, 91, 146, 61, 78, 95, 88, 178, 87, 14),
)
_CRESCENT = (233, 232, 231, 230, 229, 228, 31, 226, 113, 124, 35, 111, 117, 118, 119, 120, 121, 128)

#: Every muscle by name, those that lie deeper first.
MUSCLES: Mapping[str, Muscle] = MappingProxyType(
    {
        muscle.name: muscle
        for muscle in (
            Muscle("masseter", ("AU26",), (137, 123, 147, 213, 192, 138, 215, 177)),
            Muscle("buccinator", ("AU14",), (57, 216, 207, 187, 213, 192, 214, 212)),
            Muscle("mentalis", ("AU17",), (18, 83, 182, 194, 208, 171, 175)),
            Muscle("depressor labii inferioris", ("AU25",), (91, 181, 182, 194, 32, 211, 204, 106)),
            Muscle("depressor anguli oris", ("AU15",), (61, 57, 202, 210, 169, 170, 211, 204, 43)),
            Muscle("risorius", ("AU20",), (57, 212, 214, 138, 135, 210, 202, 43)),
            Muscle("zygomaticus minor", ("AU11",), (118, 101, 36, 206, 92, 186, 216, 205, 50)),
            Muscle("zygomaticus major", ("AU12",), (116, 117, 50, 205, 216, 186, 61, 57, 212, 207, 187, 123)),
            Muscle("levator labii superioris", ("AU10",), (121, 119, 101, 36, 206, 92, 165, 203, 142, 47)),
            Muscle(
                "levator labii superioris alaeque nasi",
                ("AU09",),
                (193, 245, 128, 47, 142, 129, 102, 49, 209, 217, 188),
            ),
            Muscle("orbicularis oris, peripheral part", ("AU23",), _AROUND_LIPS),
            Muscle("orbicularis oris, upper marginal part", ("AU24", "AU28"), _UPPER_RED),
            Muscle("orbicularis oris, lower marginal part", ("AU24", "AU28"), _LOWER_RED),
            Muscle("orbicularis oculi, orbital part", ("AU06",), _CRESCENT),
            Muscle("orbicularis oculi, palpebral part", ("AU07",), _LOWER_LID),
            Muscle("levator palpebrae superioris", ("AU05", "AU43"), _UPPER_LID),
            Muscle("frontalis, lateral part", ("AU02",), (66, 105, 63, 70, 68, 54, 103, 67, 69)),
            Muscle("frontalis, medial part", ("AU01",), (9, 107, 66, 69, 67, 109, 10, 151)),
            Muscle("procerus", ("AU04",), (8, 55, 193, 122, 6, 168)),
            Muscle("corrugator supercilii", ("AU04",), (9, 107, 66, 105, 52, 65, 55, 8)),
        )
    }
)
