from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from facearray.errors import ReadError
from facearray.io.readers import imotions
from facearray.schema import FEATURES

AFFDEX = ("Joy", "Valence", "Engagement", "Brow Furrow", "Inner Brow Raise", "Smirk", "Pitch", "Interocular Distance")


def table(path):
    return pd.read_csv(path, sep="\t", skiprows=5)


@pytest.fixture(scope="module", params=["iMotions_Test_v5.txt", "iMotions_Test_v6.txt"])
def path(request, asset):
    return asset(request.param)


@pytest.fixture(scope="module")
def v6(asset):
    return asset("iMotions_Test_v6.txt")


def write(path, rows, names, preamble="#INFO\n#Study name,Smiles\n#DATA\n", between=","):
    path.write_text(preamble + "\n".join(between.join(map(str, row)) for row in (names, *rows)) + "\n")
    return path


def column(parts, feature):
    return np.concatenate([part.values[:, 0, part.features.index(feature)] for part in parts])


def test_sniff__is_true_for_imotions_alone(asset):
    for name in ("OpenFace_Test.csv", "001.csv", "Feat_Test.csv", "iMotions_Test_v5.txt", "iMotions_Test_v6.txt"):
        assert imotions.sniff(asset(name).read_bytes()[:65536], asset(name)) == name.startswith("iMotions")


def test_read__a_video_for_each_stimulus(path):
    expected = (table(path)["Name"] + ": " + table(path)["StimulusName"]).unique()
    assert list(dict.fromkeys(part.label for part in imotions.read(path))) == list(expected)


def test_read__frames_are_the_rows_of_facet_that_were_analysed(path):
    rows = table(path)
    rows = rows[rows["EventSource"].str.contains("FACET") & (rows["FrameNo"] >= 0) & (rows["NoOfFaces"] >= 0)]
    for name, expected in rows.groupby(rows["Name"] + ": " + rows["StimulusName"]):
        parts = [part for part in imotions.read(path) if part.label == name]
        frame_number, timestamp, n_faces_found, track_id = (
            np.concatenate([getattr(part, what) for part in parts])
            for what in ("frame_number", "timestamp", "n_faces_found", "track_id")
        )
        np.testing.assert_array_equal(frame_number, expected["FrameNo"])
        np.testing.assert_allclose(timestamp, expected["FrameTime"] / 1000)
        np.testing.assert_array_equal(n_faces_found, expected["NoOfFaces"])
        np.testing.assert_array_equal(track_id[:, 0], np.where(expected["NoOfFaces"] > 0, 0, -1))
        for new, old in (("FaceRectWidth", "FaceRect Width"), ("Yaw", "Yaw Degrees"), ("NOSE_TIP X", "NOSE_TIP X")):
            np.testing.assert_allclose(column(parts, new), expected[old], rtol=1e-6)


@pytest.mark.parametrize(
    ("feature", "evidence"), [("AU01", "AU1"), ("AU43", "AU43"), ("happiness", "Joy"), ("neutral", "Neutral")]
)
def test_read__evidence_is_log_odds_to_the_base_10(v6, feature, evidence):
    expected = table(v6)[f"{evidence} Evidence"]
    parts = list(imotions.read(v6))
    probability = column(parts, feature).astype(float)
    # near 1, float32 is coarse: that is why the evidence itself stays
    np.testing.assert_allclose(np.log10(probability / (1 - probability)), expected, atol=1e-3)
    np.testing.assert_allclose(column(parts, f"{evidence} Evidence"), expected, rtol=1e-6)


def test_read__nothing_is_dropped(path):
    parts = list(imotions.read(path))
    renamed = {
        "Pitch Degrees",
        "Roll Degrees",
        "Yaw Degrees",
        *(f"FaceRect {x}" for x in ("X", "Y", "Width", "Height")),
    }
    numbers = set(table(path)) - {"FrameNo", "FrameTime", "NoOfFaces"} - renamed - set(imotions._TEXTS)
    assert set(parts[0].other) == numbers
    assert {"AU18 Evidence", "Contempt Evidence", "IsMale Probability", "Timestamp"} <= numbers


def test_read__texts_that_say_the_same_in_all_rows_are_notes(v6):
    (part, *_) = imotions.read(v6)
    (said,) = (note for note in part.notes if note.startswith("in all rows of separate_rotation: gopro: "))
    for text in ("Study RotationTest", "Gender MALE", "SlideType TestImage", "ExportDate 20171006"):
        assert text in said
    assert part.version == "6.1.2667.3"


def test_read__angles_are_those_that_the_points_show(v6):
    # FACET does not document its directions, but one can see them: a nose that turns moves against the eyes
    rows = table(v6)
    rows = rows[rows["NoOfFaces"] > 0]
    left, right, nose = (
        rows[[f"{point} X", f"{point} Y"]].to_numpy() for point in ("LEFT_EYE_LATERAL", "RIGHT_EYE_LATERAL", "NOSE_TIP")
    )
    between = right - left
    shift = (nose - (left + right) / 2) / between[:, :1]
    seen = {"Yaw": shift[:, 0], "Pitch": shift[:, 1], "Roll": -np.degrees(np.arctan2(*between.T[::-1]))}
    parts = list(imotions.read(v6))
    names = ("Yaw", "Pitch", "Roll")
    found = np.column_stack([column(parts, name) for name in names] + [np.ones(len(column(parts, "Yaw")))])
    found = found[np.isfinite(found).all(axis=1)]
    for i, name in enumerate(names):
        slope, residual, *_ = np.linalg.lstsq(found, seen[name])
        error = np.sqrt(residual[0] / (len(found) - 4) * np.linalg.inv(found.T @ found)[i, i])
        assert slope[i] > 8 * error


def test_read__affdex(tmp_path):
    rows = [
        (1, 40, "Affectiva AFFDEX", "P1", "ad.mp4", 99.5, -50, 80, 25, 10, 5, 3.5, 61.2, ""),
        (2, 45, "Shimmer", "P1", "ad.mp4", "", "", "", "", "", "", "", "", 0.7),
        (3, 80, "Affectiva AFFDEX", "P1", "ad.mp4", "", "", "", "", "", "", "", "", 0.8),
        (4, 120, "Affectiva AFFDEX", "P1", "film.mp4", 1, 50, 0, 0, 0, 0, 1.0, 60, 0.9),
    ]
    names = ("Row", "Timestamp", "EventSource", "Respondent", "SourceStimuliName", *AFFDEX, "GSR")
    first, second = imotions.read(write(tmp_path / "a.csv", rows, names))
    assert (first.label, second.label) == ("P1: ad.mp4", "P1: film.mp4")
    assert first.frame_number.tolist() == [0, 1]
    np.testing.assert_allclose(first.timestamp, [0.04, 0.08])
    assert first.n_faces_found.tolist() == [1, 0]
    found = dict(zip(first.features, first.values[0, 0].tolist(), strict=True))
    expected = {"happiness": 0.995, "valence": -0.5, "Engagement": 0.8, "AU04": 0.25, "AU01": 0.1, "Smirk": 0.05}
    expected |= {"AFFDEX Pitch": 3.5, "Interocular Distance": 61.2, "Timestamp": 40}
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert column([first], "GSR")[1] == pytest.approx(0.8)
    assert "in all rows of P1: ad.mp4: Study name Smiles" in first.notes
    assert not any("FACET" in note for note in first.notes)
    assert [name for name in first.features if name in FEATURES] == ["AU01", "AU04", "happiness", "valence"]


def test_read__affdex_between_other_sensors(tmp_path):
    preamble = (
        "#INFO,,\n#Study name,Smiles,\n#Respondent Name,P7,\n#METADATA,,\n#Device,,Affectiva\n"
        f"#Channel name,Timestamp,{','.join(AFFDEX)}\n#DATA,,\n"
    )
    names = ("Row", "Timestamp", "EventSource", "Combined Event Source", "SourceStimuliName", *AFFDEX)
    values = [10.0] * len(AFFDEX)
    rows = [
        (1, 1000, "1", "Affectiva AFFDEX", "http://example.org/", *values),
        (2, 1010, "2", "ET_Eyetracker", "http://example.org/", *values),
        (3, 1030, "1", "ET_Eyetracker|Affectiva AFFDEX", "http://example.org/", *values),
    ]
    (part,) = imotions.read(write(tmp_path / "a.csv", rows, names, preamble))
    assert part.label == "P7: http:_example.org_"
    assert part.timestamp.tolist() == [1.0, 1.03]
    assert any(note.endswith(": Study name Smiles, Respondent Name P7") for note in part.notes)
    assert not any("Channel name" in note for note in part.notes)


def test_read__a_stimulus_that_comes_again_is_a_video_of_its_own(tmp_path):
    names = ("Timestamp", "StimulusName", "FrameNo", "NoOfFaces", "Joy Evidence")
    rows = [(40, "a", 0, 1, 1), (80, "b", 0, 1, 1), (120, "a", 0, 1, 1), (160, "a", 1, 0, "")]
    path = write(tmp_path / "a.txt", rows, names, between="\t")
    assert [part.label for part in imotions.read(path)] == ["a", "b", "a (2)"]


def test_read__texts_that_differ_are_named(tmp_path):
    names = ("Timestamp", "FrameNo", "NoOfFaces", "Joy Evidence", "LiveMarker")
    (part,) = imotions.read(write(tmp_path / "a.txt", [(40, 0, 1, 1, "on"), (80, 1, 1, 1, "off")], names))
    assert "iMotions: texts in LiveMarker → left out" in part.notes
    assert part.label == "a.txt"


@pytest.mark.parametrize(
    ("names", "row", "message"),
    [
        (("Timestamp", "FrameNo", "EventSource", "Joy Evidence"), (1, 0, "ET", 1), "no row of FACET or AFFDEX"),
        (("FrameNo", "Joy Evidence"), (0, 1), "line 4: found no column 'FrameTime'"),
        (("Timestamp", "FrameNo", "Joy Evidence", *AFFDEX), (0,) * 11, "columns of FACET and of AFFDEX"),
        (("Timestamp", "GSR"), (1, 1), "no header below"),
    ],
)
def test_read__says_what_is_wrong(tmp_path, names, row, message):
    with pytest.raises(ReadError, match=rf"a\.txt: .*{message}"):
        list(imotions.read(write(tmp_path / "a.txt", [row], names)))
