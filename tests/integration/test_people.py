"""Several people in composed videos: who is in which slot, with the default detector."""

from __future__ import annotations

import functools
import subprocess
from collections.abc import Callable
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import pytest
import xarray as xr

import facearray as fa
from facearray.detection.detectors import load_detector

#: A man and a woman of two sample videos, 240 pixels wide.
MAN = "[0:v]fps=10,crop=220:300:200:20,scale=240:-2,setsar=1[man]"
WOMAN = "[1:v]fps=10,crop=260:355:340:0,scale=240:-2,setsar=1[woman]"
SCENE = "color=c=gray:s=960x540:r=10[scene]"

#: Red above blue by which the man's skin (65) differs from the woman's pale video (35): this tells without any network
#: who is in a box.
REDNESS = 50.0


def compose(path: Path, overlays: str, seconds: float) -> Path:
    """Put both people into one picture by ffmpeg's overlays."""
    sources = [fa.datasets.sample_video(name) for name in ("single_face", "wolfgang")]
    inputs = [part for source in sources for part in ("-stream_loop", "-1", "-i", str(source))]
    graph = f"{SCENE};{MAN};{WOMAN};{overlays}"
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", *inputs, "-filter_complex", graph]
    subprocess.run([*command, "-t", str(seconds), "-pix_fmt", "yuv420p", str(path)], check=True)
    return path


@pytest.fixture(scope="module")
def swap(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """They change sides within two seconds, she in front of him."""
    away = "600*clip((t-0.4)/2,0,1)"
    overlays = f"[scene][man]overlay=x='60+{away}':y=120[one];[one][woman]overlay=x='660-{away}':y=100"
    return compose(tmp_path_factory.mktemp("swap") / "swap.mp4", overlays, 2.8)


@pytest.fixture(scope="module")
def absence(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """She leaves to the right and comes back from there after more than a second; he stays."""
    x = "620+500*clip(t-0.4,0,1)-500*clip(t-2.6,0,1)"
    overlays = f"[scene][man]overlay=x=100:y=120[one];[one][woman]overlay=x='{x}':y=100"
    return compose(tmp_path_factory.mktemp("absence") / "absence.mp4", overlays, 4)


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """After a second she is where he was."""
    overlays = "[scene][man]overlay=x=340:y=120:enable='lt(t,1)'[one];[one][woman]overlay=x=330:y=110:enable='gte(t,1)'"
    return compose(tmp_path_factory.mktemp("cut") / "cut.mp4", overlays, 2)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., xr.Dataset]:
    """Detect with a detector that is loaded once for each choice of embeddings; the same is computed once."""
    detectors = {
        embedding: load_detector("mediapipe", device="cpu", landmarks=False, embedding=embedding, max_faces=None)
        for embedding in (False, True)
    }

    @functools.cache
    def detect(video: Path, *, embedding: bool, max_faces: int = 2, run: int = 1, **options: object) -> xr.Dataset:
        store = tmp_path_factory.mktemp("run") / "s.zarr"
        ds = fa.detect(
            video,
            store,
            detector=detectors[embedding],
            embedding=embedding,
            max_faces=max_faces,
            landmarks=False,
            progress=False,
            **options,
        )
        return ds.isel(video=0, frame=slice(int(ds["n_frames"][0]))).load()

    return detect


def people(ds: xr.Dataset, video: Path) -> np.ndarray:
    """Who is in each frame and slot, by the colours in the box: ``m``, ``w`` or nothing."""
    reader = imageio_ffmpeg.read_frames(str(video), output_params=["-fps_mode", "passthrough"])
    width, height = next(reader)["size"]
    frames = np.stack([np.frombuffer(frame, np.uint8).reshape(height, width, 3) for frame in reader])
    who = np.full((ds.sizes["frame"], ds.sizes["face"]), "")
    boxes = ds.fex.facebox.values
    for frame, slot in zip(*np.nonzero(ds["track_id"].values >= 0), strict=True):
        x, y, w, h = boxes[frame, slot, :4]
        rows, columns = (
            slice(round(start + 0.3 * side), round(start + 0.7 * side)) for start, side in ((y, h), (x, w))
        )
        red, _, blue = np.moveaxis(frames[ds["frame_number"].values[frame], rows, columns].astype(float), -1, 0)
        who[frame, slot] = "m" if np.median(red - blue) > REDNESS else "w"  # one may cover the other's cheek
    return who


def in_slots(who: np.ndarray) -> list[set[str]]:
    """Everybody who is ever in each slot."""
    return [set(column[column != ""].tolist()) for column in who.T]


@pytest.mark.parametrize("embedding", [False, True])
def test_swap__nobody_changes_the_slot(run, swap, embedding) -> None:
    ds = run(swap, embedding=embedding)
    who = people(ds, swap)
    assert in_slots(who) == [{"w"}, {"m"}]
    assert (who != "").sum(axis=0).tolist()[0] == ds.sizes["frame"]  # she is in front
    assert 0 < (who[:, 1] == "").sum() < 8  # he is behind her for a moment
    boxes = ds.fex.facebox.sel(feature="FaceRectX").values
    assert boxes[0, 0] > boxes[0, 1]
    assert boxes[-1, 0] < boxes[-1, 1]


@pytest.mark.parametrize("embedding", [False, True])
def test_absence__nobody_changes_the_slot(run, absence, embedding) -> None:
    ds = run(absence, embedding=embedding)
    who = people(ds, absence)
    assert in_slots(who) == [{"w"}, {"m"}]
    gone = np.flatnonzero(who[:, 0] == "")
    assert len(gone) > 10
    assert (np.diff(gone) == 1).all()
    track = ds["track_id"].values
    assert len(set(track[track[:, 1] >= 0, 1])) == 1
    # another track from when she is back
    assert track[gone[0] - 1, 0] != track[gone[-1] + 1, 0]


def test_cut__embedding_tells_that_it_is_another_person(run, cut) -> None:
    ds = run(cut, embedding=True)
    assert in_slots(people(ds, cut)) == [{"m"}, {"w"}]
    np.testing.assert_array_equal((ds["track_id"].values >= 0).sum(axis=0), [10, 10])
    assert (ds["n_faces_found"].values == 1).all()


def test_cut__without_embedding_the_track_goes_on(run, cut) -> None:
    ds = run(cut, embedding=False)
    assert in_slots(people(ds, cut)) == [{"m", "w"}, set()]
    assert (ds["track_id"].values[:, 0] == 0).all()


def test_slots__one_for_the_first_or_for_the_dominant(run, cut) -> None:
    # both are there equally long, but she is larger
    assert in_slots(people(run(cut, embedding=True, max_faces=1), cut)) == [{"m"}]
    assert in_slots(people(run(cut, embedding=True, max_faces=1, slots="dominant"), cut)) == [{"w"}]


@pytest.mark.parametrize("options", [{"run": 2}, pytest.param({"batch_size": 5}, marks=pytest.mark.slow)])
def test_swap__two_runs_and_any_batch_are_identical(run, swap, options) -> None:
    first, again = run(swap, embedding=True), run(swap, embedding=True, **options)
    xr.testing.assert_identical(again.drop_attrs(), first.drop_attrs())


@pytest.mark.slow
def test_swap__every_third_frame(run, swap) -> None:
    all_frames, third = run(swap, embedding=True), run(swap, embedding=True, every=3)
    assert in_slots(people(third, swap)) == [{"w"}, {"m"}]
    for name in ("features", "embedding", "n_faces_found"):
        np.testing.assert_allclose(third[name], all_frames[name][::3], rtol=0, atol=1e-4)


@pytest.mark.slow
def test_swap__split_in_two(run, swap, tmp_path) -> None:
    # lossless, since the frames of two lossy files are not those of one
    whole, parts = tmp_path / "whole.mkv", [tmp_path / "0.mkv", tmp_path / "1.mkv"]
    ffmpeg = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(swap), "-c:v", "ffv1", "-vf"]
    for path, chosen in ((whole, "1"), (parts[0], "lt(n,13)"), (parts[1], "gte(n,13)")):
        subprocess.run([*ffmpeg, f"select='{chosen}'", "-fps_mode", "passthrough", str(path)], check=True)
    ds, halves = run(whole, embedding=True), [run(part, embedding=True) for part in parts]
    assert [half.sizes["frame"] for half in halves] == [13, 15]
    together = xr.concat([half[["features", "embedding"]].reset_coords(drop=True) for half in halves], "frame")
    for name in ("features", "embedding"):
        found, expected = together[name].values, ds[name].values
        # which slot is whose is each file's own affair
        swapped = expected.copy()
        swapped[13:] = expected[13:, ::-1]
        assert any(np.allclose(found, e, rtol=0, atol=1e-4, equal_nan=True) for e in (expected, swapped))


def test_picture__five_people(run) -> None:
    picture = fa.assets.path("multi_face.jpg")
    five, three = (run(picture, embedding=False, max_faces=n).isel(frame=0) for n in (5, 3))
    for ds, n in ((five, 5), (three, 3)):
        assert ds.sizes["face"] == n
        assert int(ds["n_faces_found"]) == 5
        assert ds["track_id"].values.tolist() == list(range(n))
        assert np.isfinite(ds["features"]).all()
    np.testing.assert_array_equal(three["features"], five["features"][:3])


def test_store__records_how_people_got_their_slots(swap, tmp_path) -> None:
    fa.detect(swap, tmp_path / "s.zarr", max_faces=2, progress=False, every=35)
    with pytest.raises(fa.errors.StructureError) as caught:
        fa.detect(swap, tmp_path / "s.zarr", max_faces=3, embedding=True, slots="dominant", every=35, progress=False)
    for part in ("max_faces 2; expected 3", "n_components None; expected 128", "slots='first'; expected 'dominant'"):
        assert part in str(caught.value)
