"""From intensities of action units to the points of a face: a kernel of arrays."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from facearray.models.geometry import N_VERTICES
from facearray.plot.rig.mesh import LIPS, RIGHT_EYE, mirrored, skin
from facearray.plot.rig.table import JAW, MOVEMENTS, REST, Movement

__all__ = ["EYEBALL", "IRIS", "JAW_DEGREES", "Fields", "eye_centres", "linear_fields", "points", "table_fields"]

_Array = NDArray[np.float64]

N_UNITS = len(MOVEMENTS)

#: By how much AU26 turns the jaw at an intensity of 1, and how far the condyles glide up and forward meanwhile, in cm.
JAW_DEGREES, CONDYLE_GLIDE = 16.0, (-0.25, 0.7)

#: Height and depth of the axis that the jaw turns about, through the condyles in front of the ears, in cm.
CONDYLES = (0.3, -1.2)

#: Radius of an eyeball and of the part of the iris that is seen, in cm.
EYEBALL, IRIS = 1.28, 0.58

#: Where a side's movement begins to fade towards the midline, in cm; there both sides have half of it.
SEAM = 1.0

#: How far skin next to a lid's edge follows it, up and down.
FOLLOWS_UP, FOLLOWS_DOWN = 0.75, 0.4

#: Part of the height of the gaze by which the upper lid follows it.
LID_FOLLOWS_GAZE = 0.6


def points(intensities: ArrayLike, gaze: ArrayLike = (0.0, 0.0), fields: Fields | None = None) -> _Array:
    """Move the points of the face at rest.

    Parameters
    ----------
    intensities
        (..., 20, 2) of action units, in the order of ``MOVEMENTS`` and ``SIDES`` (the subject's right, left); 1 is a
        strong contraction. No value is cut here.
    gaze
        (..., 2) pitch and yaw in degrees, positive down and to the image's right.
    fields
        What moves; by default the table.

    Returns
    -------
    ndarray
        (..., 478, 3) in cm of the canonical face: x to the image's right, y up, z towards the camera. The last ten are
        the irises, each its centre and then the image's right, top, left and bottom.

    Notes
    -----
    Soft movements are sums: a vertex goes by the sum over action units and sides of intensity times field, where a
    field has the values of the table at the vertices that are pulled or held and is interpolated over the skin in
    between. Then the lids turn about the eyeballs, lids and lips that went through each other are put where they meet,
    and the jaw turns last with what hangs on it.
    """
    values = np.asarray(intensities, np.float64)
    fields, leading = fields or table_fields(), values.shape[:-2]
    moved = values.reshape(*leading, 2 * N_UNITS) @ fields.soft.reshape(2 * N_UNITS, -1)
    mesh = fields.rest + moved.reshape(*leading, N_VERTICES, 3)
    irises = _irises(np.broadcast_to(np.asarray(gaze, np.float64), (*leading, 2)))
    for side, eye in enumerate(fields.eyes):
        _turn_lids(mesh, eye, values[..., side] @ fields.lids, irises[..., 5 * side, 1] - eye.centre[1])
        _keep_apart(mesh, eye.upper, eye.lower)
    _keep_apart(mesh, list(LIPS.inner_upper[1:-1]), list(LIPS.inner_lower[1:-1]))
    _drop_jaw(mesh, values.mean(axis=-1) @ fields.jaw, fields.jaw_weight)
    return np.concatenate([mesh, irises], axis=-2)


def eye_centres() -> _Array:
    """Centres (2, 3) of the eyeballs, in the order of ``SIDES``, in cm."""
    return np.stack([eye.centre for eye in table_fields().eyes])


@dataclass(frozen=True, slots=True, eq=False)
class _Lids:
    """Edges of the lids (n,) of one eye, the skin next to them, and where the edges are about the eyeball."""

    centre: _Array
    upper: list[int]
    lower: list[int]
    upper_fold: list[int]
    lower_fold: list[int]
    angle: _Array
    radius: _Array
    height: float


@dataclass(frozen=True, slots=True, eq=False)
class Fields:
    """What `points` multiplies intensities with.

    Attributes
    ----------
    rest
        (468, 3) the face at rest.
    soft
        (20, 2, 468, 3) movements of the skin by action unit and side.
    lids
        (20, 2) movements of the upper and lower lid, as parts of the opening.
    jaw
        (20,) parts of the full turn.
    jaw_weight
        (468,) how far a vertex goes with the jaw.
    eyes
        By side.
    """

    rest: _Array
    soft: _Array
    lids: _Array
    jaw: _Array
    jaw_weight: _Array
    eyes: tuple[_Lids, _Lids]


@functools.cache
def table_fields() -> Fields:
    """Return what the table says; computed once."""
    mesh = skin()
    whole = np.stack([_field(movement) for movement in MOVEMENTS.values()])
    return Fields(
        rest=mesh.vertices + _field(REST),
        soft=_by_side(whole),
        lids=np.array([[m.upper_lid, m.lower_lid] for m in MOVEMENTS.values()]),
        jaw=np.array([m.jaw for m in MOVEMENTS.values()]),
        jaw_weight=_harmonic(JAW),
        eyes=(_lids(*_EYE_ROWS), _lids(*map(mirrored, _EYE_ROWS))),
    )


def linear_fields(whole: _Array) -> Fields:
    """Let points go by movements (20, 468, 3) of both sides alone; lids and jaw are in them."""
    known = table_fields()
    return replace(known, soft=_by_side(whole), lids=np.zeros_like(known.lids), jaw=np.zeros_like(known.jaw))


def _by_side(whole: _Array) -> _Array:
    """Divide movements (n, 468, 3) into those (n, 2, 468, 3) of the sides, which fade towards the midline."""
    mesh = skin()
    right = _smooth((SEAM - mesh.vertices[:, 0]) / (2 * SEAM))
    sides = np.stack([right, right[mesh.mirror]])
    found: _Array = whole[:, None] * sides[:, :, None]
    return found


def _field(movement: Movement) -> _Array:
    """Interpolate the movement of both sides at an intensity of 1 over the skin: (468, 3)."""
    mesh = skin()
    targets = dict.fromkeys(movement.held, (0.0, 0.0, 0.0))
    targets |= {vertex: (-pull.out, pull.up, pull.forward) for pull in movement.pulls for vertex in pull.vertices}
    for vertex, (out, up, forward) in list(targets.items()):
        other = int(mesh.mirror[vertex])
        targets[other] = (0.0 if other == vertex else -out, up, forward)
    if not targets:
        return np.zeros((N_VERTICES, 3))
    distance = mesh.distance[:, list(targets)]
    nearness = _falloff(distance / movement.reach)
    with np.errstate(divide="ignore", invalid="ignore"):
        weights = nearness / distance**2
        weights /= weights.sum(axis=1, keepdims=True)
    # at the vertices themselves, and beyond the reach of all
    weights[list(targets)] = np.eye(len(targets))
    weights[nearness.max(axis=1) == 0] = 0.0
    field: _Array = nearness.max(axis=1, keepdims=True) * (weights @ np.array(list(targets.values())))
    return field


def _falloff(distance: _Array) -> _Array:
    """Wendland's C2 function: 1 at a distance of 0, 0 from a distance of 1 on."""
    left = np.clip(1.0 - distance, 0.0, None)
    return left**4 * (4.0 * distance + 1.0)


def _smooth(x: _Array) -> _Array:
    x = np.clip(x, 0.0, 1.0)
    return x * x * (3.0 - 2.0 * x)


def _harmonic(given: Mapping[float, tuple[int, ...]]) -> _Array:
    """Values (468,) that are given at some vertices, and the mean of the neighbours at all others."""
    mesh = skin()
    value = np.full(N_VERTICES, np.nan)
    for weight, vertices in given.items():
        value[list(vertices)] = value[mesh.mirror[list(vertices)]] = weight
    laplacian = np.zeros((N_VERTICES, N_VERTICES))
    laplacian[tuple(mesh.edges.T)] = -1.0
    np.fill_diagonal(laplacian, -laplacian.sum(axis=1))
    known = np.isfinite(value)
    value[~known] = np.linalg.solve(laplacian[np.ix_(~known, ~known)], -laplacian[np.ix_(~known, known)] @ value[known])
    return value


_EYE_ROWS = (RIGHT_EYE.upper, RIGHT_EYE.lower, RIGHT_EYE.upper_fold, RIGHT_EYE.lower_fold)


def _lids(
    upper: tuple[int, ...], lower: tuple[int, ...], upper_fold: tuple[int, ...], lower_fold: tuple[int, ...]
) -> _Lids:
    edges = skin().vertices[[upper, lower]]
    # the three middle columns, as for the iris at rest
    centre = edges[:, 2:5].mean(axis=(0, 1)) - (0.0, 0.0, EYEBALL)
    angle = np.arctan2(edges[..., 1] - centre[1], edges[..., 2] - centre[2])
    radius = np.hypot(edges[..., 1] - centre[1], edges[..., 2] - centre[2])
    height = float((edges[0, 2:5, 1] - edges[1, 2:5, 1]).mean())
    return _Lids(centre, list(upper), list(lower), list(upper_fold), list(lower_fold), angle, radius, height)


def _irises(gaze: _Array) -> _Array:
    """Centres and edges (..., 10, 3) of the irises of eyes that are turned."""
    pitch, yaw = np.radians(gaze[..., 0]), np.radians(gaze[..., 1])
    forward = np.stack([np.sin(yaw) * np.cos(pitch), -np.sin(pitch), np.cos(yaw) * np.cos(pitch)], axis=-1)
    right = np.stack([np.cos(yaw), np.zeros_like(yaw), -np.sin(yaw)], axis=-1)
    up = np.cross(forward, right)
    depth = math.sqrt(EYEBALL**2 - IRIS**2)
    edge = [depth * forward + IRIS * way for way in (right, up, -right, -up)]
    of_one = np.stack([EYEBALL * forward, *edge], axis=-2)
    return np.concatenate([of_one + centre for centre in eye_centres()], axis=-2)


def _turn_lids(mesh: _Array, eye: _Lids, lift: _Array, iris: _Array) -> None:
    """Turn the edges of the lids about the eyeball, as far as they let each other."""
    opening = 1.0 + REST.upper_lid - REST.lower_lid
    upper = 1.0 + REST.upper_lid + opening * lift[..., 0] + LID_FOLLOWS_GAZE * iris / eye.height
    lower = REST.lower_lid + opening * lift[..., 1]
    meet = (upper + lower) / 2
    upper, lower = np.maximum(upper, meet), np.minimum(lower, meet)
    for rest, now, edge, fold in ((1.0, upper, eye.upper, eye.upper_fold), (0.0, lower, eye.lower, eye.lower_fold)):
        change = _on_eyeball(eye, now) - _on_eyeball(eye, np.asarray(rest))
        mesh[..., edge, 1:] += change
        follows = np.where(now > rest, FOLLOWS_UP, FOLLOWS_DOWN)[..., None, None]
        mesh[..., fold, 1:] += follows * change


def _on_eyeball(eye: _Lids, part: _Array) -> _Array:
    """Height and depth (..., n, 2) of the points at a part of the way from the lower to the upper edge."""
    part = part[..., None]
    angle = eye.angle[1] + part * (eye.angle[0] - eye.angle[1])
    radius = eye.radius[1] + np.clip(part, 0.0, 1.0) * (eye.radius[0] - eye.radius[1])
    return np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=-1)


def _keep_apart(mesh: _Array, upper: list[int], lower: list[int]) -> None:
    """Put edges that went through each other where they meet."""
    crossed = mesh[..., lower, 1] > mesh[..., upper, 1]
    meet = (mesh[..., upper, 1:] + mesh[..., lower, 1:]) / 2
    for row in (upper, lower):
        mesh[..., row, 1:] = np.where(crossed[..., None], meet, mesh[..., row, 1:])


def _drop_jaw(mesh: _Array, part: _Array, weight: _Array) -> None:
    """Turn what hangs on the jaw about the condyles, which glide."""
    angle = math.radians(JAW_DEGREES) * part[..., None] * weight
    y, z = mesh[..., 1] - CONDYLES[0], mesh[..., 2] - CONDYLES[1]
    glide = part[..., None] * weight
    mesh[..., 1] = CONDYLES[0] + np.cos(angle) * y - np.sin(angle) * z + CONDYLE_GLIDE[0] * glide
    mesh[..., 2] = CONDYLES[1] + np.sin(angle) * y + np.cos(angle) * z + CONDYLE_GLIDE[1] * glide
