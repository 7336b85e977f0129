from __future__ import annotations

import numpy as np
import psutil
import pytest
from PIL import Image

from facearray.detection.seeking import SeekableVideo
from facearray.detection.video import open_video
from facearray.errors import VideoError

KINDS = {
    "long_gop.mp4": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-bf", "3", "-g", "60"),
    "late.mkv": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-output_ts_offset", "5"),
    "stream.ts": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "20"),
}


def everything(path):
    with open_video(path) as video:
        batches = list(video.batches(32))
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[2] for b in batches])


@pytest.mark.parametrize("name", KINDS)
def test_stream__same_frames_at_the_same_times_as_reading_everything(make_video, name):
    path = make_video(name, *KINDS[name])
    frames, times = everything(path)
    video = SeekableVideo.open(path)
    for wanted in (0, 1, 25, len(times) - 2):
        # half a frame before it
        with video.stream(times[wanted] - 0.02) as stream:
            for decoded in stream:
                (same,) = np.flatnonzero(np.abs(times - decoded.timestamp) < 1e-6)
                np.testing.assert_array_equal(decoded.frame, frames[same])
                if same >= wanted + 1:
                    break


def test_stream__from_the_beginning_counts_every_frame(numbered_video):
    with SeekableVideo.open(numbered_video("n.mkv", 9)).stream() as stream:
        found = [(d.place, int(d.frame[0, 0, 0]), round(d.timestamp, 3)) for d in stream]
    assert found == [(i, i, i / 25) for i in range(9)]


def test_stream__seeking_does_not_decode_what_is_before(numbered_video):
    video = SeekableVideo.open(numbered_video("n.mkv", 60))
    with video.stream(2.0 - 0.02) as stream:
        first = next(stream)
    assert (int(first.frame[0, 0, 0]), first.place) == (50, 0)


def test_open__scales_down_but_not_up(numbered_video):
    path = numbered_video("n.mkv", 2, width=80, height=40)
    assert (SeekableVideo.open(path, side=40).width, SeekableVideo.open(path, side=400).width) == (40, 80)
    with SeekableVideo.open(path, side=40).stream() as stream:
        assert next(stream).frame.shape == (20, 40, 3)


def test_open__a_picture_is_one_frame(tmp_path):
    Image.new("RGB", (60, 30), (9, 8, 7)).save(tmp_path / "p.png")
    video = SeekableVideo.open(tmp_path / "p.png", side=30)
    with video.stream() as stream:
        (only,) = list(stream)
    assert (only.frame.shape, only.timestamp, only.frame[0, 0].tolist()) == ((15, 30, 3), 0.0, [9, 8, 7])


def test_open__what_is_no_video(tmp_path):
    (tmp_path / "no.mp4").write_bytes(b"no video")
    (tmp_path / "list.mp4").write_text("ffconcat version 1.0\nfile /etc/passwd\n")
    with pytest.raises(VideoError, match=r"'no.mp4': found no video"):
        SeekableVideo.open(tmp_path / "no.mp4")
    with pytest.raises(VideoError, match="playlist"):
        SeekableVideo.open(tmp_path / "list.mp4")
    with pytest.raises(VideoError, match="found no such file"):
        SeekableVideo.open(tmp_path)


def test_close__leaves_no_process(numbered_video):
    before = psutil.Process().children()
    stream = SeekableVideo.open(numbered_video("n.mkv", 60)).stream()
    next(stream)
    stream.close()
    stream.close()
    assert psutil.Process().children() == before
    assert list(stream) == []
