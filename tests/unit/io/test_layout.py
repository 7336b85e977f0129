from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from facearray.errors import InputError
from facearray.io.layout import Layout, frame_capacity


@pytest.mark.parametrize(
    ("n_frames", "expected"), [(0, 1024), (1, 1024), (975, 1024), (976, 2048), (1024, 2048), (100_000, 105_472)]
)
def test_frame_capacity__adds_five_percent_in_whole_chunks(n_frames, expected):
    assert frame_capacity(n_frames) == expected


@pytest.mark.parametrize(("n_frames", "expected"), [(0, 1024), (1024, 1024), (1025, 2048)])
def test_frame_capacity__exact_counts_need_no_reserve(n_frames, expected):
    assert frame_capacity(n_frames, exact=True) == expected


def fake_detector():
    return SimpleNamespace(
        name="fake", version="2", features=("AU12",), n_landmarks=5, n_components=7, assets={"a.task": "00"}
    )


def test_from_detector__takes_structure_and_identity():
    layout = Layout.from_detector(fake_detector(), max_faces=2, options={"every": 3})
    assert layout == Layout(
        detector="fake",
        detector_version="2",
        features=("AU12",),
        max_faces=2,
        n_landmarks=5,
        n_components=7,
        options={"every": 3},
        assets={"a.task": "00"},
    )
    assert {v.name for v in layout.variables} >= {"landmarks", "axis", "embedding"}


def test_from_detector__leaves_out_what_is_not_to_be_stored():
    layout = Layout.from_detector(fake_detector(), max_faces=1, options={}, landmarks=False, embedding=False)
    assert (layout.n_landmarks, layout.n_components) == (None, None)
    assert not {v.name for v in layout.variables} & {"landmarks", "axis", "embedding"}


def test_layout__refuses_options_that_are_no_json():
    with pytest.raises(InputError, match="expected JSON values only"):
        Layout(detector="fake", detector_version="1", features=("AU12",), options={"device": object()})


def test_layout__equal_options_have_equal_hashes_in_any_order(layout):
    other = replace(layout, options=dict(reversed(layout.options.items())))
    assert other.attrs() == layout.attrs()
    assert replace(layout, options={"every": 1}).attrs()["options_hash"] != layout.attrs()["options_hash"]


def test_differences__none_between_equal_layouts(layout):
    assert layout.differences(replace(layout)) == []


def test_differences__names_all_of_them_with_found_and_expected(layout):
    other = replace(
        layout,
        detector="other",
        detector_version="9",
        features=("AU12", "AU01"),
        max_faces=3,
        n_landmarks=None,
        options={"every": 1, "new": True},
        assets={"fake.task": "cd" * 32},
    )
    text = "\n".join(layout.differences(other))
    for part in (
        "found detector 'fake'; expected 'other'",
        "found detector_version '1.2'; expected '9'",
        "found max_faces 1; expected 3",
        "found n_landmarks 5; expected None",
        "found option every=2; expected 1",
        "found option new='none'; expected True",
        "found option slots='largest'; expected 'none'",
        "found model file fake.task=",
        "the store lacks AU01",
        "the run does not compute FaceRectX, happiness, my_own_measure",
    ):
        assert part in text


def test_differences__what_a_run_can_choose_comes_first(layout):
    layout = replace(layout, assets={"a.task": "1"}, options={"every": 2})
    other = replace(
        layout, assets={"a.task": "2"}, detector_version="3", options={"every": 1}, n_components=9, max_faces=3
    )
    starts = [
        "found max_faces",
        "found n_components",
        "found option every",
        "found detector_version",
        "found model file",
    ]
    assert [problem.startswith(start) for problem, start in zip(layout.differences(other), starts, strict=True)] == (
        [True] * 5
    )


def test_differences__another_order_of_features(layout):
    (problem,) = layout.differences(replace(layout, features=layout.features[::-1]))
    assert "in another order" in problem
