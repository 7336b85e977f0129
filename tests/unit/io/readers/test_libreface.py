from __future__ import annotations

import numpy as np
import pytest

from facearray.errors import ReadError
from facearray.io.readers import libreface

# the columns that LibreFace 0.2 writes for a video, with two of its 478 points
NAMES = (
    *("frame_idx", "frame_time_in_ms", "pitch", "yaw", "roll"),
    *(f"lm_mp_{i}_{axis}" for i in range(2) for axis in "xyz"),
    *(f"au_{unit}" for unit in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)),
    *(f"au_{unit}_intensity" for unit in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)),
    *("facial_expression", "gaze_yaw", "gaze_pitch"),
)


def row(**values):
    return [values.get(name, 0) for name in NAMES]


def write(path, rows, names=NAMES):
    path.write_text("\n".join(",".join(map(str, line)) for line in (names, *rows)) + "\n")
    return path


@pytest.fixture
def part(tmp_path):
    rows = [
        row(frame_idx=0, frame_time_in_ms=0, facial_expression="Happiness", au_12=1, au_12_intensity=3.5, gaze_yaw=7),
        row(frame_idx=1, frame_time_in_ms=40, facial_expression="Contempt", pitch=11, lm_mp_1_y=0.25),
        row(frame_idx=4, frame_time_in_ms=160, facial_expression="", au_1_intensity=5),
    ]
    (part,) = libreface.read(write(tmp_path / "clip.csv", rows))
    return part


def column(part, name):
    return part.values[:, 0, part.features.index(name)]


def test_sniff__is_true_for_libreface_alone(asset, tmp_path):
    path = write(tmp_path / "a.csv", [row()])
    assert libreface.sniff(path.read_bytes(), path)
    for name in ("OpenFace_Test.csv", "001.csv", "Feat_Test.csv"):
        assert not libreface.sniff(asset(name).read_bytes()[:65536], asset(name))


def test_read__frames_and_times(part):
    assert part.label == "clip.csv"
    assert part.frame_number.tolist() == [0, 1, 4]
    np.testing.assert_allclose(part.timestamp, [0, 0.04, 0.16])
    assert part.n_faces_found.tolist() == [1, 1, 1]


def test_read__intensities_are_divided_by_5(part):
    np.testing.assert_allclose(column(part, "AU12"), [0.7, 0, 0])
    np.testing.assert_allclose(column(part, "AU01"), [0, 0, 1])
    assert column(part, "au_12").tolist() == [1, 0, 0]


def test_read__expressions_are_choices(part):
    assert column(part, "facial_expression_Happiness").tolist()[:2] == [1, 0]
    assert column(part, "facial_expression_Contempt").tolist()[:2] == [0, 1]
    assert np.isnan(column(part, "facial_expression_Neutral")[2])
    assert "happiness" not in part.features


def test_read__nothing_is_dropped_nor_taken_for_what_it_is_not(part):
    assert column(part, "pitch")[1] == 11
    assert column(part, "LibreFace gaze_yaw")[0] == 7
    assert column(part, "lm_mp_1_y")[1] == 0.25
    schema = {f"AU{unit:02d}" for unit in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)}
    assert set(part.features) - set(part.other) == schema
    others = set(NAMES[2:]) - {"facial_expression", "gaze_yaw", "gaze_pitch"}
    assert {name for name in others if not name.endswith("_intensity")} <= set(part.other)


def test_read__times_of_less_than_1_a_frame_are_seconds(tmp_path):
    rows = [row(frame_idx=i, frame_time_in_ms=i / 25, facial_expression="Fear") for i in range(3)]
    (part,) = libreface.read(write(tmp_path / "a.csv", rows))
    np.testing.assert_allclose(part.timestamp, [0, 0.04, 0.08])


def test_read__a_picture_has_no_frame(tmp_path):
    names = ("pitch", "facial_expression", "au_1", "au_1_intensity")
    (part,) = libreface.read(write(tmp_path / "a.csv", [(1, "Anger", 1, 2.5)], names))
    assert part.frame_number.tolist() == [0]
    assert np.isnan(part.timestamp).all()
    np.testing.assert_allclose(column(part, "AU01"), 0.5)


def test_read__names_unknown_expressions(tmp_path):
    (part,) = libreface.read(write(tmp_path / "a.csv", [row(facial_expression="Boredom")]))
    (problem,) = part.problems
    assert problem.startswith("a.csv: line 2, column 'facial_expression': found 'Boredom'")


def test_read__names_missing_columns(tmp_path):
    path = write(tmp_path / "a.csv", [(0, "Anger", 1)], ("frame_idx", "facial_expression", "au_1"))
    with pytest.raises(ReadError, match=r"a\.csv: line 1: found no column 'frame_time_in_ms'"):
        list(libreface.read(path))
