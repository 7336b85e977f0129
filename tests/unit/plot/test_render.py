"""Rendered videos, decoded again by PyAV: what is drawn where, what is hidden, frames, times and sound."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest
import xarray as xr

from facearray.errors import FaceArrayError, InputError, MismatchError, VideoError
from facearray.plot import render
from facearray.plot.overlay import encoder as encoder_module
from facearray.plot.overlay.face import COLOURS
from facearray.plot.overlay.scene import Scene
from facearray.schema import feature_names

STRING = np.dtypes.StringDType()
BOX = feature_names("facebox")[:4]
SIZE = (320, 240)
N = 8

#: What the picture may differ by after it was compressed, of 255; near edges it is more.
CODEC = 12


def run_ffmpeg(*arguments: object, stdin: bytes = b"") -> None:
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-y", *map(str, arguments)]
    subprocess.run(command, input=stdin, check=True)


def picture(size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame of stripes, so that blurring can be told."""
    width, height = size
    stripes = np.where(np.arange(width) // 4 % 2, 200, 60).astype(np.uint8)
    return np.repeat(np.repeat(stripes[None, :, None], height, axis=0), 3, axis=2)


def make_film(
    path: Path, *options: object, size: tuple[int, int] = SIZE, n: int = N, sound: str | None = "aac"
) -> Path:
    """A video of the striped picture, whose upper left corner gets brighter from frame to frame."""
    frames = np.repeat(picture(size)[None], n, axis=0)
    frames[:, :16, :16] = (20 * np.arange(n, dtype=np.uint8))[:, None, None, None]
    inputs = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "x".join(map(str, size)), "-r", 25, "-i", "pipe:"]
    if sound:
        inputs += ["-f", "lavfi", "-i", f"sine=frequency=440:duration={n / 25}", "-c:a", sound]
    run_ffmpeg(*inputs, *(options or ("-c:v", "ffv1")), path, stdin=frames.tobytes())
    return path


def decoded(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Frames and times."""
    with av.open(str(path)) as container:
        found = [
            (frame.to_ndarray(format="rgb24"), float(frame.pts * frame.time_base))
            for frame in container.decode(video=0)
        ]
    frames, times = zip(*found, strict=True)
    return np.array(frames), np.array(times)


def sound_of(path: Path) -> tuple[str, float, list[bytes]] | None:
    """Codec, seconds and packets."""
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        packets = [packet for packet in container.demux(stream) if packet.size]
        seconds = sum(float(packet.duration * packet.time_base) for packet in packets)
        return stream.codec_context.name, seconds, [bytes(packet) for packet in packets]


@pytest.fixture
def detections(recordings):
    """Return a function that makes detections of one video from boxes (frame, face, 4) and other values by name."""

    def make(boxes: np.ndarray, *, path: Path, landmarks: np.ndarray | None = None, numbers=None, size=SIZE, **values):
        boxes = np.asarray(boxes, np.float32)
        n, n_faces = boxes.shape[:2]
        names = (*BOX, *values)
        ds = recordings(
            {path.name: n},
            n_faces=n_faces,
            features=names,
            n_landmarks=None if landmarks is None else landmarks.shape[2],
        )
        features = np.concatenate(
            [boxes, *(np.broadcast_to(np.float32(each), (n, n_faces))[..., None] for each in values.values())], axis=2
        )
        features[np.isnan(boxes).any(axis=2)] = np.nan
        ds["features"].values[0] = features
        if landmarks is not None:
            ds["landmarks"].values[0] = landmarks
        numbers = np.arange(n) if numbers is None else np.asarray(numbers)
        seen = (~np.isnan(boxes).any(axis=2)).sum(axis=1)
        return ds.assign_coords(
            source=("video", np.array([str(path)], STRING)),
            width=("video", np.array([size[0]], "i4")),
            height=("video", np.array([size[1]], "i4")),
            frame_number=(("video", "frame"), numbers[None].astype("i4")),
            timestamp=(("video", "frame"), numbers[None] / 25),
            n_faces_found=(("video", "frame"), seen[None].astype("i2")),
        )

    return make


@pytest.fixture(scope="module")
def made_film(tmp_path_factory) -> Path:
    return make_film(tmp_path_factory.mktemp("film") / "film.mkv")


@pytest.fixture
def film(made_film, tmp_path) -> Path:
    return Path(shutil.copy(made_film, tmp_path))


def still(box: tuple[float, ...] = (100, 80, 80, 90), n: int = N) -> np.ndarray:
    """The same box in all frames."""
    return np.tile(np.array(box, np.float32), (n, 1, 1))


def drawn(ds: xr.Dataset, film: Path, name: str = "out.mp4", **options) -> np.ndarray:
    out = film.parent / name
    done = render(ds, film, out, progress=False, **options)
    frames, _ = decoded(out)
    assert done.n_frames == len(frames)
    return frames


def is_colour(pixels: np.ndarray, colour: tuple[int, int, int], tolerance: int = 45) -> np.ndarray:
    """Whether pixels have a colour; thin coloured lines lose much of it in 4:2:0."""
    return (np.abs(pixels.astype(int) - colour) <= tolerance).all(axis=-1)


def test_boxes__are_where_they_were_found_and_nothing_else_changes(detections, film):
    boxes = np.stack([still()[:, 0], still((220, 20, 60, 60))[:, 0]], axis=1)
    frames = drawn(detections(boxes, path=film), film, draw="boxes")
    assert frames.shape == (N, 240, 320, 3)
    source, _ = decoded(film)
    assert is_colour(frames[:, 80, 110:170].mean(axis=1), COLOURS[0]).all()
    assert is_colour(frames[:, 100:160, 100].mean(axis=1), COLOURS[0]).all()
    assert is_colour(frames[:, 79, 230:270].mean(axis=1), COLOURS[1]).all()
    elsewhere = np.ones((240, 320), bool)
    elsewhere[50:178, 90:190] = elsewhere[0:90, 210:290] = False
    apart = np.abs(frames[:, elsewhere].astype(int) - source[:, elsewhere])
    assert apart.mean() < 2
    assert np.quantile(apart, 0.999) < CODEC


def test_boxes__follow_the_face_and_are_gone_with_it(detections, film):
    boxes = still()
    boxes[:, 0, 0] += 10 * np.arange(N)
    boxes[5] = np.nan
    frames = drawn(detections(boxes, path=film), film, draw="boxes")
    for i in range(N):
        left = int(100 + 10 * i)
        assert is_colour(frames[i, 100:160, left].mean(axis=0), COLOURS[0]) == (i != 5)


def test_face__only_those_asked_for(detections, film):
    boxes = np.stack([still()[:, 0], still((220, 100, 60, 60))[:, 0]], axis=1)
    frames = drawn(detections(boxes, path=film), film, draw="boxes", face=1)
    assert not is_colour(frames[:, 80, 110:170].mean(axis=1), COLOURS[0]).any()
    assert is_colour(frames[:, 100, 240:270].mean(axis=1), COLOURS[1]).all()
    with pytest.raises(InputError, match="unknown face '2'; known: 0, 1"):
        drawn(detections(boxes, path=film), film, "b.mp4", face=[0, 2])


def test_bars__are_as_long_as_values_are_high(detections, film):
    values = {"AU01": 0.0, "AU02": 0.5, "AU04": 1.0, "happiness": np.linspace(0, 1, N)[:, None], "anger": np.nan}
    frames = drawn(detections(still(), path=film, **values), film, draw="aus,emotions", mesh_only=False)
    # the face is in the left half: bars stand at the right edge, of rows of the same height
    bar = is_colour(frames, COLOURS[0])
    columns = np.flatnonzero(bar[-1].any(axis=0))
    assert columns.min() > 200
    rows = np.flatnonzero(bar[-1][:, columns].sum(axis=1) > 3)
    blocks = np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    lengths = np.array([[np.median(bar[i, block].sum(axis=1)) for block in blocks] for i in range(N)])
    # AU02, AU04, happiness have bars in the last frame
    assert lengths.shape == (N, 3)
    full = lengths[0, 1]
    np.testing.assert_allclose(lengths[:, 1], full, atol=2)
    np.testing.assert_allclose(lengths[:, 0], 0.5 * full, atol=2)
    np.testing.assert_allclose(lengths[:, 2], full * np.linspace(0, 1, N), atol=3)


def test_bars__stand_on_the_other_side_of_the_face(detections, film):
    frames = drawn(detections(still((200, 80, 80, 90)), path=film, AU12=1.0), film, draw="aus")
    assert np.flatnonzero(is_colour(frames[0], COLOURS[0]).any(axis=0)).max() < 120


def test_bars__no_room(detections, tmp_path):
    small = make_film(tmp_path / "small.mkv", size=(32, 24))
    ds = detections(still((4, 4, 10, 10)), path=small, size=(32, 24), AU12=1.0)
    done = render(ds, small, tmp_path / "out.mp4", draw="aus", progress=False)
    assert done.notes == ("bars are not drawn: frames of 32 x 24 have no room for them",)


def test_mesh__68_points_are_joined_where_they_are(detections, film):
    points = np.full((N, 1, 68, 3), np.nan, np.float32)
    rng = np.random.default_rng(0)
    points[..., :2] = rng.uniform((60, 60), (250, 200), (68, 2))
    points[..., 2] = 0
    points[:, 0, 36:42, :2] = [(100, 100), (120, 100), (140, 100), (160, 100), (180, 100), (200, 100)]
    frames = drawn(detections(still(), path=film, landmarks=points), film, draw="mesh", mesh_only=True)
    assert is_colour(frames[:, 99:102, 110:190].max(axis=1), COLOURS[0], 90).mean() > 0.9


def test_mesh_only__nothing_of_the_source_is_left(detections, film):
    points = np.zeros((N, 1, 5, 3), np.float32)
    points[..., :2] = [(100, 80), (120, 90), (130, 100), (110, 120), (140, 130)]
    ds = detections(
        still(), path=film, landmarks=points, Pitch=10.0, Roll=0.0, Yaw=-30.0, gaze_pitch=0.0, gaze_yaw=20.0
    )
    frames = drawn(ds, film, mesh_only=True)
    outside = np.ones((240, 320), bool)
    outside[50:180, 80:190] = False
    assert frames[:, outside].max() <= 2
    assert all(is_colour(frames[:, y, x], COLOURS[0], 80).any() for x, y in ((100, 80), (120, 90), (110, 120)))


def test_pose_and_gaze__point_where_the_head_and_the_eyes_do(detections, film):
    ds = detections(
        still((120, 80, 80, 80)),
        path=film,
        Pitch=0.0,
        Roll=0.0,
        Yaw=60.0,
        gaze_pitch=30.0,
        gaze_yaw=0.0,
        AU12=0.0,
    ).assign(landmarks=(("video", "frame", "face", "landmark", "axis"), np.full((1, N, 1, 1, 3), 120, np.float32)))
    ds = ds.assign_coords(axis=np.array(["x", "y", "z"], STRING))
    pose = drawn(ds, film, draw="mesh,pose", mesh_only=True)[0].astype(int)
    blue = pose[..., 2] - pose[..., :2].max(axis=-1) > 60
    assert np.flatnonzero(blue.any(axis=0)).max() == pytest.approx(120 + 0.55 * 80 * np.sin(np.radians(60)), abs=4)
    green = pose[..., 1] - pose[..., [0, 2]].max(axis=-1) > 60
    assert np.flatnonzero(green.any(axis=1)).min() == pytest.approx(120 - 0.55 * 80, abs=3)
    gaze = drawn(ds, film, "gaze.mp4", draw="mesh,gaze", mesh_only=True)[0].astype(int)
    yellow = gaze[..., :2].min(axis=-1) - gaze[..., 2] > 60
    # eyes by the proportions of the box: 32 below its upper edge; down by 30 degrees
    rows = np.flatnonzero(yellow.any(axis=1))
    assert (rows.min(), rows.max()) == pytest.approx((80 + 32, 80 + 32 + 0.8 * 80 * np.sin(np.radians(30))), abs=4)


def roughness(pixels: np.ndarray) -> float:
    """Mean difference of neighbours from left to right."""
    return float(np.abs(np.diff(pixels.astype(int), axis=-2)).mean())


def test_blur__no_stripes_where_the_face_is_and_all_of_them_elsewhere(detections, film):
    frames = drawn(detections(still(), path=film), film, blur_faces=True, draw="none")
    source, _ = decoded(film)
    assert roughness(frames[:, 60:190, 80:200]) < 0.05 * roughness(source[:, 60:190, 80:200])
    assert roughness(frames[:, 40:230, 260:]) > 0.9 * roughness(source[:, 40:230, 260:])


def test_blur__a_face_that_is_missed_stays_hidden(detections, film):
    boxes = still()
    boxes[2:6] = np.nan
    boxes[6:, 0, 0] += 60
    ds = detections(boxes, path=film)
    frames = drawn(ds, film, blur_faces=True, draw="none")
    source, _ = decoded(film)
    # where it was, and where it is going to be
    for part in (np.s_[2:6, 80:170, 100:180], np.s_[2:6, 80:170, 160:240]):
        assert roughness(frames[part]) < 0.05 * roughness(source[part])
    assert roughness(frames[2:6, :, 290:]) > 0.9 * roughness(source[2:6, :, 290:])
    # out of sight for longer than it is held, all of the frame is hidden
    done = render(ds, film, film.parent / "short.mp4", blur_faces=True, hold=0.05, draw="none", progress=False)
    assert (done.n_hidden, done.n_hidden_whole, done.to_check) == (N, 2, ())
    kept = {"blur_faces": True, "hold": 0.05, "keep_unsure": True, "draw": "none"}
    done = render(ds, film, film.parent / "kept.mp4", progress=False, **kept)
    assert (done.n_hidden, done.n_hidden_whole) == (N - 2, 0)
    ((begin, end),) = done.to_check
    assert (begin, end) == (pytest.approx(0.12), pytest.approx(0.16))


def test_blur__faces_without_a_place_hide_the_frame(detections, film):
    ds = detections(still(), path=film)
    ds["n_faces_found"].values[0, 3] = 2
    frames = drawn(ds, film, blur_faces=True, draw="none")
    assert roughness(frames[3, :, 260:]) < 0.1 * roughness(frames[2, :, 260:])


def test_blur__a_place_without_extent_is_none(detections, film):
    boxes = still()
    boxes[2, 0, 2:] = [-20, 40]
    ds = detections(boxes, path=film)
    done = render(ds, film, film.parent / "o.mp4", blur_faces=True, draw="none", progress=False)
    assert (done.n_hidden, done.n_hidden_whole) == (N, 1)


def test_blur__hides_faces_that_are_not_drawn(detections, film):
    boxes = np.stack([still((20, 100, 40, 40))[:, 0], still((240, 100, 40, 40))[:, 0]], axis=1)
    frames = drawn(detections(boxes, path=film), film, blur_faces=True, draw="none", face=0)
    assert roughness(frames[:, 100:140, 240:280]) < 0.05 * roughness(frames[:, :50, 100:200])


@pytest.mark.parametrize("blur", [False, True])
def test_every__frames_between_show_the_last_that_was_looked_at(detections, film, blur):
    boxes = still(n=3)
    boxes[:, 0, 0] += [0, 40, 80]
    ds = detections(boxes, path=film, numbers=[0, 3, 6])
    frames = drawn(ds, film, draw="boxes", blur_faces=blur)
    for i, left in enumerate([100, 100, 100, 140, 140, 140, 180, 180]):
        assert is_colour(frames[i, 100:160, left].mean(axis=0), COLOURS[0]), i
    if blur:
        source, _ = decoded(film)
        assert roughness(frames[1:3, 85:165, 105:215]) < 0.2 * roughness(source[1:3, 85:165, 105:215])


@pytest.mark.parametrize(
    ("name", "options", "out", "codec"),
    [
        # variable frame rate, with frames that are shown before others that come first
        ("a.mp4", ("-c:v", "libx264", "-vf", "setpts='N/25/TB+lt(2,N)*0.313/TB'", "-fps_mode", "vfr"), "o.mp4", "aac"),
        ("a.ts", ("-c:v", "libx264"), "o.mp4", "aac"),
        ("a.mkv", ("-c:v", "ffv1", "-c:a", "pcm_s16le"), "o.mkv", "pcm_s16le"),
        ("a.mkv", ("-c:v", "ffv1", "-c:a", "pcm_s16le"), "o.mp4", "aac"),
        ("a.mkv", ("-c:v", "ffv1", "-c:a", "pcm_s16le"), "o.webm", "opus"),
    ],
)
def test_times_and_sound__are_those_of_the_source(detections, tmp_path, name, options, out, codec):
    film = make_film(tmp_path / name, *options)
    render(detections(still(), path=film), film, tmp_path / out, draw="boxes", progress=False)
    frames, times = decoded(tmp_path / out)
    wanted = decoded(film)[1]
    assert len(frames) == N
    # what the cases are about
    assert name != "a.mp4" or np.ptp(np.diff(wanted)) > 0.2
    assert name != "a.ts" or wanted[0] > 1
    np.testing.assert_allclose(times, wanted, atol=1e-6 if out.endswith("mp4") else 1e-3)
    assert np.diff(frames[:, 8, 8, 0].astype(int)) == pytest.approx(20, abs=6)
    found, before = sound_of(tmp_path / out), sound_of(film)
    assert found[0] == codec
    assert found[1] == pytest.approx(before[1], abs=0.05)
    if before[0] == codec and name != "a.ts":
        assert found[2] == before[2]


def test_times__that_start_anew_go_on(detections, tmp_path):
    """Two recordings in one transport stream, as recorders join them."""
    part = make_film(tmp_path / "part.ts", "-c:v", "libx264", "-bf", "0", sound=None)
    film = tmp_path / "film.ts"
    film.write_bytes(2 * part.read_bytes())
    from facearray.detection.video import open_video

    with open_video(film) as video:
        wanted = np.concatenate([times for _, _, times in video.batches(50)])
    boxes = still(n=len(wanted))
    boxes[4:12] = np.nan
    ds = detections(boxes, path=film)
    ds["timestamp"].values[0] = wanted
    done = render(ds, film, tmp_path / "o.mp4", blur_faces=True, hold=0.1, draw="none", progress=False)
    np.testing.assert_allclose(np.diff(decoded(tmp_path / "o.mp4")[1]), 0.04, atol=1e-6)
    assert (np.diff(wanted) < 0).any()
    assert done.n_frames == len(wanted)
    # of 8 frames without the face, 2 at either end are within the hold
    assert done.n_hidden_whole == 4


def test_boxes__are_not_made_of_points(detections, film):
    boxes = still()
    ds = detections(boxes, path=film, landmarks=np.full((N, 1, 5, 3), 120, np.float32))
    ds["features"].values[:] = np.nan
    frames = drawn(ds, film, draw="boxes", mesh_only=False)
    assert not is_colour(frames, COLOURS[0]).any()


def test_sound__left_out_on_demand(detections, film, tmp_path):
    render(detections(still(), path=film), film, tmp_path / "o.mp4", audio=False, progress=False)
    assert sound_of(tmp_path / "o.mp4") is None


def test_metadata__of_the_source_are_left_out(detections, tmp_path):
    secrets = ("-metadata", "title=Anna Muster", "-metadata", "location=+47.37+008.54/", "-metadata:s:a", "title=Anna")
    film = make_film(tmp_path / "film.mkv", "-c:v", "ffv1", *secrets, "-metadata:s:v", "title=Anna")
    for name in ("o.mp4", "o.mkv"):
        render(detections(still(), path=film), film, tmp_path / name, progress=False)
        content = (tmp_path / name).read_bytes()
        assert b"Anna" not in content
        assert b"47.37" not in content


@pytest.mark.parametrize("size", [(101, 77), (100, 77), (1, 1)])
def test_size__odd_ones_get_a_row_or_column_more(detections, tmp_path, size):
    film = make_film(tmp_path / "film.mkv", size=size)
    box = (0, 0, *size)
    frames = drawn(detections(still(box), path=film, size=size), film, draw="none")
    source, _ = decoded(film)
    assert frames.shape[1:3] == (size[1] + size[1] % 2, size[0] + size[0] % 2)
    apart = frames[:, : size[1], : size[0]].astype(int) - source
    assert np.abs(apart).mean() < 4


def test_rotation__frames_are_upright_and_pixels_keep_their_shape(detections, tmp_path):
    lying = make_film(tmp_path / "lying.mp4", "-c:v", "libx264", "-aspect", "2:1")
    film = tmp_path / "phone.mp4"
    run_ffmpeg("-display_rotation", 90, "-i", lying, "-c", "copy", film)
    size = SIZE[::-1]
    frames = drawn(detections(still((40, 60, 80, 90)), path=film, size=size), film, draw="boxes")
    assert frames.shape[1:3] == (320, 240)
    assert is_colour(frames[:, 60, 50:110].mean(axis=1), COLOURS[0]).all()
    with av.open(str(tmp_path / "out.mp4")) as container, av.open(str(lying)) as before:
        aspect = container.streams.video[0].sample_aspect_ratio
        assert aspect == 1 / before.streams.video[0].sample_aspect_ratio != 1


def test_damage__in_the_middle_keeps_frames_and_times(detections, tmp_path):
    film = make_film(tmp_path / "film.mp4", "-c:v", "libx264", "-g", "4", "-bf", "0", n=40, sound=None)
    with av.open(str(film)) as container:
        packet = [(p.pos, p.size) for p in container.demux(video=0) if p.size][21]
    content = bytearray(film.read_bytes())
    content[packet[0] + 8 : packet[0] + packet[1]] = bytes(packet[1] - 8)
    film.write_bytes(content)
    from facearray.detection.video import open_video

    with open_video(film) as video:
        wanted = np.concatenate([times for _, _, times in video.batches(50)])
    ds = detections(still(n=len(wanted)), path=film)
    render(ds, film, tmp_path / "o.mp4", draw="boxes", progress=False)
    np.testing.assert_allclose(decoded(tmp_path / "o.mp4")[1], wanted, atol=1e-6)


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_cut_video__leaves_nothing(detections, tmp_path):
    film = make_film(tmp_path / "film.mkv", n=30)
    content = film.read_bytes()
    film.write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError, match="cut off"):
        render(detections(still(n=10), path=film), film, tmp_path / "o.mp4", progress=False)
    assert left_over(tmp_path) == ["film.mkv"]


@pytest.mark.parametrize("there_before", [False, True])
def test_interrupted__leaves_what_was_there(detections, film, monkeypatch, there_before):
    out, draw = film.parent / "o.mp4", Scene.draw
    if there_before:
        out.write_bytes(b"old")

    def interrupted(self, pixels, number, seconds):
        if number == 5:
            raise KeyboardInterrupt
        return draw(self, pixels, number, seconds)

    started = []
    popen = subprocess.Popen
    monkeypatch.setattr(
        encoder_module.subprocess, "Popen", lambda *a, **k: started.append(popen(*a, **k)) or started[-1]
    )
    monkeypatch.setattr(Scene, "draw", interrupted)
    with pytest.raises(KeyboardInterrupt):
        render(detections(still(), path=film), film, out, overwrite=True, progress=False)
    assert left_over(film.parent) == (["film.mkv", "o.mp4"] if there_before else ["film.mkv"])
    assert not there_before or out.read_bytes() == b"old"
    assert started
    assert all(process.poll() is not None for process in started)


def test_encoder__that_ends_before_its_time(detections, film, monkeypatch):
    start = encoder_module.Encoder._start

    def killed(self, seconds):
        start(self, seconds)
        self._process.kill()
        self._process.wait()

    monkeypatch.setattr(encoder_module.Encoder, "_start", killed)
    with pytest.raises(VideoError, match="cannot be encoded"):
        render(detections(still(), path=film), film, film.parent / "o.mp4", progress=False)
    assert left_over(film.parent) == ["film.mkv"]


def test_encoder__missing(detections, film, tmp_path, monkeypatch):
    real = imageio_ffmpeg.get_ffmpeg_exe()
    poor = tmp_path / "ffmpeg"
    poor.write_text(f'#!/bin/sh\n[ "$2" = -encoders ] && {{ "{real}" "$@" | sed /264/d; exit; }}\nexec "{real}" "$@"\n')
    poor.chmod(0o755)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(poor))
    with pytest.raises(VideoError, match=r"mp4: found no encoder libx264 in .*; choose another suffix \(\.webm\), or"):
        render(detections(still(), path=film), film, tmp_path / "o.mp4", progress=False)
    assert left_over(tmp_path) == ["ffmpeg", "film.mkv"]


def test_row__is_found_by_place_then_by_name(detections, film, tmp_path):
    ds = detections(still(), path=film)
    other = ds.assign_coords(
        video=np.array(["sub/film.mkv"], STRING), source=("video", np.array(["/elsewhere/film.mkv"], STRING))
    )
    both = xr.concat([other, ds], "video", data_vars="all", coords="different", compat="equals", join="outer")
    assert render(both, film, tmp_path / "o.mp4", progress=False).video == "film.mkv"
    assert render(other, film, tmp_path / "p.mp4", video="sub/film.mkv", progress=False).video == "sub/film.mkv"
    with pytest.raises(InputError, match=r"found no row of 'film.mkv'.*--label.*'sub/film.mkv'"):
        render(other, film, tmp_path / "q.mp4", progress=False)
    with pytest.raises(InputError, match=r"unknown label 'fil.mkv' .did you mean 'film.mkv'"):
        render(both, film, tmp_path / "q.mp4", video="fil.mkv", progress=False)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"out": "o.avi"}, InputError, "found the suffix '.avi' of o.avi; expected one of .mp4"),
        ({"out": "none/o.mp4"}, InputError, "found no folder"),
        ({"out": "film.mkv"}, InputError, "found the video itself as what is to be written"),
        ({"out": "there.mp4"}, InputError, "found something there already"),
        ({"source": "gone.mkv"}, InputError, "found no .*gone.mkv"),
        ({"draw": "boxes,msh"}, InputError, "unknown element 'msh' .did you mean 'mesh'"),
        ({"draw": ["gaze"]}, InputError, "found no values for gaze in the store; expected some of boxes, aus"),
        ({"hold": 1.0}, InputError, "found hold=1.0 without blur_faces"),
        ({"keep_unsure": True}, InputError, "found keep_unsure without blur_faces"),
        ({"blur_faces": True, "hold": -1}, InputError, "found hold=-1; expected a number of seconds"),
        ({"blur_faces": True, "mesh_only": True}, InputError, "found blur_faces and mesh_only; expected one of them"),
        ({"mesh_only": True}, InputError, "mesh_only: found no landmarks"),
        ({"status": "pending"}, VideoError, "its row is pending; expected one that is done"),
        ({"status": "failed"}, VideoError, r"its row is failed \(no face\); expected one that is done"),
        ({"width": 640}, MismatchError, "found frames of 320 x 240 pixels; expected 640 x 240"),
        ({"number": 99}, MismatchError, "found 8 frames; expected at least 100"),
    ],
)
def test_mistakes__are_named_and_leave_nothing(detections, film, tmp_path, options, error, message):
    (tmp_path / "there.mp4").write_bytes(b"mine")
    ds = detections(still(), path=film, AU12=0.5)
    options = dict(options)
    if (status := options.pop("status", None)) is not None:
        reason = "no face" if status == "failed" else ""
        ds = ds.assign_coords(
            {name: ("video", np.array([text], STRING)) for name, text in (("status", status), ("error", reason))}
        )
    if (width := options.pop("width", None)) is not None:
        ds = ds.assign_coords(width=("video", np.array([width], "i4")))
    if (number := options.pop("number", None)) is not None:
        ds["frame_number"].values[0, -1] = number
    source, out = tmp_path / options.pop("source", film.name), tmp_path / options.pop("out", "o.mp4")
    with pytest.raises(error, match=message):
        render(ds, source, out, progress=False, **options)
    assert issubclass(error, FaceArrayError)
    assert left_over(tmp_path) == ["film.mkv", "there.mp4"]
    assert (tmp_path / "there.mp4").read_bytes() == b"mine"


def test_out__a_link_to_the_source_is_the_source(detections, film, tmp_path):
    before = film.read_bytes()
    (tmp_path / "link.mkv").hardlink_to(film)
    with pytest.raises(InputError, match="found the video itself"):
        render(detections(still(), path=film), film, tmp_path / "link.mkv", overwrite=True, progress=False)
    assert film.read_bytes() == before


def test_blur__needs_to_know_where_faces_are(detections, film, tmp_path):
    ds = detections(still(), path=film, AU12=0.5)
    ds = ds.sel(feature=["AU12"])
    with pytest.raises(InputError, match="found neither boxes nor landmarks"):
        render(ds, film, tmp_path / "o.mp4", blur_faces=True, progress=False)


def test_values__out_of_all_bounds_draw_nothing_and_break_nothing(detections, film):
    boxes = still()
    boxes[:4, 0, 0] = [1e30, -1e30, np.inf, 3e9]
    points = np.full((N, 1, 468, 3), np.nan, np.float32)
    points[1] = np.inf
    points[2] = -1e20
    values = {
        "Yaw": np.inf,
        "Pitch": 0.0,
        "Roll": 1e9,
        "gaze_pitch": 90.0,
        "gaze_yaw": -1e30,
        "AU12": -7.0,
        "anger": 1e9,
    }
    ds = detections(boxes, path=film, landmarks=points, **values)
    assert len(drawn(ds, film)) == N
    assert len(drawn(ds, film, "b.mp4", blur_faces=True)) == N
