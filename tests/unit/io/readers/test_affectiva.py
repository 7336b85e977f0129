from __future__ import annotations

import json

import numpy as np
import pytest

from facearray.errors import ReadError
from facearray.io.readers import affectiva

FILE = "sample_affectiva-api-app_output.json"

#: From Affectiva's published mapping of expressions to action units.
ACTION_UNITS = {
    "innerBrowRaise": "AU01",
    "browRaise": "AU02",
    "browFurrow": "AU04",
    "eyeWiden": "AU05",
    "cheekRaise": "AU06",
    "lidTighten": "AU07",
    "noseWrinkle": "AU09",
    "upperLipRaise": "AU10",
    "smile": "AU12",
    "dimpler": "AU14",
    "lipCornerDepressor": "AU15",
    "chinRaise": "AU17",
    "lipStretch": "AU20",
    "lipPress": "AU24",
    "mouthOpen": "AU25",
    "jawDrop": "AU26",
    "lipSuck": "AU28",
    "eyeClosure": "AU43",
}


@pytest.fixture
def record(asset):
    return json.loads(asset(FILE).read_text())


def found(part, row=0):
    return dict(zip(part.features, part.values[row, 0].tolist(), strict=True))


def test_sniff__is_true_for_the_app_alone(asset, tmp_path):
    assert affectiva.sniff(asset(FILE).read_bytes(), asset(FILE))
    other = tmp_path / "other.json"
    assert not affectiva.sniff(b'[{"face_landmarks": []}]', other)
    assert not affectiva.sniff(b"frame,innerBrowRaise", other)


def test_read__every_value_is_a_hundredth_of_the_files(asset, record):
    (part,) = affectiva.read(asset(FILE))
    assert part.label == record.pop("FileName")
    assert part.timestamp.tolist() == [record.pop("Timestamp")]
    names = ACTION_UNITS | {"joy": "happiness"}
    expected = {names.get(key, key): value / 100 for key, value in record.items()}
    assert found(part) == pytest.approx(expected)
    assert part.other == ("contempt", "engagement", "lipPucker", "smirk", "attention")


def test_read__objects_with_commas_between_as_the_app_writes_videos(asset, record, tmp_path):
    del record["FileName"]
    frames = [record | {"Timestamp": t, "smile": smile} for t, smile in ((0, 0), (0.1, 50), (0.3, None))]
    path = tmp_path / "clip.json"
    path.write_text(",".join(json.dumps(frame) for frame in frames))
    (part,) = affectiva.read(path)
    assert part.label == "clip.json"
    np.testing.assert_allclose(part.timestamp, [0, 0.1, 0.3])
    assert part.frame_number.tolist() == [0, 1, 2]
    assert part.n_faces_found.tolist() == [1, 1, 1]
    np.testing.assert_allclose([found(part, row)["AU12"] for row in range(3)], [0, 0.5, np.nan])
    assert any("the file leaves out frames without a face" in note for note in part.notes)


def test_read__photos_are_videos_of_one_frame(record, tmp_path):
    path = tmp_path / "photos.json"
    path.write_text(json.dumps([record, record | {"FileName": "b.jpg"}]))
    assert [part.label for part in affectiva.read(path)] == [record["FileName"], "b.jpg"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"smile": "much"}, "object 1, smile: found 'much'; expected a number"),
        ({"Timestamp": 0}, "object 1, Timestamp: found a time that is not after the one before it"),
        ({"smile": True}, "object 1, smile: found True"),
    ],
)
def test_read__names_object_and_key(record, tmp_path, change, message):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([record, record | {"Timestamp": 1} | change]))
    with pytest.raises(ReadError, match=message):
        list(affectiva.read(path))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"innerBrowRaise": 1},\n{"innerBrowRaise": ', "line 2, column 20: found no complete JSON"),
        ("[]", "empty list"),
        ('[{"joy": 1}]', "object 0: found no 'innerBrowRaise'"),
        ("[3]", "object 0: found no 'innerBrowRaise'"),
        (" \n", "empty file"),
    ],
)
def test_read__malformed(tmp_path, text, message):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=message):
        list(affectiva.read(path))
