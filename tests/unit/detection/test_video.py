from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import av
import numpy as np
import psutil
import pytest
import torch
from PIL import Image

from facearray.detection import ffmpeg as ffmpeg_module
from facearray.detection import video as video_module
from facearray.detection.prefetch import prefetch
from facearray.detection.video import VideoSummary, open_video, probe
from facearray.errors import InputError, VideoError

SAMPLES = ["WolfgangLanger_Pexels.mp4", "single_face.mp4", "face_noface.mov", "noface_face.mov", "no_face.mp4"]
X264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")


def read(path, *, batch_size=16, **options):
    with open_video(path, **options) as video:
        batches = list(video.batches(batch_size))
        frames, number, timestamp = (np.concatenate(parts) for parts in zip(*batches, strict=True))
        return frames, number, timestamp, video.summary


def true_times(path) -> np.ndarray:
    """Presentation times as another binding to the decoder's library reads them."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return np.array([float(frame.pts * stream.time_base) for frame in container.decode(stream)])


def assert_nothing_left(children, threads, descriptors):
    process = psutil.Process()
    assert process.children(recursive=True) == children
    assert process.num_fds() == descriptors
    assert process.num_threads() <= threads


@pytest.fixture
def nothing_left():
    """Check that no process, thread or descriptor outlives the test."""
    process = psutil.Process()
    before = process.children(recursive=True), process.num_threads(), process.num_fds()
    yield
    assert_nothing_left(*before)


# The samples


@pytest.mark.parametrize(("name", "n"), list(zip(SAMPLES, [472, 72, 169, 169, 95], strict=True)))
def test_open_video__true_frames_and_times_of_the_samples(asset, name, n):
    _, number, timestamp, summary = read(asset(name), threads=2)
    assert summary.n_decoded == n
    np.testing.assert_array_equal(number, np.arange(n))
    np.testing.assert_allclose(timestamp, true_times(asset(name)), rtol=0, atol=1e-6)
    assert summary.fps == pytest.approx((n - 1) / (timestamp[-1] - timestamp[0]))
    assert summary.duration > timestamp[-1] - timestamp[0]


def test_open_video__same_pixels_as_another_binding(asset):
    path = asset("single_face.mp4")
    frames = read(path)[0]
    with av.open(str(path)) as container:
        for i, frame in enumerate(container.decode(video=0)):
            if i % 20 == 0:
                difference = np.abs(frames[i].astype(int) - frame.to_ndarray(format="rgb24"))
                assert difference.mean() < 0.5


# Frame identity and times


@pytest.mark.parametrize("every", [1, 3, 7, 1000])
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_open_video__frame_identity(numbered_video, every, batch_size):
    path = numbered_video("a.mkv", 40)
    frames, number, timestamp, summary = read(path, every=every, batch_size=batch_size)
    expected = np.arange(0, 40, every)
    np.testing.assert_array_equal(number, expected)
    assert (frames.dtype, number.dtype, timestamp.dtype) == (np.uint8, np.int32, np.float64)
    assert frames.shape == (len(expected), 18, 34, 3)
    for channel, value in enumerate([expected, 255 - expected, np.full_like(expected, 7)]):
        assert (frames[..., channel] == value[:, None, None]).all()
    np.testing.assert_allclose(timestamp, expected / 25, atol=1e-3)
    assert summary == VideoSummary(40, pytest.approx(25), pytest.approx(1.6), 34, 18)


def test_open_video__batches_have_arrays_of_their_own(numbered_video):
    with open_video(numbered_video("a.mkv", 12)) as video:
        batches = list(video.batches(4))
    assert [int(frames[0, 0, 0, 0]) for frames, _, _ in batches] == [0, 4, 8]
    assert not np.shares_memory(batches[0][0], batches[1][0])


@pytest.mark.parametrize("kept", ["view", "tensor", "memoryview"])
def test_open_video__memory_is_taken_again_once_nothing_refers_to_it(numbered_video, kept):
    views = {"view": lambda x: x[1:, :2], "tensor": torch.from_numpy, "memoryview": lambda x: memoryview(x[0])}
    path = numbered_video("a.mkv", 6)
    with open_video(path) as video:
        batches = video.batches(2)
        first = next(batches)[0]
        address, content, view = first.ctypes.data, first.copy(), views[kept](first)
        expected = np.asarray(view).copy()
        del first
        second = next(batches)[0]
        assert second.ctypes.data != address
        assert (second != content).any()
        np.testing.assert_array_equal(np.asarray(view), expected)
        del view
        third = next(batches)[0]
        assert third.ctypes.data == address
        np.testing.assert_array_equal(third, read(path)[0][4:6])


@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.mov"])
def test_open_video__time_base_of_the_stream(make_video, name):
    path = make_video(name, *X264, seconds=0.4)
    with av.open(str(path)) as container, open_video(path) as video:
        assert video.time_base == container.streams.video[0].time_base


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b-frames.mp4", [*X264, "-bf", "3"]),
        ("b-frames.ts", [*X264, "-bf", "3"]),
        ("late.mp4", [*X264, "-vf", "setpts=PTS+2/TB", "-fps_mode", "passthrough"]),
        ("late.mkv", [*X264, "-vf", "setpts=PTS+2/TB", "-fps_mode", "passthrough", "-copyts"]),
        ("variable.mp4", [*X264, "-vf", "setpts='(N+0.4*mod(N,3))/(25*TB)'", "-fps_mode", "vfr"]),
        ("variable.mkv", [*X264, "-vf", "setpts='N*N/(400*TB)'", "-fps_mode", "vfr"]),
        ("slow.mkv", [*X264, "-vf", "fps=0.5"]),
        ("fractional.mov", [*X264, "-r", "30000/1001"]),
        ("old.avi", ["-c:v", "mpeg4", "-bf", "2"]),
        ("small.webm", ["-c:v", "libvpx", "-deadline", "realtime"]),
        ("animated.gif", ["-r", "10"]),
    ],
)
def test_open_video__presentation_times_of_the_file(make_video, name, options):
    path = make_video(name, *options, seconds=4)
    expected = true_times(path)
    for every in (1, 3):
        np.testing.assert_allclose(read(path, every=every)[2], expected[::every], rtol=0, atol=1e-6)


def test_open_video__start_that_is_not_zero_is_kept(make_video):
    path = make_video("late.mkv", *X264, "-vf", "setpts=PTS+2/TB", "-fps_mode", "passthrough", "-copyts")
    _, _, timestamp, summary = read(path)
    assert timestamp[0] == 2
    assert summary.duration == pytest.approx(2)


@pytest.mark.parametrize("every", [1, 4])
def test_open_video__edit_list(ffmpeg, make_video, every):
    source = make_video("whole.mp4", *X264, "-g", "25", seconds=4, audio=True)
    path = ffmpeg("-ss", "1.4", "-i", source, "-c", "copy", "cut.mp4")
    expected = true_times(path)
    assert len(expected) < 100
    np.testing.assert_allclose(read(path, every=every)[2], expected[::every], rtol=0, atol=1e-6)


def test_open_video__joined_recordings_whose_times_start_anew(make_video, tmp_path):
    part = make_video("part.ts", *X264, seconds=1).read_bytes()
    path = tmp_path / "joined.ts"
    path.write_bytes(part + part)
    _, number, timestamp, summary = read(path, every=5)
    np.testing.assert_array_equal(number, np.arange(0, 50, 5))
    assert (timestamp[:5] == timestamp[5:]).all()
    assert summary == VideoSummary(50, pytest.approx(25), pytest.approx(2), 96, 64)


def test_open_video__one_frame(make_video):
    path = make_video("a.mp4", *X264, "-frames:v", "1")
    _, _, timestamp, summary = read(path)
    np.testing.assert_array_equal(timestamp, [0])
    assert summary == VideoSummary(1, pytest.approx(25), pytest.approx(0.04), 96, 64)


# Pixels and sizes


@pytest.mark.parametrize(("angle", "turns"), [(90, 1), (180, 2), (270, 3)])
def test_open_video__rotation_of_the_metadata(ffmpeg, make_video, angle, turns):
    upright = make_video("upright.mp4", *X264)
    path = ffmpeg("-display_rotation", angle, "-i", upright, "-c", "copy", "rotated.mp4")
    frames = read(path)[0]
    np.testing.assert_array_equal(frames, np.rot90(read(upright)[0], turns, axes=(1, 2)))
    info = probe(path)
    assert (info.height, info.width) == frames.shape[1:3]


@pytest.mark.parametrize(
    "options",
    [
        ["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"],
        ["-c:v", "ffv1", "-pix_fmt", "yuv444p16le"],
        ["-c:v", "ffv1", "-pix_fmt", "gray"],
        ["-c:v", "ffv1", "-pix_fmt", "yuva444p"],
        ["-c:v", "png", "-pix_fmt", "rgba"],
        ["-c:v", "png", "-pix_fmt", "rgb48be"],
        ["-c:v", "ffv1", "-pix_fmt", "bgra"],
    ],
)
@pytest.mark.parametrize("size", ["96x64", "33x17"])
def test_open_video__pixel_formats_and_odd_sizes(ffmpeg, options, size):
    width, height = map(int, size.split("x"))
    color = f"color=c=0x808080:size={size}:rate=25:duration=0.2,format=rgb24"
    path = ffmpeg("-f", "lavfi", "-i", color, *options, "a.mkv")
    frames = read(path)[0]
    assert frames.shape == (5, height, width, 3)
    np.testing.assert_allclose(frames, 128, atol=2)


def test_open_video__size_that_changes(make_video, tmp_path):
    large = make_video("large.ts", *X264, size="96x64", seconds=1)
    small = make_video("small.ts", *X264, size="48x32", seconds=1)
    path = tmp_path / "a.ts"
    path.write_bytes(large.read_bytes() + small.read_bytes())
    frames, number, _, summary = read(path, every=3)
    np.testing.assert_array_equal(number, np.arange(0, 50, 3))
    assert frames.shape == (17, 64, 96, 3)
    # The same picture in both sizes.
    assert np.abs(frames[0].astype(int) - frames[9]).mean() < 30
    assert summary.n_decoded == 50


def test_open_video__size_that_changes_in_a_rotated_video(ffmpeg, make_video, tmp_path):
    joined = tmp_path / "joined.h264"
    sizes = {"large.h264": "96x64", "small.h264": "48x32"}
    joined.write_bytes(b"".join(make_video(name, *X264, size=size).read_bytes() for name, size in sizes.items()))
    plain = ffmpeg("-r", "25", "-i", joined, "-c", "copy", "-bsf:v", "dump_extra", "plain.mp4")
    path = ffmpeg("-display_rotation", 90, "-i", plain, "-c", "copy", "a.mp4")
    with pytest.raises(VideoError, match="size of its frames changes"):
        read(path)


def test_open_video__cover_picture_is_not_the_video(ffmpeg, make_video, tmp_path):
    cover = tmp_path / "cover.jpg"
    Image.new("RGB", (300, 200)).save(cover)
    video = make_video("a.mp4", *X264)
    both = ffmpeg(
        *("-i", cover, "-i", video, "-map", "0", "-map", "1", "-c", "copy", "-disposition:v:0", "attached_pic", "b.mp4")
    )
    assert read(both)[3] == VideoSummary(50, pytest.approx(25), pytest.approx(2), 96, 64)
    assert (probe(both).width, probe(both).codec) == (96, "h264")


@pytest.mark.parametrize("name", ["a.jpg", "a.jpeg", "a.png", "a.bmp", "a.webp", "a.tif", "a.tiff", "picture.mp4"])
def test_open_video__picture_is_a_video_of_one_frame(tmp_path, name):
    path = tmp_path / name
    Image.fromarray(np.full((12, 20, 3), 90, np.uint8)).save(path, format="PNG" if path.suffix == ".mp4" else None)
    frames, number, timestamp, summary = read(path, every=3)
    np.testing.assert_allclose(frames, np.full((1, 12, 20, 3), 90), atol=3)
    assert (number.tolist(), timestamp.tolist()) == ([0], [0.0])
    assert (summary.n_decoded, summary.width, summary.height) == (1, 20, 12)
    assert math.isnan(summary.fps)
    assert math.isnan(summary.duration)
    info = probe(path)
    assert (info.is_picture, info.n_frames, info.width, info.height) == (True, 1, 20, 12)
    assert math.isnan(info.fps)


def test_open_video__animated_pictures_are_videos(make_video):
    for name, options in (("a.gif", []), ("a.png", ["-f", "apng"])):
        path = make_video(name, *options, "-r", "10", seconds=1)
        assert not probe(path).is_picture
        assert read(path)[3].n_decoded == 12


# Headers


def test_probe__samples(asset):
    expected = {"WolfgangLanger_Pexels.mp4": (640, 360, 472), "face_noface.mov": (960, 540, 169)}
    for name, (width, height, n) in expected.items():
        info = probe(asset(name))
        assert (info.width, info.height, info.is_picture) == (width, height, False)
        assert info.n_frames == pytest.approx(n, abs=2)


def test_probe__unknown_length(ffmpeg, make_video):
    path = ffmpeg("-i", make_video("a.mp4", *X264), "-c", "copy", "-live", "1", "a.mkv")
    info = probe(path)
    assert (info.n_frames, info.codec, info.fps) == (0, "h264", 25)
    assert math.isnan(info.duration)


# Bad input


def bad_files(folder: Path, make_video, ffmpeg) -> dict[str, tuple[Path, str]]:
    (folder / "empty.mp4").touch()
    (folder / "text.mp4").write_text("This is no video.\n" * 100)
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe.mp4")
    audio = ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "audio.mp4")
    cut = make_video("cut.mp4", *X264)
    cut.write_bytes(cut.read_bytes()[:-500])
    return {
        "empty": (folder / "empty.mp4", "the file is empty"),
        "text": (folder / "text.mp4", "Invalid data found"),
        "audio": (audio, "it has no video stream"),
        "missing": (folder / "missing.mp4", "there is no such file"),
        "folder": (folder / "folder", "folder without videos or pictures"),
        "fifo": (folder / "pipe.mp4", "not a regular file"),
        "no index": (cut, "cannot be opened|it is cut off"),
    }


def test_open_video__bad_files(tmp_path, make_video, ffmpeg, nothing_left):
    for path, reason in bad_files(tmp_path, make_video, ffmpeg).values():
        for use in (probe, read):
            with pytest.raises(VideoError, match=reason) as caught:
                use(path)
            text = str(caught.value)
            assert text.startswith(f"{path.name!r}: ")
            assert "; expected a complete video or picture; " in text
            assert str(tmp_path) not in text
            assert "imageio" not in text
            assert len(text) < 300


def test_open_video__without_permission(make_video, monkeypatch):
    def refuse(self, *_):
        raise PermissionError(13, "Permission denied")

    path = make_video("a.mp4", *X264)
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(VideoError, match=r"it cannot be read \(Permission denied\)"):
        open_video(path)


def test_open_video__decoder_that_is_killed(make_video, nothing_left):
    # More frames than the pipe holds.
    with open_video(make_video("a.mp4", *X264, size="640x480", seconds=8)) as video:
        batches = video.batches(4)
        next(batches)
        os.kill(video._process.pid, signal.SIGKILL)
        with pytest.raises(VideoError, match="ffmpeg ends with code -9"):
            list(batches)


@pytest.mark.parametrize("share", [0.6, 0.87, 0.99])
@pytest.mark.parametrize("audio", [False, True])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", X264),
        ("faststart.mp4", [*X264, "-movflags", "+faststart"]),
        ("fragmented.mp4", [*X264, "-g", "25", "-movflags", "frag_keyframe+empty_moov"]),
        ("faststart.mov", [*X264, "-movflags", "+faststart"]),
        ("a.mkv", X264),
        ("live.mkv", [*X264, "-live", "1"]),
        ("a.webm", ["-c:v", "libvpx", "-deadline", "realtime"]),
        ("a.avi", ["-c:v", "mpeg4"]),
        ("a.wmv", ["-c:v", "wmv2"]),
    ],
)
def test_open_video__cut(make_video, name, options, audio, share):
    path = make_video(name, *options, seconds=4, audio=audio)
    assert read(path)[3].n_decoded == 100
    path.write_bytes(path.read_bytes()[: int(share * path.stat().st_size)])
    with pytest.raises(VideoError, match="copy or export it again"):
        read(path, every=2)


@pytest.mark.parametrize(("name", "options"), [("a.ts", X264), ("a.mpg", []), ("a.ogv", ["-c:v", "libtheora"])])
def test_open_video__cut_where_it_cannot_be_known(make_video, name, options):
    path = make_video(name, *options, seconds=4)
    path.write_bytes(path.read_bytes()[: int(0.6 * path.stat().st_size)])
    assert 0 < read(path)[3].n_decoded < 100


def test_open_video__tail_of_zeros(make_video):
    # What an interrupted download leaves where the space was set aside before.
    path = make_video("a.mp4", *X264, "-movflags", "+faststart", size="320x240", seconds=8)
    content = bytearray(path.read_bytes())
    content[len(content) * 2 // 3 :] = bytes(len(content) - len(content) * 2 // 3)
    path.write_bytes(content)
    with pytest.raises(VideoError, match="copy or export it again"):
        read(path)


def test_open_video__damage_in_the_middle_is_concealed(make_video):
    path = make_video("a.avi", "-c:v", "mpeg4", "-g", "10", seconds=4)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 40] = bytes(40)
    path.write_bytes(content)
    assert read(path)[3].n_decoded >= 95


def with_zeros(path, begin, end):
    """Zero a share of the file's samples (MP4), or of the file."""
    content = bytearray(path.read_bytes())
    first, last = 0, len(content)
    if (box := content.find(b"mdat")) > 0:
        first, last = box + 4, box - 4 + int.from_bytes(content[box - 4 : box], "big")
    a, b = (first + int(share * (last - first)) for share in (begin, end))
    content[a:b] = bytes(b - a)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ["-c:v", "copy"]),
        ("variable.mp4", [*X264, "-vf", "setpts='(N+0.4*mod(N,3))/(24*TB)'", "-fps_mode", "vfr"]),
        ("a.mkv", ["-c:v", "copy"]),
        ("a.ts", ["-c:v", "copy"]),
    ],
)
def test_open_video__middle_of_zeros(ffmpeg, asset, name, options):
    sound = ["-f", "lavfi", "-i", "sine=duration=25"]
    path = ffmpeg("-i", asset("WolfgangLanger_Pexels.mp4"), *sound, "-map", "0:v", "-map", "1", *options, name)
    whole = read(path, every=100)[3]
    assert (whole.n_decoded, whole.n_missing) == (pytest.approx(472, abs=1), 0)
    with pytest.raises(VideoError, match=r"found \d+ frames with decoding errors; the file promises 4[67]\d"):
        read(with_zeros(path, 0.25, 0.75), every=100)


@pytest.mark.parametrize("flags", ["+faststart", "frag_keyframe+empty_moov"])
def test_open_video__beginning_of_zeros(ffmpeg, asset, flags):
    path = ffmpeg("-i", asset("WolfgangLanger_Pexels.mp4"), "-c:v", "copy", "-an", "-movflags", flags, "a.mp4")
    with pytest.raises(VideoError, match=r"with decoding errors; the file promises 4[67]\d|cut off"):
        read(with_zeros(path, 0, 0.5), every=100)


def test_open_video__few_missing_frames_are_counted(make_video):
    # Damage that leaves nothing of some pictures, each of which stands for itself.
    path = make_video("a.mp4", "-c:v", "mjpeg", seconds=8)
    summary = read(with_zeros(path, 0.5, 0.52))[3]
    assert 3 <= summary.n_missing <= 5
    assert summary.n_decoded + summary.n_missing == 200


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("b-frames.mp4", ["-bf", "3"]),
        ("variable.mp4", ["-vf", "setpts='(N+0.4*mod(N,3))/(25*TB)'", "-fps_mode", "vfr"]),
        ("gap.mp4", ["-vf", "setpts='(N+200*gte(N,50))/(25*TB)'", "-fps_mode", "vfr"]),
        ("late.mkv", ["-vf", "setpts=PTS+2/TB", "-fps_mode", "passthrough", "-copyts"]),
        ("late.mp4", ["-vf", "setpts=PTS+2/TB", "-fps_mode", "passthrough"]),
        ("a.ts", []),
    ],
)
def test_open_video__few_errors_in_odd_files_are_none(ffmpeg, name, options):
    sound = ["-f", "lavfi", "-i", "sine=duration=30"]
    picture = ["-f", "lavfi", "-i", "testsrc=size=320x240:rate=25:duration=20"]
    path = ffmpeg(*picture, *sound, *X264, *options, "-g", "10", name)
    with open_video(with_zeros(path, 0.6, 0.605), every=100) as video:
        list(video.batches(8))
        assert video._log.has_errors
        assert 475 <= video.summary.n_decoded <= 500


def test_open_video__few_errors_behind_an_edit_list_are_none(ffmpeg, make_video):
    source = make_video("whole.mp4", *X264, "-g", "100", seconds=8, size="320x240")
    path = ffmpeg("-ss", "3.8", "-i", source, "-c", "copy", "cut.mp4")
    with open_video(with_zeros(path, 0.9, 0.93)) as video:
        list(video.batches(8))
        assert video._log.has_errors
        assert 100 <= video.summary.n_decoded <= 105


@pytest.mark.parametrize("gop", ["open-gop=0", "open-gop=1"])
def test_open_video__stream_that_begins_between_key_frames(make_video, gop):
    path = make_video("a.ts", *X264, "-x264opts", f"{gop}:keyint=25:bframes=3", seconds=4)
    path.write_bytes(path.read_bytes()[188 * 20 :])
    summary = read(path)[3]
    assert 70 <= summary.n_decoded <= 80
    assert summary.n_missing == 0


def test_open_video__sound_that_goes_on_after_the_picture(ffmpeg):
    path = ffmpeg(
        *("-f", "lavfi", "-i", "testsrc=size=96x64:rate=25:duration=1", "-f", "lavfi", "-i", "sine=duration=8"),
        *(*X264, "a.mkv"),
    )
    assert read(path)[3].n_decoded == 25


@pytest.mark.parametrize(
    "name",
    ["a b.mp4", "顔 лицо.mp4", "two\nlines.mp4", "-y.mp4", "100%d%03d.mp4", 'it\'s "q".mp4', "pipe:1.mp4", "#?.mp4"],
)
def test_open_video__odd_names(make_video, tmp_path, monkeypatch, name):
    path = make_video("plain.mp4", *X264, seconds=0.2).rename(tmp_path / name)
    monkeypatch.chdir(tmp_path)
    for given in (path, str(path), name):
        assert read(given)[3].n_decoded == 5
        assert probe(given).width == 96


SHOWN = "n:   0 pts:      0 pts_time:0 duration: 1 s:9x9 i:P iskey:1 type:I "
FILTER = "[Parsed_showinfo_0 @ 0x7f4384001a40] [info] "


@pytest.mark.parametrize(
    "comment",
    [
        SHOWN,
        FILTER + SHOWN,
        f"a\n{FILTER}{SHOWN}\nb",
        f"a\r{FILTER}{SHOWN}\rb",
        f"a\r\n{SHOWN}\r\n",
        f"\x0b{SHOWN}\x0c",
    ],
)
@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_open_video__metadata_that_reads_like_the_log(ffmpeg, make_video, comment, suffix):
    source = make_video("a.mp4", *X264, size="640x480")
    metadata = ("-metadata", f"comment={comment}", "-metadata:s:v:0", f"title={comment}")
    result = read(ffmpeg("-i", source, *metadata, "-c", "copy", "shown" + suffix))
    assert result[3] == VideoSummary(50, pytest.approx(25), pytest.approx(2, abs=0.01), 640, 480)


@pytest.mark.parametrize("name", [f"x {SHOWN}.mp4", f"x\n{FILTER}{SHOWN}.mp4"])
def test_open_video__name_that_reads_like_the_log(make_video, tmp_path, name):
    path = make_video("a.mp4", *X264, size="640x480").rename(tmp_path / name.replace("/", ""))
    assert read(path)[3].n_decoded == 50


@pytest.mark.parametrize("lost", [range(1), range(30, 31), range(49, 50), range(50)])
def test_open_video__frame_without_its_line_is_not_a_deadlock(make_video, monkeypatch, nothing_left, lost):
    # More frames than the pipe holds, so that ffmpeg cannot end by itself.
    path = make_video("a.mp4", *X264, size="640x480")
    feed, n_fed = ffmpeg_module.DecodeLog._feed_shown, iter(range(50))

    def lose(self, *arguments):
        if next(n_fed) not in lost:
            feed(self, *arguments)

    monkeypatch.setattr(ffmpeg_module.DecodeLog, "_feed_shown", lose)
    monkeypatch.setattr(video_module, "_LINE_TIMEOUT", 2)
    with pytest.raises(VideoError):
        read(path)


def test_open_video__line_without_its_frame_is_not_a_deadlock(make_video, monkeypatch, nothing_left):
    path = make_video("a.mp4", *X264, size="640x480")
    feed = ffmpeg_module.DecodeLog._feed_shown

    def repeat(self, *arguments):
        feed(self, *arguments)
        feed(self, *arguments)

    monkeypatch.setattr(ffmpeg_module.DecodeLog, "_feed_shown", repeat)
    with pytest.raises(VideoError, match="ffmpeg shows frame"):
        read(path)


def test_open_video__name_that_is_not_text(make_video, tmp_path):
    path = make_video("plain.mp4", *X264, seconds=0.2).rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    assert read(path)[3].n_decoded == 5
    path.write_bytes(b"")
    with pytest.raises(VideoError, match="the file is empty") as caught:
        read(path)
    str(caught.value).encode("utf-8")


DASH = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"
profiles="urn:mpeg:dash:profile:isoff-main:2011">
<Period><AdaptationSet><Representation id="0" mimeType="video/mp4" codecs="avc1.64000a" bandwidth="1">
<BaseURL>a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>
"""
HLS = "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\na.ts\n#EXT-X-ENDLIST\n"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("list.mp4", "ffconcat version 1.0\nfile a.mp4\n"),
        ("list.ffconcat", "ffconcat version 1.0\nfile a.mp4\n"),
        ("list.m3u8", HLS),
        ("list.mp4", HLS),
        ("list.mpd", DASH),
        ("list.mp4", DASH),
    ],
)
def test_open_video__playlist_of_other_files(make_video, tmp_path, name, text):
    make_video("a.mp4", *X264)
    make_video("a.ts", *X264)
    path = tmp_path / name
    path.write_text(text)
    for use in (probe, read):
        with pytest.raises(VideoError, match="it is a playlist that refers to other files"):
            use(path)


def test_open_video__pictures_in_files_that_are_numbered(make_video):
    path = make_video("a%d.dpx", "-frames:v", "3")
    assert [file.name for file in sorted(path.parent.iterdir())] == ["a1.dpx", "a2.dpx", "a3.dpx"]
    path.write_bytes((path.parent / "a1.dpx").read_bytes())
    for use in (probe, read):
        with pytest.raises(VideoError, match="it is a playlist that refers to other files"):
            use(path)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", X264),
        ("a.3gp", ["-c:v", "h263", "-s", "176x144"]),
        ("a.flv", X264),
        ("a.mpg", []),
        ("a.vob", []),
        ("a.m2ts", X264),
        ("a.mxf", []),
        ("a.nut", X264),
        ("a.rm", []),
        ("a.dv", ["-s", "720x576"]),
        ("a.ivf", ["-c:v", "libvpx", "-deadline", "realtime"]),
        ("a.h264", X264),
        ("a.m2v", []),
        ("a.m4v", []),
        ("a.mjpeg", ["-pix_fmt", "yuvj420p"]),
        ("a.y4m", ["-pix_fmt", "yuv420p"]),
        ("a.wtv", []),
        ("a.swf", ["-c:v", "flv"]),
        ("a.asf", []),
        ("a.obu", ["-c:v", "libaom-av1", "-cpu-used", "8", "-frames:v", "10"]),
    ],
)
def test_open_video__containers(make_video, name, options):
    assert read(make_video(name, *options, seconds=0.4))[3].n_decoded in (10, 11)


@pytest.mark.parametrize("options", [{"every": 0}, {"every": -1}, {"threads": 0}])
def test_open_video__bad_options(make_video, options):
    with pytest.raises(InputError, match="expected a whole number of at least 1"):
        open_video(make_video("a.mp4", *X264), **options)


def test_video__used_wrongly(make_video, tmp_path):
    picture = tmp_path / "a.png"
    Image.new("RGB", (4, 4)).save(picture)
    for path in (make_video("a.mp4", *X264), picture):
        with open_video(path) as video:
            with pytest.raises(InputError, match="batch_size: found 0"):
                video.batches(0)
            with pytest.raises(InputError, match="has not been read to its end"):
                _ = video.summary
            list(video.batches(8))
            with pytest.raises(InputError, match="read or closed before"):
                video.batches(8)
        video.close()
        with pytest.raises(InputError, match="read or closed before"):
            open_and_close(path).batches(8)


def open_and_close(path):
    with open_video(path) as video:
        return video


def test_video__closed_while_it_is_read(make_video):
    with open_video(make_video("a.mp4", *X264)) as video:
        batches = video.batches(8)
        next(batches)
    with pytest.raises(InputError, match="closed while it was read"):
        next(batches)


# Cleaning up


def test_open_video__leaves_nothing_behind(make_video, nothing_left):
    path = make_video("a.mp4", *X264, size="320x240")
    read(path)
    with open_video(path) as video:
        next(video.batches(2))
    with pytest.raises(ZeroDivisionError), open_video(path) as video:
        [1 / 0 for _ in video.batches(2)]
    with open_video(path) as video, prefetch(video.batches(2), depth=3) as ahead:
        next(ahead)


def test_open_video__interrupted_while_it_opens(make_video, monkeypatch, nothing_left):
    class Interrupted:
        def get(self, timeout):
            raise KeyboardInterrupt

        def put(self, item): ...

    class InterruptedLog(ffmpeg_module.DecodeLog):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            self.kept = Interrupted()

    monkeypatch.setattr(video_module, "DecodeLog", InterruptedLog)
    with pytest.raises(KeyboardInterrupt):
        open_video(make_video("a.mp4", *X264))


def test_open_video__log_that_breaks_is_not_a_deadlock(make_video, monkeypatch, nothing_left):
    # More frames than the pipe holds, so that ffmpeg cannot end by itself.
    path = make_video("a.mp4", *X264, size="640x480")

    def fail(self, *_):
        raise RuntimeError

    monkeypatch.setattr(threading, "excepthook", lambda _: None)
    monkeypatch.setattr(ffmpeg_module.DecodeLog, "_feed_shown", fail)
    with pytest.raises(VideoError):
        read(path)


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGKILL])
def test_open_video__no_process_survives_the_reader(make_video, sent):
    path = make_video("a.mp4", *X264, size="640x480", seconds=8)
    code = textwrap.dedent(
        """
        import sys
        from facearray.detection.video import open_video
        with open_video(sys.argv[1]) as video:
            batches = video.batches(1)
            next(batches)
            print(video._process.pid, flush=True)
            sys.stdin.read()
        """
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    with reader:
        child = psutil.Process(int(reader.stdout.readline()))
        reader.send_signal(sent)
        assert reader.wait(30) != 0
        psutil.wait_procs([child], timeout=30)
        assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_open_video__much_to_say(ffmpeg, make_video, tmp_path):
    # Every frame carries user data, which ffmpeg prints: far more than a pipe holds, in long lines.
    source = make_video("a.mp4", *X264, "-tune", "zerolatency")
    data = "086f3693-b7b3-4f2c-9653-21492feee5b8+" + "x" * 60_000
    path = ffmpeg("-i", source, "-c", "copy", "-bsf:v", f"h264_metadata=sei_user_data={data}", "chatty.mp4")
    result = read(path, batch_size=50)
    assert result[3].n_decoded == 50
    np.testing.assert_array_equal(result[0], read(source)[0])


def test_open_video__memory_is_that_of_a_batch(make_video):
    path = make_video("a.mp4", *X264, "-g", "250", size="640x480", seconds=20)
    process = psutil.Process()
    with open_video(path) as video:
        start = None
        peak = 0
        for _ in video.batches(4):
            start = start or process.memory_info().rss
            peak = max(peak, process.memory_info().rss)
    # 500 frames are 440 MiB.
    assert peak - start < 40 * 2**20
