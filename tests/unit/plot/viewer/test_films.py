from __future__ import annotations

import io

import numpy as np
import psutil
import pytest
from PIL import Image
from viewer_study import N_FRAMES, RATE, level, write_video

from facearray.errors import VideoError
from facearray.plot.viewer.films import Bounded, Film, thumbnail

NUMBER = np.arange(N_FRAMES)


def brightness(picture: bytes) -> float:
    return float(np.asarray(Image.open(io.BytesIO(picture))).mean())


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    made = tmp_path_factory.mktemp("film") / "a.mkv"
    write_video(made)
    return str(made)


@pytest.mark.parametrize("positions", [[0, 1, 2], [30, 29, 28, 31], [39, 0, 20]])
def test_film__every_picture_is_that_of_its_frame(path, positions):
    film = Film(path, NUMBER, NUMBER / RATE)
    for position in positions:
        assert brightness(film.picture(position)) == pytest.approx(level(position), abs=1)
    film.close()


def test_film__every_third_frame_was_stored(path):
    film = Film(path, NUMBER[::3], NUMBER[::3] / RATE)
    for position in (5, 2, 12):
        assert brightness(film.picture(position)) == pytest.approx(level(3 * position), abs=1)
    film.close()


def test_film__times_that_another_tool_counted_from_zero(tmp_path):
    write_video(tmp_path / "late.mkv", N_FRAMES, "-c:v", "png", "-output_ts_offset", 3)
    film = Film(str(tmp_path / "late.mkv"), NUMBER, NUMBER / RATE)
    for position in (25, 3):
        assert brightness(film.picture(position)) == pytest.approx(level(position), abs=1)
    film.close()


def test_film__without_increasing_times_frames_are_counted(path):
    film = Film(path, NUMBER, np.where(NUMBER < 20, NUMBER, NUMBER - 20) / RATE)
    for position in (25, 3):
        assert brightness(film.picture(position)) == pytest.approx(level(position), abs=1)
    film.close()


def test_film__a_frame_that_the_file_does_not_have(path):
    longer = np.arange(N_FRAMES + 30)
    film = Film(path, longer, longer / RATE)
    with pytest.raises(VideoError, match=r"'a.mkv': found no frame 60 at 2.400 s; expected the file"):
        film.picture(60)
    film.close()


def test_film__closed_leaves_no_process(path):
    before = psutil.Process().children()
    film = Film(path, NUMBER, NUMBER / RATE)
    film.picture(3)
    assert len(psutil.Process().children()) == len(before) + 1
    film.close()
    assert psutil.Process().children() == before
    # who still has it can use it, and nothing is left behind
    film.picture(35)
    assert psutil.Process().children() == before


@pytest.mark.parametrize("seconds", [0.8, float("nan"), 99.0])
def test_thumbnail__the_frame_at_a_time_or_the_first(path, seconds):
    expected = level(20) if seconds == 0.8 else level(0)
    assert brightness(thumbnail(path, seconds)) == pytest.approx(expected, abs=7)


def test_bounded__forgets_what_was_not_used_for_longest():
    dropped = []
    kept = Bounded(10, len, dropped.append)
    for key, value in (("a", "xxxx"), ("b", "yyyy")):
        kept.put(key, value)
    assert kept.get("a") == "xxxx"
    kept.put("c", "zzzz")
    assert (kept.get("b"), kept.get("a"), dropped) == (None, "xxxx", ["yyyy"])
    kept.put("a", "x")
    kept.clear()
    assert sorted(dropped) == ["x", "xxxx", "yyyy", "zzzz"]
