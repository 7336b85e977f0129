"""One layout for several recordings, and each one's values in it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from facearray.io.recording import Recording
from facearray.io.uniting import MAX_NOTES, Outline, block, unite


def recording(n_frames: int = 3, n_faces: int = 1, **changes: Any) -> Recording:
    features = changes.pop("features", ("AU12", "mine"))
    given: dict[str, Any] = {
        "label": "a",
        "source": "a.csv",
        "features": features,
        "values": np.arange(n_frames * n_faces * len(features), dtype=np.float32).reshape(
            n_frames, n_faces, len(features)
        ),
        "frame_number": 2 * np.arange(n_frames, dtype=np.int32),
        "timestamp": np.full(n_frames, np.nan),
        "n_faces_found": np.full(n_frames, n_faces, dtype=np.int16),
        "track_id": np.tile(np.arange(n_faces, dtype=np.int32), (n_frames, 1)),
    }
    return Recording(**given | changes)


def outline(**changes: Any) -> Outline:
    return Outline.of(recording(**changes), "a tool")


def test_unite__features_of_the_schema_first_then_in_order_of_appearance():
    layout = unite([outline(features=("zz", "AU12")), outline(features=("aa", "Yaw", "zz"))], fps=None)
    assert layout.features == ("Yaw", "AU12", "zz", "aa")
    assert layout.options["other"] == ["zz", "aa"]
    assert layout.labels()["group"] == ["poses", "aus", "other", "other"]


def test_unite__units_and_descriptions_of_others():
    layout = unite([outline(units=(("mine", "mm"),), descriptions=(("mine", "its own"),))], fps=None)
    assert (layout.labels()["unit"], layout.labels()["description"][1]) == (["", "mm"], "its own")


def test_unite__names_tools_and_versions_once():
    layout = unite([outline(version="2"), outline(version="1"), outline(version="2")], fps=None)
    assert (layout.detector, layout.detector_version) == ("a tool", "1, 2")
    assert unite([outline()], fps=None).detector_version == "unknown"


def test_unite__notes_are_sorted_unique_and_bounded():
    layout = unite([outline(notes=(f"n{i:04}", "same")) for i in range(2 * MAX_NOTES)], fps=None)
    notes = layout.options["conversions"]
    assert len(notes) == MAX_NOTES + 1
    assert notes[:-1] == sorted(set(notes[:-1]))
    assert notes[-1] == f"… and {MAX_NOTES + 1} more"


def test_block__puts_features_and_faces_where_the_layout_has_them():
    small, large = recording(), recording(n_faces=2, features=("Yaw",))
    layout = unite([Outline.of(small, "t"), Outline.of(large, "t")], fps=None)
    arrays = block(small, layout, fps=10.0)
    assert layout.features == ("Yaw", "AU12", "mine")
    expected = np.full((3, 2, 3), np.nan)
    expected[:, 0, 1:] = small.values[:, 0]
    np.testing.assert_array_equal(arrays["features"], expected)
    assert arrays["track_id"].tolist() == [[0, -1]] * 3
    np.testing.assert_allclose(arrays["timestamp"], [0, 0.2, 0.4])


def test_block__a_smaller_embedding_becomes_features():
    small = recording(embedding=np.full((3, 1, 2), 0.5, np.float32))
    large = recording(embedding=np.full((3, 1, 4), 0.25, np.float32))
    layout = unite([Outline.of(small, "t"), Outline.of(large, "t")], fps=None)
    assert layout.n_components == 4
    assert layout.features == ("AU12", "mine", "embedding_0", "embedding_1")
    arrays = block(small, layout, fps=None)
    assert np.isnan(arrays["embedding"]).all()
    assert (arrays["features"][..., 2:] == 0.5).all()
    assert np.isnan(block(large, layout, fps=None)["features"][..., 2:]).all()


@pytest.mark.parametrize("has_depth", [False, True])
def test_block__a_smaller_set_of_points_keeps_its_depth_if_there_is_one(has_depth):
    points = np.ones((3, 1, 2, 3), np.float32)
    points[..., 2] = 7 if has_depth else np.nan
    small, large = recording(landmarks=points), recording(landmarks=np.ones((3, 1, 5, 3), np.float32))
    layout = unite([Outline.of(small, "t"), Outline.of(large, "t")], fps=None)
    assert layout.features[2:] == ("x_0", "x_1", "y_0", "y_1", "z_0", "z_1")[: 6 if has_depth else 4]
    assert (block(small, layout, fps=None)["features"][..., 2:6] == 1).all()


def test_record__rate_and_duration_from_the_times_of_the_file():
    found = outline(timestamp=np.array([1.0, 1.2, 1.4])).record(None)
    assert found["fps"] == pytest.approx(10)
    assert found["duration"] == pytest.approx(0.5)


def test_record__own_rate_before_the_one_asked_for():
    own = recording(fps=20.0)
    record = Outline.of(own, "t").record(25.0)
    assert (record["fps"], record["duration"]) == (20, 0.25)
    np.testing.assert_allclose(block(own, unite([outline()], fps=25.0), fps=25.0)["timestamp"], [0, 0.1, 0.2])


def test_record__without_any_time():
    found = outline().record(None)
    assert (found["n_frames"], math.isnan(found["fps"]), math.isnan(found["duration"])) == (3, True, True)


def test_followed_by__is_the_outline_of_the_whole():
    whole = recording(n_frames=4, timestamp=np.arange(4.0), width=9)
    parts = [
        recording(n_frames=2, timestamp=np.arange(2.0), width=9),
        recording(n_frames=0),
        recording(n_frames=2, timestamp=np.arange(2.0) + 2, frame_number=np.array([4, 6], np.int32)),
    ]
    first, *others = (Outline.of(part, "t") for part in parts)
    for other in others:
        first = first.followed_by(other)
    assert first == Outline.of(whole, "t")
