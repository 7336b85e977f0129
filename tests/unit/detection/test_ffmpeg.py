from __future__ import annotations

import io
from fractions import Fraction

import pytest

from facearray.detection.ffmpeg import DecodeLog, Header, read_header

HEADER = """\
[info] Input #0, mov,mp4, from 'file:a.mov':
[info]   Metadata:
[info]     title           : Stream #0:0: Video: fake, 1x1, 1 fps
[info]                     : Output #0 n:   0 pts:      0 pts_time:0
[info]   Duration: 01:02:03.50, start: -1.500000, bitrate: 1649 kb/s
[info]   Stream #0:0[0x1](und): Audio: aac (LC) (mp4a / 0x6134706D), 44100 Hz, stereo
[info]   Stream #0:1[0x0]: Video: mjpeg (Baseline), yuvj444p, 300x200, 90k tbr, 90k tbn (attached pic)
[info]   Stream #0:2[0x2](und): Video: hevc (Main) (hvc1 / 0x31637668), yuv420p(tv), 960x540, 26.40 fps, 30 tbr
[info]     Metadata:
[info]       encoder         : HEVC
[info]     Side data:
[info]       Display Matrix: rotation of -90.00 degrees
[info]   Stream #0:3: Video: h264, yuv420p, 12x34, 1 fps
[info]       displaymatrix: rotation of 45.00 degrees
[info] Stream mapping:
[showinfo@f00d @ 0x7f4384001a40] [info] config in time_base: 1/100, frame_rate: 30/1
[showinfo@f00d @ 0x7f4384001a40] [info] config out time_base: 0/0, frame_rate: 0/0
"""


def shown(n: int, pts: int, duration: int = 4) -> str:
    return (
        f"[showinfo@f00d @ 0x7f4384001a40] [info] n:{n:4d} pts:{pts:7d} pts_time:{pts / 100:g} "
        f"duration:{duration:7d} duration_time:{duration / 100:g} fmt:yuv420p cl:left sar:0/1 s:540x960 "
        "i:P iskey:1 type:I "
    )


#: More frames than a decoder holds back.
MANY = "".join(shown(n, 4 * n) + "\n" for n in range(1, 50))


def read(text: str, *, every: int = 1) -> tuple[DecodeLog, list]:
    log = DecodeLog(io.BytesIO(text.encode()), "a.mov", every=every, mark="f00d")
    log.start()
    log.join()
    return log, list(iter(log.kept.get, None))


def test_header__first_real_video_stream():
    header = Header()
    for line in HEADER.splitlines():
        header.feed(line.removeprefix("[info] "))
    assert (header.codec, header.size, header.displayed_size) == ("hevc", (960, 540), (540, 960))
    assert (header.fps, header.rotation) == (26.4, -90)
    assert (header.duration, header.start, header.end) == (3723.5, -1.5, 3722.0)


@pytest.mark.parametrize(
    ("rates", "fps"), [("25 fps, 50 tbr", 25), ("29.97 tbr, 90k tbn", 29.97), ("1k fps", 1000), ("90k tbn", None)]
)
def test_header__rates(rates, fps):
    header = Header()
    header.feed(f"  Stream #0:0: Video: vp8, yuv420p(tv), 96x64, {rates} (default)")
    assert header.fps == fps


def test_decode_log__times_are_exact_late_in_a_long_video():
    log, kept = read(HEADER + shown(0, 10_000_001) + "\n" + shown(1, 10_000_005) + "\n")
    assert [tuple(frame) for frame in kept] == [(100_000.01, 540, 960), (100_000.05, 540, 960)]
    assert (log.n_decoded, log.elapsed, log.last_duration) == (2, 0.04, 0.04)


def test_decode_log__keeps_every_nth():
    log, kept = read(HEADER + "".join(shown(i, 4 * i) + "\n" for i in range(8)), every=3)
    assert [frame.timestamp for frame in kept] == [0.0, 0.12, 0.24]
    assert log.n_decoded == 8


def test_decode_log__presentation_times_that_start_anew():
    log, _ = read(HEADER + "".join(shown(n, pts) + "\n" for n, pts in enumerate([0, 4, 8, 0, 4])))
    assert log.elapsed == pytest.approx(0.16)


def test_decode_log__other_threads_write_in_between():
    text = (
        HEADER
        + shown(0, 0)
        + "File ended prematurely\n"
        + "Could not find ref with POC 7 [showinfo@f00d @ 0x7f4384001a40] [info] "
        + shown(1, 4)
        + "\n"
    )
    log, kept = read(text)
    assert [frame.timestamp for frame in kept] == [0.0, 0.04]
    assert log.problem(0) == "it is cut off after 2 frames (File ended prematurely)"


def test_decode_log__frame_after_half_a_line_of_another_thread():
    # ffmpeg writes a prefix only at the start of a line.
    bare = shown(1, 4).removeprefix("[showinfo@f00d @ 0x7f4384001a40] [info] ")
    log, kept = read(HEADER + shown(0, 0) + "\n[info]   Stream #0:0" + bare + ": Video: rawvideo\n")
    assert [frame.timestamp for frame in kept] == [0.0, 0.04]
    assert log.problem(0) is None


@pytest.mark.parametrize("prefix", ["", "[info] ", "[Parsed_showinfo_0 @ 0x7f4384001a40] [info] "])
def test_decode_log__only_lines_of_its_own_filter_are_frames(prefix):
    other = prefix + shown(0, 77).removeprefix("[showinfo@f00d @ 0x7f4384001a40] [info] ") + "\n"
    log, kept = read("[info] Input #0, mov, from 'file:\n" + other + HEADER.partition("\n")[2] + shown(0, 4) + "\n")
    assert [frame.timestamp for frame in kept] == [0.04]
    assert log.problem(0) is None


def test_decode_log__metadata_is_not_an_error():
    text = HEADER.replace("encoder         : HEVC", "comment         : partial file [error] bad")
    log, _ = read(text + shown(0, 372_196) + "\n")
    assert log.problem(0) is None


@pytest.mark.parametrize(
    ("rates", "pts", "n_missing"),
    [
        ("25 fps, 25 tbr", 0, 3),
        ("25 fps, 25 tbr", 40, 13),
        ("25 fps, 50 tbr", 0, 0),
        ("25 fps, 25 tbr, start 0.4", 40, 3),
    ],
)
@pytest.mark.parametrize("error", ["", "[h264 @ 0xaa] [error] bad\n"])
def test_decode_log__missing_frames(rates, pts, n_missing, error):
    header = f"""\
[info] Input #0, matroska,webm, from 'file:a.mkv':
[info]   Duration: 00:01:00.00, start: 0.000000, bitrate: 1649 kb/s
[info]   Stream #0:0: Video: h264, yuv420p, 96x64, {rates}
[info] Stream mapping:
[showinfo@f00d @ 0x7f4384001a40] [info] config in time_base: 1/100, frame_rate: 25/1
"""
    frames = "".join(shown(n, pts + 4 * (n if n < 5 else n + 3)) + "\n" for n in range(10))
    assert read(header + frames + error)[0].n_missing() == (n_missing if error else 0)


def test_decode_log__endless_line():
    text = HEADER + "[info] User Data=" + "00" * 10**6 + "\n" + shown(0, 0) + "\n"
    assert len(read(text)[1]) == 1


@pytest.mark.parametrize(
    ("tail", "returncode", "problem"),
    [
        ("", 0, None),
        (
            "[h264 @ 0xaa] [error] error while decoding MB 5 11\n",
            0,
            "decoding ends at 0.04 s of 3722.00 s, after errors",
        ),
        ("[h264 @ 0xaa] [error] error while decoding MB 5 11\n" + shown(1, 372_196) + "\n", 0, None),
        ("[h264 @ 0xaa] [error] error while decoding MB 5 11\n" + MANY, 0, None),
        ("[h264 @ 0xaa] [warning] odd\n", 0, None),
        (
            "[mov @ 0xaa] [error] stream 0, offset 0x10b95: partial file\n",
            0,
            "it is cut off after 1 frames (partial file)",
        ),
        ("[out @ 0xaa] [error] No space\n[fatal] Conversion failed!\n", 1, "decoding stops after 1 frames (No space)"),
        ("", -11, "decoding stops after 1 frames (ffmpeg ends with code -11 and gives no reason)"),
        (shown(5, 20), 0, "it cannot be decoded (ffmpeg shows frame 5 after 1 frames)"),
    ],
)
def test_decode_log__problem(tail, returncode, problem):
    log, _ = read(HEADER + shown(0, 0) + "\n" + tail)
    if problem is None:
        assert log.problem(returncode) is None
    else:
        assert log.problem(returncode).startswith(problem)


def test_decode_log__no_frame():
    log, kept = read(
        "[in#0 @ 0xaa] [error] moov atom not found\n"
        "[in#0 @ 0xbb] [error] Error opening input: Invalid data found when processing input\n"
        "[error] Error opening input file file:a.mov.\n"
        "[fatal] Error opening input files: Invalid data found when processing input\n"
    )
    assert kept == []
    assert log.problem(183) == ("it cannot be decoded (moov atom not found; Invalid data found when processing input)")


@pytest.mark.parametrize(("rotation", "aspect"), [(0, Fraction(4, 3)), (90, Fraction(3, 4)), (180, Fraction(4, 3))])
def test_read_header__sound_and_shape_of_pixels(ffmpeg, rotation, aspect):
    inputs = ("-f", "lavfi", "-i", "testsrc=size=96x64:duration=0.2", "-f", "lavfi", "-i", "sine=duration=0.2")
    mapped = ("-map", "0", "-map", "1", "-map", "1", "-c:a:0", "aac", "-c:a:1", "ac3", "-vf", "setsar=4/3")
    lying = ffmpeg(*inputs, *mapped, "lying.mp4")
    path = ffmpeg("-display_rotation", rotation, "-i", lying, "-map", "0", "-c", "copy", "a.mp4")
    header, problem = read_header(str(path))
    assert problem is None
    assert header.audio == ["aac", "ac3"]
    assert header.sample_aspect == aspect


def test_read_header__no_sound_and_square_pixels(make_video):
    header, _ = read_header(str(make_video("a.mkv", seconds=0.2)))
    assert (header.audio, header.sample_aspect) == ([], 1)
