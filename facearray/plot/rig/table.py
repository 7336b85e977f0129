"""How each action unit moves the skin, the lids and the jaw of the face that is drawn.

Directions, places and amplitudes come from the appearance changes that the Facial Action Coding System describes for a
strong contraction, and from anatomy; they are round numbers, and nothing is fitted to recordings.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from facearray.models.au_table import AUS

__all__ = ["JAW", "MOVEMENTS", "REST", "Movement", "Pull"]


@dataclass(frozen=True, slots=True)
class Pull:
    """Where vertices of the subject's right side, and of the midline, go at an intensity of 1.

    Attributes
    ----------
    out, up, forward
        In cm of the canonical face: away from the midline, up, and towards the camera.
    vertices
        Which ones; those of the left side mirror them.
    """

    out: float
    up: float
    forward: float
    vertices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Movement:
    """What an action unit does at an intensity of 1.

    Attributes
    ----------
    name
        Of the action unit.
    pulls
        Vertices that go where they are pulled.
    held
        Vertices of the right side and midline that stay, although others near them move.
    reach
        Distance over the skin, in cm, at which a pull has ended.
    upper_lid, lower_lid
        How far the edges of the lids go up, as parts of the opening at rest.
    jaw
        How far the jaw is dropped, as a part of `JAW_DEGREES`.
    creases
        Lines of vertices that become visible, on the right side or across the midline.
    """

    name: str
    pulls: tuple[Pull, ...] = ()
    held: tuple[int, ...] = ()
    reach: float = 2.0
    upper_lid: float = 0.0
    lower_lid: float = 0.0
    jaw: float = 0.0
    creases: tuple[tuple[int, ...], ...] = ()

    @property
    def title(self) -> str:
        """Name in words."""
        return AUS[self.name].title

    @property
    def muscle(self) -> str:
        """What contracts."""
        return AUS[self.name].muscle

    @property
    def largest(self) -> float:
        """How far the vertex that goes farthest is pulled, in cm."""
        return max((math.hypot(pull.out, pull.up, pull.forward) for pull in self.pulls), default=0.0)


# lid edges and the corners of the eye
_EYE = (33, 246, 161, 160, 159, 158, 157, 173, 133, 7, 163, 144, 145, 153, 154, 155)
_UPPER_FOLD = (247, 30, 29, 27, 28, 56, 190)
_NOSE = (4, 5, 195, 197, 6, 1, 2, 19, 94, 48, 115, 49, 220)
_FOREHEAD_TOP = (10, 109, 67, 103, 54)
_UPPER_LIP = (0, 37, 39, 13, 82, 81, 164, 167, 165)
_LOWER_LIP = (17, 84, 181, 14, 87, 178)
_CHIN = (18, 83, 200, 201, 199, 152)
_CORNER = (61, 76, 62, 78)

#: What makes the canonical face one at rest: its lips are half a centimetre apart, and its eyes half closed.
REST = Movement(
    "rest",
    (
        Pull(0, -0.26, 0.05, (13, 82)),
        Pull(0, -0.24, 0.05, (81,)),
        Pull(0, -0.18, 0.03, (80,)),
        Pull(0, -0.14, 0, (191,)),
        Pull(0, 0.29, 0, (14,)),
        Pull(0, 0.27, 0, (87,)),
        Pull(0, 0.23, 0, (178,)),
        Pull(0, 0.2, 0, (88,)),
        Pull(0, 0.16, 0, (95,)),
        Pull(0, -0.15, 0, (0, 37)),
        Pull(0, -0.12, 0, (39,)),
        Pull(0, -0.05, 0, (40,)),
        Pull(0, 0.22, 0, (17, 84)),
        Pull(0, 0.2, 0, (181,)),
        Pull(0, 0.12, 0, (91,)),
    ),
    held=(*_CORNER, 2, 164, 167, 165, 92, 18, 83),
    reach=1.6,
    upper_lid=0.25,
    lower_lid=-0.08,
)

#: How far vertices of the right side and midline go with the jaw; the others are in between.
JAW: Mapping[float, tuple[int, ...]] = MappingProxyType(
    {
        1.0: (*_LOWER_LIP, 16, 15, 88, 91, *_CHIN, 175, 148, 176, 149, 150, 140, 171, 32, 208, 194, 182, 106, 204, 211),
        0.95: (136, 170, 169, 210),
        0.8: (172, 135, 95, 146),
        0.5: (58, 138),
        0.4: _CORNER,
        0.2: (132,),
        0.1: (185, 191),
        0.0: (93, 234, 127, 123, 50, 205, 206, 92, 40, 80, *_UPPER_LIP, *_NOSE, *_EYE, 98, 129, 203, 165, 137, 116, 10),
    }
)

#: Every movement by the name of its action unit, in storage order.
MOVEMENTS: Mapping[str, Movement] = MappingProxyType(
    {
        movement.name: movement
        for movement in (
            Movement(
                "AU01",
                (
                    Pull(0.02, 1.05, 0.12, (55, 107)),
                    Pull(0, 0.75, 0.1, (65, 66)),
                    Pull(0, 0.3, 0.03, (52, 105)),
                    Pull(0, 0.75, 0.05, (9,)),
                    Pull(0, 0.45, 0.03, (8,)),
                    Pull(0, 0.5, 0.02, (108, 151)),
                    Pull(0, 0.2, 0.02, (69,)),
                    Pull(0, 0.45, 0, (221, 222)),
                ),
                held=(*_EYE, *_UPPER_FOLD, *_FOREHEAD_TOP, 168, 53, 63, 70, 46, 224, 225, 104, 68),
                reach=2.2,
                creases=((69, 108, 151, 337, 299),),
            ),
            Movement(
                "AU02",
                (
                    Pull(0.05, 0.95, 0.05, (63, 70, 53)),
                    Pull(0.05, 0.8, 0.05, (46,)),
                    Pull(0, 0.75, 0.08, (105, 52)),
                    Pull(0, 0.25, 0.03, (66, 65)),
                    Pull(0, 0.5, 0, (68, 104)),
                    Pull(0, 0.45, 0, (224, 225)),
                    Pull(0, 0.2, 0, (223, 113, 124)),
                    Pull(0, 0.3, 0, (71, 69)),
                ),
                held=(*_EYE, *_UPPER_FOLD, *_FOREHEAD_TOP, 107, 55, 9, 8, 108, 151, 222, 221, 130, 226, 21, 139),
                reach=2.2,
                creases=((68, 104, 69),),
            ),
            Movement(
                "AU04",
                (
                    Pull(-0.45, -0.7, 0.15, (55, 107)),
                    Pull(-0.36, -0.62, 0.1, (65, 66)),
                    Pull(-0.2, -0.45, 0.05, (52, 105)),
                    Pull(-0.08, -0.25, 0, (53, 63)),
                    Pull(0, -0.08, 0, (46, 70)),
                    Pull(0, -0.4, 0.08, (9,)),
                    Pull(0, -0.3, 0.08, (8,)),
                    Pull(-0.1, -0.25, 0, (221, 222, 223)),
                    Pull(0, -0.12, 0, (28, 56, 27)),
                    Pull(0, -0.2, 0, (108, 151)),
                ),
                held=(*_EYE, *_FOREHEAD_TOP, 6, 197, 69, 104),
                reach=2.2,
                upper_lid=-0.1,
                creases=((107, 55, 193), (108, 107)),
            ),
            Movement("AU05", upper_lid=0.5),
            Movement(
                "AU06",
                (
                    Pull(0.1, 0.45, 0.3, (50, 101, 118)),
                    Pull(0.05, 0.4, 0.25, (36, 119, 117)),
                    Pull(0.1, 0.32, 0.15, (205, 123)),
                    Pull(0, 0.3, 0.15, (230, 229, 231)),
                    Pull(-0.1, 0.28, 0.1, (228,)),
                    Pull(-0.2, 0.12, 0, (31, 35, 226)),
                    Pull(-0.12, 0.05, 0, (130,)),
                    Pull(-0.1, -0.12, 0, (46, 225, 124)),
                ),
                held=(*_EYE, *_CORNER, *_NOSE, 70, 63, 203, 206, 216, 92, 165, 34, 227),
                reach=2.0,
                lower_lid=0.2,
                upper_lid=-0.08,
                creases=((130, 226, 35), (130, 113, 124), (130, 31, 111), (233, 231, 229, 228)),
            ),
            Movement(
                "AU07",
                (Pull(0, 0.14, 0.08, (229, 230, 231)), Pull(0, -0.05, 0, (27, 28, 29))),
                held=(*_EYE, 101, 118, 119, 100, 222, 223, 224),
                reach=1.5,
                upper_lid=-0.18,
                lower_lid=0.36,
                creases=((26, 22, 23, 24, 110),),
            ),
            Movement(
                "AU09",
                (
                    Pull(0.1, 0.45, 0.1, (129, 98, 64, 102, 48, 49)),
                    Pull(0, 0.45, 0.15, (142, 126, 209)),
                    Pull(0, 0.3, 0.1, (36, 203)),
                    Pull(0, 0.35, 0.1, (165, 92, 167)),
                    Pull(0, 0.38, 0.08, (37, 39, 82, 81)),
                    Pull(0, 0.3, 0.05, (0, 13, 164)),
                    Pull(0, 0.2, 0.03, (40, 80)),
                    Pull(-0.28, -0.55, 0.1, (55, 107)),
                    Pull(-0.2, -0.42, 0.06, (65, 66)),
                    Pull(0, -0.2, 0, (52, 105)),
                    Pull(0, -0.42, 0.1, (9, 8)),
                    Pull(-0.1, -0.2, 0, (221, 222)),
                    Pull(0, 0.2, 0.08, (230, 231, 232, 119, 120)),
                    Pull(0, 0.12, 0, (2, 94)),
                ),
                held=(*_EYE, *_CORNER, 4, 5, 195, 17, 14, 53, 63, 6),
                reach=1.9,
                upper_lid=-0.15,
                lower_lid=0.2,
                creases=((193, 168, 417), (122, 6, 351), (188, 197, 412), (217, 174, 196), (126, 217), (129, 203, 206)),
            ),
            Movement(
                "AU10",
                (
                    Pull(0, 0.62, 0.12, (37, 39, 82, 81)),
                    Pull(0, 0.5, 0.1, (0, 13)),
                    Pull(0, 0.45, 0.06, (40, 80)),
                    Pull(0, 0.16, 0, (185, 191)),
                    Pull(0.05, 0.5, 0.2, (165, 92)),
                    Pull(0, 0.42, 0.12, (164, 167)),
                    Pull(0.1, 0.42, 0.22, (203, 206)),
                    Pull(0.1, 0.25, 0.15, (36,)),
                    Pull(0.08, 0.2, 0.05, (129, 98, 64)),
                    Pull(0.05, 0.2, 0.08, (101, 205)),
                    Pull(0, 0.06, 0, (2,)),
                ),
                held=(*_CORNER, *_LOWER_LIP, 4, 1, 95, 88, 146, 91, 216, 230),
                reach=1.8,
                creases=((129, 203, 206, 216),),
            ),
            Movement(
                "AU11",
                (
                    Pull(0.28, 0.45, 0.22, (203, 206)),
                    Pull(0.25, 0.35, 0.2, (36,)),
                    Pull(0.15, 0.25, 0.1, (205, 101, 50)),
                    Pull(0.12, 0.3, 0.05, (92, 165)),
                    Pull(0.08, 0.2, 0.02, (40, 39)),
                    Pull(0.05, 0.1, 0, (80, 81)),
                    Pull(0.05, 0.08, 0, (129, 64)),
                ),
                held=(*_CORNER, *_LOWER_LIP, 0, 13, 37, 82, 4, 1, 2, 98, 164, 230, 216),
                reach=1.7,
                creases=((64, 129, 203, 206),),
            ),
            Movement(
                "AU12",
                (
                    Pull(0.75, 0.85, -0.35, (61, 76, 62)),
                    Pull(0.72, 0.78, -0.3, (78,)),
                    Pull(0.6, 0.55, -0.25, (185, 191)),
                    Pull(0.62, 0.6, -0.25, (146, 95)),
                    Pull(0.42, 0.28, -0.18, (40, 80)),
                    Pull(0.45, 0.34, -0.2, (91, 88)),
                    Pull(0.22, 0.06, -0.12, (39, 81)),
                    Pull(0.25, 0.1, -0.12, (181, 178)),
                    Pull(0.08, -0.04, -0.08, (37, 82)),
                    Pull(0.08, 0, -0.06, (84, 87)),
                    Pull(0, -0.06, -0.06, (0, 13)),
                    Pull(0, -0.02, -0.04, (17, 14)),
                    Pull(0.65, 0.75, 0.05, (57, 186)),
                    Pull(0.5, 0.6, 0.2, (216, 207)),
                    Pull(0.35, 0.45, 0.25, (206, 205)),
                    Pull(0.3, 0.4, 0.15, (187,)),
                    Pull(0.15, 0.3, 0.2, (50, 36)),
                    Pull(0.4, 0.4, 0, (212,)),
                    Pull(0.35, 0.3, -0.05, (43,)),
                    Pull(0.12, 0.12, 0.02, (203, 92)),
                ),
                held=(2, 94, 98, 164, 18, 83, 200, 230, 229, 117, 123),
                reach=2.4,
                creases=((129, 203, 206, 216, 212),),
            ),
            Movement(
                "AU14",
                (
                    Pull(0.32, 0.04, -0.6, (61, 76, 62, 78)),
                    Pull(0.2, -0.14, -0.4, (185, 191)),
                    Pull(0.2, 0.16, -0.4, (146, 95)),
                    Pull(0.14, -0.2, -0.22, (40,)),
                    Pull(0.14, 0.22, -0.22, (91,)),
                    Pull(0.12, -0.02, -0.15, (80, 88)),
                    Pull(0.06, 0, -0.06, (81, 178)),
                    Pull(0.16, 0, -0.45, (57,)),
                    Pull(-0.05, 0.02, 0.18, (212, 216)),
                    Pull(0.1, 0.05, -0.15, (186, 43)),
                ),
                held=(0, 37, 13, 82, 17, 84, 14, 87, 39, 181, 207, 214, 202),
                reach=1.6,
                creases=((186, 57, 43),),
            ),
            Movement(
                "AU15",
                (
                    Pull(0.08, -0.72, -0.1, (61, 76, 62, 78)),
                    Pull(0.05, -0.5, -0.06, (185, 191, 146, 95)),
                    Pull(0.02, -0.24, -0.03, (40, 80)),
                    Pull(0.02, -0.3, -0.03, (91, 88)),
                    Pull(0, -0.08, 0, (39, 81, 181, 178)),
                    Pull(0.06, -0.62, -0.02, (57, 43)),
                    Pull(0.05, -0.45, 0.1, (212, 202)),
                    Pull(0.05, -0.4, 0, (186,)),
                    Pull(0, -0.25, 0.1, (204, 106)),
                    Pull(0.02, -0.2, 0, (216,)),
                ),
                held=(0, 37, 13, 82, 17, 84, 14, 87, 206, 92, 18, 200, 207),
                reach=1.9,
                creases=((61, 43, 204),),
            ),
            Movement(
                "AU17",
                (
                    Pull(0, 0.8, 0.2, (200, 201)),
                    Pull(0, 0.7, 0.15, (199,)),
                    Pull(0, 0.62, 0.12, (18, 83)),
                    Pull(0, 0.42, 0.22, (17, 84)),
                    Pull(0, 0.34, 0.15, (181,)),
                    Pull(0, 0.22, 0.16, (14, 87, 178)),
                    Pull(0, 0.22, 0.1, (13, 82, 81)),
                    Pull(0, 0.18, 0.06, (0, 37)),
                    Pull(0, 0.1, 0.03, (39,)),
                    Pull(0, 0.4, 0.06, (182, 194, 208)),
                    Pull(0, 0.2, 0, (175, 32)),
                    Pull(0, -0.14, 0, _CORNER),
                    Pull(0, -0.06, 0, (146, 95)),
                ),
                held=(2, 164, 148, 176, 43, 57, 212, 204),
                reach=1.9,
                creases=((182, 83, 18, 313, 406), (32, 201, 200, 421, 262)),
            ),
            Movement(
                "AU20",
                (
                    Pull(0.78, -0.16, -0.45, _CORNER),
                    Pull(0.6, -0.14, -0.32, (185, 191)),
                    Pull(0.6, -0.06, -0.32, (146, 95)),
                    Pull(0.4, -0.14, -0.22, (40, 80)),
                    Pull(0.4, 0.04, -0.22, (91, 88)),
                    Pull(0.2, -0.2, -0.14, (39,)),
                    Pull(0.2, 0.16, -0.14, (181,)),
                    Pull(0.2, -0.02, -0.12, (81, 178)),
                    Pull(0.06, -0.2, -0.1, (37,)),
                    Pull(0, -0.18, -0.08, (0,)),
                    Pull(0.06, 0.2, -0.1, (84,)),
                    Pull(0, 0.2, -0.08, (17,)),
                    Pull(0.06, 0, -0.08, (82, 87)),
                    Pull(0, 0, -0.08, (13, 14)),
                    Pull(0.7, -0.16, -0.2, (57, 43)),
                    Pull(0.5, -0.1, 0, (212, 216, 186)),
                    Pull(0.4, -0.25, 0, (202, 204)),
                    Pull(0.2, -0.15, 0, (214, 210)),
                ),
                held=(2, 164, 18, 200, 206, 205),
                reach=2.2,
                creases=((216, 212, 202), (106, 204)),
            ),
            Movement(
                "AU23",
                (
                    Pull(-0.5, 0, 0.12, _CORNER),
                    Pull(-0.38, -0.1, 0.12, (185,)),
                    Pull(-0.38, 0.1, 0.12, (146,)),
                    Pull(-0.38, 0, 0.1, (191, 95)),
                    Pull(-0.25, -0.22, 0.1, (40,)),
                    Pull(-0.25, 0.24, 0.1, (91,)),
                    Pull(-0.22, 0, 0.05, (80, 88)),
                    Pull(-0.12, -0.2, 0.04, (39,)),
                    Pull(-0.12, 0.22, 0.04, (181,)),
                    Pull(-0.04, -0.22, 0.02, (37, 0)),
                    Pull(-0.04, 0.26, 0.02, (84, 17)),
                    Pull(-0.08, 0, 0, (81, 178)),
                    Pull(0, 0, 0, (82, 87, 13, 14)),
                    Pull(-0.3, 0, 0.06, (57, 43, 186)),
                    Pull(0, -0.1, 0.12, (164, 167, 165)),
                    Pull(0, 0.1, 0.12, (18, 83)),
                ),
                held=(2, 200, 206, 216, 202),
                reach=1.7,
                creases=((167, 39), (84, 182)),
            ),
            Movement(
                "AU24",
                (
                    Pull(0.06, -0.02, -0.2, _CORNER),
                    Pull(0.03, -0.14, -0.08, (185, 40)),
                    Pull(0.03, 0.16, -0.08, (146, 91)),
                    Pull(0, -0.27, -0.05, (39, 37, 0)),
                    Pull(0, 0.36, -0.05, (181, 84, 17)),
                    Pull(0, 0, -0.15, (82, 87, 13, 14, 81, 178)),
                    Pull(0, -0.14, 0.2, (164, 167, 165)),
                    Pull(0, 0.3, 0.2, (18, 83)),
                    Pull(0, 0.25, 0.15, (200, 201)),
                    Pull(0, 0, 0.15, (92,)),
                ),
                held=(2, 57, 43, 206, 216, 202, 199),
                reach=1.6,
                creases=((182, 83, 18, 313, 406),),
            ),
            Movement(
                "AU25",
                (
                    Pull(0, 0.22, 0.02, (13, 82)),
                    Pull(0, 0.18, 0, (81,)),
                    Pull(0, 0.1, 0, (80,)),
                    Pull(0, 0.18, 0, (0, 37)),
                    Pull(0, 0.12, 0, (39,)),
                    Pull(0, -0.55, -0.04, (14, 87)),
                    Pull(0, -0.46, -0.03, (178,)),
                    Pull(0, -0.26, 0, (88,)),
                    Pull(0, -0.1, 0, (95,)),
                    Pull(0, -0.46, -0.04, (17, 84)),
                    Pull(0, -0.38, -0.02, (181,)),
                    Pull(0, -0.18, 0, (91,)),
                    Pull(0, -0.25, 0.03, (18, 83)),
                ),
                held=(*_CORNER, 2, 98, 200, 57, 43),
                reach=1.7,
                jaw=0.22,
            ),
            Movement("AU26", jaw=1.0),
            Movement(
                "AU28",
                (
                    Pull(0, -0.46, -0.32, (0, 37)),
                    Pull(0, -0.4, -0.3, (39,)),
                    Pull(0, -0.2, -0.22, (40,)),
                    Pull(0, -0.06, -0.12, (185,)),
                    Pull(0, 0.68, -0.4, (17, 84)),
                    Pull(0, 0.58, -0.38, (181,)),
                    Pull(0, 0.32, -0.3, (91,)),
                    Pull(0, 0.1, -0.14, (146,)),
                    Pull(0, 0.04, -0.62, (13, 82, 81)),
                    Pull(0, -0.04, -0.62, (14, 87, 178)),
                    Pull(0, 0, -0.4, (80, 88)),
                    Pull(0.03, 0, -0.15, _CORNER),
                    Pull(0, -0.3, 0.05, (164, 167)),
                    Pull(0, -0.2, 0.03, (165,)),
                    Pull(0, 0.3, 0.05, (18, 83)),
                    Pull(0, 0.1, 0, (200,)),
                ),
                held=(2, 57, 43, 206, 216, 199),
                reach=1.7,
            ),
            Movement("AU43", upper_lid=-0.8, lower_lid=0.2),
        )
    }
)
