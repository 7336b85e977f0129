from __future__ import annotations

import csv
import itertools
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from facearray.errors import InputError
from facearray.models.au_table import AUS, estimate, estimate_parts, resting_baseline
from facearray.models.au_terms import Baseline
from facearray.models.geometry import canonical_mesh
from facearray.models.mesh_measures import MEASURES, measure, resting_landmarks, whole_and_sides
from facearray.schema import FEATURES, GROUPS

NAMES = GROUPS["aus"].features
SHAPES = GROUPS["blendshapes"].features
RIGID = [10, 67, 297, 54, 284, 127, 356, 143, 372, 33, 263, 133, 362, 168, 6, 197, 195, 234, 454]
GOOD_BAD_NEWS = Path(__file__).parents[4] / "shared" / "data" / "good_bad_news"


@pytest.fixture
def rest(asset) -> np.ndarray:
    return resting_landmarks()


@pytest.fixture
def faces(rest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.beta(0.5, 1, (40, 52)), rest + rng.normal(scale=0.3, size=(40, 478, 3))


def _pose(landmarks: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(1)
    n = len(landmarks)
    rotation = Rotation.from_euler("xyz", rng.uniform(-25, 25, (n, 3)), degrees=True).as_matrix()
    return landmarks @ rotation * rng.uniform(5, 60, (n, 1, 1)) + rng.normal(scale=300, size=(n, 1, 3))


# --- the table, one face at a time ------------------------------------------------------------------------------------


def _transcribed(blendshapes: np.ndarray, landmarks: np.ndarray) -> list[float]:
    """The published table word by word, with the canonical face as baseline."""
    vertices = canonical_mesh().vertices
    canonical = [vertices[i] for i in range(468)]
    # the middle of the eye's opening stands for an iris that looks straight ahead
    canonical += [sum(vertices[i] for i in (159, 158, 160, 145, 144, 153)) / 6] * 5
    canonical += [sum(vertices[i] for i in (386, 385, 387, 374, 373, 380)) / 6] * 5
    b = dict(zip(SHAPES, blendshapes, strict=True))
    now, base = _measures(_aligned(landmarks, vertices)), _measures(canonical)

    def both(name: str) -> float:
        return (b[name + "Left"] + b[name + "Right"]) / 2

    def up(name: str, full: float) -> float:
        return min(max((now[name] - base[name]) / full, 0), 1)

    def dn(name: str, full: float) -> float:
        return min(max((base[name] - now[name]) / full, 0), 1)

    smile = 0.5 * (both("mouthSmile") + up("corner_y", 0.8))
    blink = both("eyeBlink")
    closed = 1 - up("gap", 0.6)
    return [
        0.5 * b["browInnerUp"] + 0.5 * up("brow_in", 1.2),
        0.5 * both("browOuterUp") + 0.5 * up("brow_out", 1.0),
        0.4 * both("browDown") + 0.2 * dn("brow_gap", 0.5) + 0.4 * max(dn("brow_in", 0.6), up("oblique", 0.4)),
        (0.6 * both("eyeWide") + 0.4 * up("m", 0.3)) * (1 - blink),
        0.25 * both("cheekSquint")
        + 0.25 * up("cheek", 0.5)
        + 0.25 * up("cheek_x", 0.8)
        + 0.25 * (both("eyeSquint") * smile) ** 0.5,
        (0.5 * both("eyeSquint") + 0.3 * up("lolid", 0.3) + 0.2 * dn("aperture", 0.5)) * (1 - blink),
        0.6 * both("noseSneer") + 0.4 * min(up("ala", 0.4), dn("brow_in", 0.6)),
        0.4 * both("mouthUpperUp") + 0.4 * up("ulip", 0.6) + 0.2 * up("nlf", 0.6),
        0.5 * up("nlf", 0.6) + 0.5 * up("nlf_x", 0.8),
        0.5 * both("mouthSmile") + 0.25 * up("corner_y", 0.8) + 0.25 * up("width", 1.5),
        0.4 * both("mouthDimple") + 0.3 * dn("corner_z", 0.6) + 0.3 * dn("corner_th", 0.6),
        0.5 * both("mouthFrown") + 0.5 * dn("corner_rel", 0.6),
        0.4 * b["mouthShrugLower"] + 0.3 * dn("boss", 0.6) + 0.3 * up("arch", 0.5),
        0.4 * both("mouthStretch")
        + (0.3 * up("width", 1.5) + 0.15 * dn("thu", 0.4) + 0.15 * dn("thl", 0.4)) * (1 - 0.5 * smile),
        0.3 * both("mouthPress") + 0.3 * (b["mouthRollLower"] + b["mouthRollUpper"]) / 2 + 0.4 * dn("width", 1.0),
        closed * (0.5 * both("mouthPress") + 0.3 * dn("thu", 0.4) + 0.2 * dn("thl", 0.4)),
        0.7 * up("gap", 1.2) + 0.15 * b["jawOpen"] + 0.15 * both("mouthLowerDown"),
        0.4 * min(b["jawOpen"] + b["mouthClose"], 1) + 0.4 * up("chin", 2.0) + 0.2 * dn("lolip", 1.5),
        0.4 * b["mouthRollLower"] + 0.2 * b["mouthRollUpper"] + 0.2 * dn("thl", 0.5) + 0.2 * dn("thu", 0.5),
        0.5 * both("eyeBlink") ** 2 + 0.5 * dn("aperture", 1.0) ** 2,
    ]


def _aligned(landmarks: np.ndarray, vertices: np.ndarray) -> list[np.ndarray]:
    points = landmarks * [1, -1, -1]
    source, target = points[RIGID], vertices[RIGID]
    mean_source, mean_target = source.mean(axis=0), target.mean(axis=0)
    source, target = source - mean_source, target - mean_target
    rotation = Rotation.align_vectors(target, source)[0]
    scale = (rotation.apply(source) * target).sum() / (source**2).sum()
    return [scale * rotation.apply(point - mean_source) + mean_target for point in points]


def _measures(points: list[np.ndarray]) -> dict[str, float]:
    def mean(axis: int, *indices: int) -> float:
        return sum(points[i][axis] for i in indices) / len(indices)

    def x(*indices: int) -> float:
        return mean(0, *indices)

    def y(*indices: int) -> float:
        return mean(1, *indices)

    def d(i: int, j: int) -> float:
        return float(np.sqrt(((points[i] - points[j]) ** 2).sum()))

    E, N = y(33, 133, 263, 362), y(168, 6)
    aperture = d(159, 145), d(158, 153), d(160, 144), d(386, 374), d(385, 380), d(387, 373)
    return {
        "brow_in": y(55, 107, 65, 285, 336, 295) - y(133, 362),
        "brow_out": y(105, 63, 70, 46, 334, 293, 300, 276) - y(33, 263),
        "brow_gap": 0.5 * (d(55, 285) + d(107, 336)),
        "oblique": y(107, 55, 336, 285) - y(105, 52, 334, 282),
        "m": (y(159, 158, 160, 386, 385, 387) - E) - 0.6 * (y(468, 473) - E),
        "cheek": y(50, 101, 118, 205, 280, 330, 347, 425) - E,
        "cheek_x": x(280, 425, 330) - x(50, 205, 101),
        "lolid": y(145, 144, 153, 374, 373, 380) - E,
        "aperture": sum(aperture) / 6,
        "ala": y(129, 98, 64, 358, 327, 294) - N,
        "ulip": y(0, 37, 39, 267, 269) - N,
        "nlf": y(206, 203, 36, 426, 423, 266) - N,
        "nlf_x": x(426, 423, 266) - x(206, 203, 36),
        "corner_y": y(61, 291) - N,
        "width": d(61, 291),
        "corner_z": mean(2, 61, 291),
        "corner_th": 0.5 * (d(40, 91) + d(270, 321)),
        "corner_rel": y(61, 291) - y(0, 17),
        "boss": 0.5 * (d(17, 200) + d(18, 199)),
        "arch": y(17, 84, 314) - y(146, 375, 61, 291),
        "thu": (d(0, 13) + d(37, 82) + d(267, 312)) / 3,
        "thl": (d(17, 14) + d(84, 87) + d(314, 317)) / 3,
        "gap": (d(13, 14) + d(82, 87) + d(312, 317)) / 3,
        "chin": N - y(152, 148, 377),
        "lolip": y(17, 84, 314) - N,
    }


def test_estimate__are_the_table_word_by_word(faces):
    blendshapes, landmarks = faces
    landmarks = _pose(landmarks)
    expected = [_transcribed(*face) for face in zip(blendshapes, landmarks, strict=True)]
    found = estimate(blendshapes, landmarks)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert (found.max(axis=0) > 0.1).all(), "an estimate that nothing moves is not tested"


# --- what the estimates promise ---------------------------------------------------------------------------------------


def test_estimate__resting_face_shows_none(rest):
    np.testing.assert_allclose(estimate(np.zeros((1, 52)), rest[None]), 0, atol=1e-6)


def test_estimate__order_dtype_and_range(faces):
    found = estimate(*faces)
    assert tuple(AUS) == NAMES
    assert found.shape == (40, 20)
    assert found.dtype == np.float32
    assert found.min() >= 0
    assert found.max() <= 1


def test_estimate__pose_and_size_change_nothing(faces):
    blendshapes, landmarks = faces
    np.testing.assert_allclose(estimate(blendshapes, _pose(landmarks)), estimate(blendshapes, landmarks), atol=1e-6)


def test_estimate__mirrored_face_shows_the_same(faces):
    blendshapes, landmarks = faces
    vertices = canonical_mesh().vertices
    mirror = np.linalg.norm(vertices[:, None] * (-1, 1, 1) - vertices[None], axis=-1).argmin(axis=1)
    mirror = np.concatenate([mirror, np.arange(473, 478), np.arange(468, 473)])
    swapped = [name.replace("Left", "?").replace("Right", "Left").replace("?", "Right") for name in SHAPES]
    order = [SHAPES.index(name if name in SHAPES else SHAPES[i]) for i, name in enumerate(swapped)]
    found = estimate(blendshapes[:, order], landmarks[:, mirror] * (-1, 1, 1))
    np.testing.assert_allclose(found, estimate(blendshapes, landmarks), atol=1e-4)


#: What each action unit does to a face at full intensity: blendshapes, and points that move by cm to the subject's
#: left (x), up (y) and forward (z). Points in pairs are those of the right, then of the left; x is outward.
RIG: dict[str, tuple[str, list[tuple[str, tuple[float, float, float]]]]] = {
    "AU01": ("browInnerUp", [("55 107 65|285 336 295", (0, 1.2, 0))]),
    "AU02": ("browOuterUpLeft browOuterUpRight", [("105 63 70 46|334 293 300 276", (0, 1.0, 0))]),
    "AU04": (
        "browDownLeft browDownRight",
        [("55 107|285 336", (-0.25, 0, 0)), ("55 107 65 105 52|285 336 295 334 282", (0, -0.6, 0))],
    ),
    "AU05": ("eyeWideLeft eyeWideRight", [("159 158 160|386 385 387", (0, 0.3, 0))]),
    "AU06": (
        "cheekSquintLeft cheekSquintRight eyeSquintLeft eyeSquintRight",
        [("50 101 118 205|280 330 347 425", (0.4, 0.5, 0))],
    ),
    "AU07": ("eyeSquintLeft eyeSquintRight", [("145 144 153|374 373 380", (0, 0.3, 0))]),
    "AU09": (
        "noseSneerLeft noseSneerRight",
        [("129 98 64|358 327 294", (0, 0.4, 0)), ("55 107 65|285 336 295", (0, -0.6, 0))],
    ),
    "AU10": (
        "mouthUpperUpLeft mouthUpperUpRight",
        [("0 37 39|267 269", (0, 0.6, 0)), ("206 203 36|426 423 266", (0, 0.6, 0))],
    ),
    "AU11": ("", [("206 203 36|426 423 266", (0.4, 0.6, 0))]),
    "AU12": ("mouthSmileLeft mouthSmileRight", [("61|291", (0.75, 0.8, 0))]),
    "AU14": (
        "mouthDimpleLeft mouthDimpleRight",
        [("61|291", (0, 0, -0.6)), ("40|270", (0, -0.3, 0)), ("91|321", (0, 0.3, 0))],
    ),
    "AU15": ("mouthFrownLeft mouthFrownRight", [("61|291", (0, -0.6, 0))]),
    "AU17": ("mouthShrugLower", [("17 18 84|314", (0, 0.5, 0)), ("199 200|", (0, 1.1, 0))]),
    "AU20": (
        "mouthStretchLeft mouthStretchRight",
        [("61|291", (0.75, 0, 0)), ("0 37|267", (0, -0.4, 0)), ("17 84|314", (0, 0.4, 0))],
    ),
    "AU23": ("mouthPressLeft mouthPressRight mouthRollLower mouthRollUpper", [("61|291", (-0.5, 0, 0))]),
    "AU24": ("mouthPressLeft mouthPressRight", [("0 37|267", (0, -0.4, 0)), ("17 84|314", (0, 0.4, 0))]),
    "AU25": (
        "jawOpen mouthLowerDownLeft mouthLowerDownRight",
        [("13 82|312", (0, 0.6, 0)), ("14 87|317", (0, -0.6, 0))],
    ),
    "AU26": ("jawOpen", [("152 148|377", (0, -2.0, 0)), ("17 84|314", (0, -1.5, 0))]),
    "AU28": ("mouthRollLower mouthRollUpper", [("0 37|267", (0, -0.5, 0)), ("17 84|314", (0, 0.5, 0))]),
    "AU43": ("eyeBlinkLeft eyeBlinkRight", [("159 158 160|386 385 387", (0, -0.6, 0))]),
}


@pytest.mark.parametrize("name", NAMES)
def test_estimate__own_rig_pose_shows(rest, name):
    shapes, moves = RIG[name]
    blendshapes, landmarks = np.zeros((1, 52)), rest[None].copy()
    blendshapes[0, [SHAPES.index(shape) for shape in shapes.split()]] = 1
    for points, (out, up, forward) in moves:
        for side, sign in zip(points.split("|"), (-1, 1), strict=True):
            landmarks[0, [int(p) for p in side.split()]] += (sign * out, -up, -forward)
    found = dict(zip(NAMES, estimate(blendshapes, landmarks)[0], strict=True))
    assert found[name] >= 0.5
    assert found[name] > estimate(blendshapes, rest[None])[0, NAMES.index(name)], "the mesh has no part in it"


def test_estimate__missing_values_make_that_face_nan(faces):
    blendshapes, landmarks = faces
    expected = estimate(blendshapes, landmarks)
    blendshapes[0, SHAPES.index("cheekPuff")] = np.nan
    landmarks[1, 300, 0] = np.nan
    landmarks[2], blendshapes[2] = np.nan, np.nan
    blendshapes[3, SHAPES.index("jawOpen")] = np.inf
    found = estimate(blendshapes, landmarks)
    assert np.isnan(found[:4]).all()
    np.testing.assert_allclose(found[4:], expected[4:], atol=1e-6)


@pytest.mark.parametrize("n", [1, 7, 32])
def test_estimate__faces_do_not_depend_on_the_batch(faces, n):
    blendshapes, landmarks = faces
    parts = [estimate(blendshapes[i : i + n], landmarks[i : i + n]) for i in range(0, 40, n)]
    np.testing.assert_allclose(np.concatenate(parts), estimate(blendshapes, landmarks), atol=1e-6)


def test_estimate__no_face(asset):
    assert estimate(np.empty((0, 52)), np.empty((0, 478, 3))).shape == (0, 20)


def test_estimate__other_shapes(rest):
    with pytest.raises(InputError, match=r"found blendshapes of shape \(1, 51\); expected \(1, 52\)"):
        estimate(np.zeros((1, 51)), rest[None])
    with pytest.raises(InputError, match=r"found blendshapes of shape \(2, 52\); expected \(1, 52\)"):
        estimate(np.zeros((2, 52)), rest[None])
    with pytest.raises(InputError, match=r"unknown part of the face 'lefd' \(did you mean 'left'"):
        estimate_parts(np.zeros((1, 52)), rest[None], parts=("lefd",))
    with pytest.raises(InputError, match="found landmarks of shape"):
        estimate(np.zeros((1, 52)), rest)


def test_estimate__baseline_is_what_counts_from(rest):
    resting = resting_baseline()
    index = list(MEASURES).index("brow_in")
    low, high = resting.low.copy(), resting.high.copy()
    low[index] -= 0.6
    high[index] += 10
    shapes = np.zeros(52)
    shapes[SHAPES.index("browInnerUp")] = 0.5
    blendshapes = np.zeros((2, 52))
    blendshapes[:, SHAPES.index("browInnerUp")] = (0.25, 0.75)
    found = estimate(blendshapes, np.stack([rest, rest]), Baseline(low, resting.neutral, high, shapes))
    np.testing.assert_allclose(found[:, 0], [0.25, 0.5], atol=1e-6)
    np.testing.assert_allclose(found[:, 1:], 0, atol=1e-6)


def test_estimate__baseline_of_each_face(faces):
    blendshapes, landmarks = faces
    whole = whole_and_sides(measure(landmarks))
    own = Baseline(whole, whole, whole, blendshapes)
    np.testing.assert_allclose(estimate(blendshapes, landmarks, own), 0, atol=1e-6)


def test_estimate__table_is_that_of_the_schema():
    for name, unit in AUS.items():
        assert FEATURES[name].description == unit.description
        for part in (unit.title, unit.definition, unit.muscle, f"trust: {unit.trust}"):
            assert part in unit.description
        assert sum(weight for weight, _ in unit.terms) == pytest.approx(1)


def test_action_unit__formula_names_every_kind_of_term():
    assert AUS["AU04"].formula == (
        "0.4 browDown + 0.2 down(brow_gap, 0.5, neutral) "
        "+ 0.4 largest of [down(brow_in, 0.6, neutral), up(oblique, 0.4, neutral)]"
    )
    assert "(1 - 0.5 mean of [mouthSmile, up(corner_y, 0.8)])" in AUS["AU20"].formula
    assert AUS["AU05"].formula.endswith("0.4 product of [up(upper_lid, 0.3), (1 - eyeBlink)]")


# --- real faces -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def detections() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    if not GOOD_BAD_NEWS.is_dir():
        pytest.skip(f"no detections of good and bad news in {GOOD_BAD_NEWS}")
    blendshapes, landmarks, reference = [], [], []
    for path in sorted(GOOD_BAD_NEWS.glob("[0-9]*.csv")):
        with path.open() as file:
            for row in csv.DictReader(file):
                blendshapes.append([float(row[name]) for name in SHAPES])
                reference.append([float(row[name]) for name in NAMES])
                points = [float(row[f"mesh_{axis}_{i}"]) for i, axis in itertools.product(range(478), "xyz")]
                landmarks.append(np.reshape(points, (478, 3)) * (1, 1, float(row["FaceRectWidth"])))
    return np.array(blendshapes), np.array(landmarks), np.array(reference)


def _correlations(found: np.ndarray, reference: np.ndarray) -> np.ndarray:
    return np.array([np.corrcoef(found[:, i], reference[:, i])[0, 1] for i in range(20)])


def test_estimate__follow_those_of_pyfeat(detections, asset):
    blendshapes, landmarks, reference = detections
    r = dict(zip(NAMES, _correlations(estimate(blendshapes, landmarks), reference), strict=True))
    assert len(reference) == 477
    assert np.mean(list(r.values())) > 0.42
    assert min(r[name] for name in ("AU01", "AU02", "AU06", "AU07", "AU12", "AU43")) > 0.75


def test_estimate__reach_the_published_correlations_with_a_baseline_of_the_person(detections, asset):
    blendshapes, landmarks, reference = detections
    whole = whole_and_sides(measure(landmarks))
    sums = blendshapes[:, ["eyeLook" not in name and name != "_neutral" for name in SHAPES]].sum(axis=1)
    quiet = sums <= np.quantile(sums, 0.1)
    person = Baseline(
        np.quantile(whole, 0.1, axis=0),
        np.median(whole[quiet], axis=0),
        np.quantile(whole, 0.9, axis=0),
        np.quantile(blendshapes, 0.1, axis=0),
    )
    found = _correlations(estimate(blendshapes, landmarks, person), reference)
    published = ".77 .87 .20 .64 .91 .79 -.18 .63 .56 .81 .64 .47 .34 .45 .44 .65 .86 .52 .27 .88"
    np.testing.assert_allclose(found, [float(r) for r in published.split()], atol=0.006)
