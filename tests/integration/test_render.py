"""`facearray render` from detected stores: which video belongs to them, what it prints, how it ends."""

from __future__ import annotations

import json
import shutil

import av
import numpy as np
import pytest
from click.testing import CliRunner

import facearray as fa
from facearray.cli import main
from facearray.errors import MismatchError
from facearray.testing import FakeDetector


@pytest.fixture
def study(make_video, tmp_path):
    """A video of 20 frames, in the first of which is no face, and its store."""
    video = make_video("a.mkv", size="64x48")
    fa.detect(video, tmp_path / "s.zarr", detector=FakeDetector(), progress=False)
    return video, tmp_path / "s.zarr"


def call(*arguments):
    return CliRunner().invoke(main, [str(a) for a in arguments], catch_exceptions=False)


def n_frames(path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_render__says_what_it_wrote(study, tmp_path):
    video, store = study
    result = call("render", video, store, "-o", tmp_path / "o.mp4", "--draw", "boxes,mesh")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"wrote {tmp_path / 'o.mp4'}: 20 frames, 19 of them with faces drawn on\n"
    assert n_frames(tmp_path / "o.mp4") == 20
    again = call("render", video, store, "-o", tmp_path / "o.mp4")
    assert (again.exit_code, "found something there already" in again.stderr) == (2, True)
    assert call("render", video, store, "-o", tmp_path / "o.mp4", "--overwrite").exit_code == 0


def test_render__json_is_one_object(study, tmp_path):
    video, store = study
    options = ("--blur-faces", "--hold", "0", "--keep-unsure", "--draw", "none", "--no-audio")
    result = call("render", video, store, "-o", tmp_path / "o.mkv", *options, "--json")
    assert json.loads(result.stdout) == {
        "path": str(tmp_path / "o.mkv"),
        "video": "a.mkv",
        "n_frames": 20,
        "n_drawn": 0,
        "n_hidden": 19,
        "n_hidden_whole": 0,
        "to_check": [[0.0, 0.0]],
        "notes": [],
    }


def test_render__says_where_to_look_before_sharing(study, tmp_path):
    video, store = study
    result = call("render", video, store, "-o", tmp_path / "o.mp4", "--blur-faces", "--hold", "0", "--keep-unsure")
    assert "blurred faces in 19 frames, 0 of them as a whole" in result.stdout
    assert "look there before you share it: 0.00 to 0.00 s" in result.stderr
    result = call("render", video, store, "-o", tmp_path / "p.mp4", "--blur-faces", "--hold", "0")
    assert "blurred faces in 20 frames, 1 of them as a whole" in result.stdout
    assert "look there" not in result.stderr


def test_render__another_video_than_the_one_that_was_read(study, make_video, tmp_path):
    video, store = study
    copy = tmp_path / "copy" / "a.mkv"
    copy.parent.mkdir()
    shutil.copy(video, copy)
    assert call("render", copy, store, "-o", tmp_path / "o.mp4").exit_code == 0
    other = make_video("other/a.mkv", offset=5, size="64x48")
    result = call("render", other, store, "-o", tmp_path / "p.mp4")
    assert (result.exit_code, "fingerprint" in result.stderr, "--other-file" in result.stderr) == (2, True, True)
    assert call("render", other, store, "-o", tmp_path / "p.mp4", "--other-file").exit_code == 0
    small = make_video("small/a.mkv")
    result = call("render", small, store, "-o", tmp_path / "q.mp4", "--other-file")
    assert (result.exit_code, "found frames of 32 x 24 pixels; expected 64 x 48" in result.stderr) == (2, True)
    with pytest.raises(MismatchError, match="fingerprint"):
        fa.plot.render(store, other, tmp_path / "q.mp4", progress=False)
    shutil.copy(other, tmp_path / "renamed.mkv")
    result = call("render", tmp_path / "renamed.mkv", store, "-o", tmp_path / "q.mp4", "--label", "a.mkv")
    assert (result.exit_code, "fingerprint" in result.stderr) == (2, True)
    assert sorted(path.name for path in tmp_path.glob("*.mp4")) == ["o.mp4", "p.mp4"]


def test_render__rows_that_are_not_done(study, tmp_path):
    video, store = study
    broken = tmp_path / "broken.mkv"
    broken.write_bytes(video.read_bytes()[:2000])
    fa.detect([video, broken], store, detector=FakeDetector(), progress=False)
    result = call("render", broken, store, "-o", tmp_path / "o.mp4")
    assert (result.exit_code, "'broken.mkv': found that its row is failed" in result.stderr) == (1, True)
    assert call("render", video, store, "-o", tmp_path / "o.mp4").exit_code == 0


def test_render__a_store_that_is_still_written(make_video, tmp_path):
    videos = [make_video("a.mkv", size="64x48"), make_video("b.mkv", 30, size="64x48", offset=3)]

    class Dies(FakeDetector):
        def __call__(self, frames):
            if frames[0, 0, 0, 0] % 10 == 3:
                raise KeyboardInterrupt
            return super().__call__(frames)

    with pytest.raises(KeyboardInterrupt):
        fa.detect(videos, tmp_path / "s.zarr", detector=Dies(), progress=False)
    assert call("render", videos[0], tmp_path / "s.zarr", "-o", tmp_path / "o.mp4").exit_code == 0
    result = call("render", videos[1], tmp_path / "s.zarr", "-o", tmp_path / "p.mp4")
    assert (result.exit_code, "found that its row is pending" in result.stderr) == (1, True)


def test_render__files_of_other_tools_have_no_fingerprint_of_the_video(make_video, tmp_path):
    video = make_video("a.mkv", size="64x48")
    rows = "\n".join(f"{i},a.mkv,10,10,20,20,0.9,0.5" for i in range(20))
    table = tmp_path / "fex.csv"
    table.write_text(f"frame,input,FaceRectX,FaceRectY,FaceRectWidth,FaceRectHeight,FaceScore,AU12\n{rows}\n")
    fa.read(table, fps=25, store=tmp_path / "s.zarr")
    result = call("render", video, tmp_path / "s.zarr", "-o", tmp_path / "o.mp4", "--json")
    assert json.loads(result.stdout)["n_drawn"] == 20


def test_render__wrong_usage_exits_2(study, tmp_path):
    video, store = study
    for arguments, message in (
        (("--draw", "boxes,mash"), "unknown element 'mash' (did you mean 'mesh'?)"),
        (("--hold", "1"), "found hold=1.0 without blur_faces"),
        (("--face", "3"), "unknown face '3'; known: 0"),
        (("--label", "b.mkv"), "unknown label 'b.mkv'"),
        (("--face", "x"), "not a valid integer"),
    ):
        result = call("render", video, store, "-o", tmp_path / "o.mp4", *arguments)
        assert (result.exit_code, message in result.stderr) == (2, True)
    assert not list(tmp_path.glob("*.mp4*"))


def test_render__is_a_member_of_the_accessor(study, tmp_path):
    video, store = study
    done = fa.open_store(store).fex.plot.render(video, tmp_path / "o.mp4", progress=False)
    assert done.path == tmp_path / "o.mp4"
    assert np.isfinite(done.n_frames)
