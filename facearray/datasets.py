"""Recordings and pictures to try things on; they are fetched when they are asked for."""

from __future__ import annotations

from pathlib import Path

from facearray import assets
from facearray.errors import unknown_names

__all__ = ["SAMPLE_VIDEOS", "sample_pictures", "sample_video"]

#: File names of the sample videos, by the names that they are asked for.
SAMPLE_VIDEOS = {
    "wolfgang": "WolfgangLanger_Pexels.mp4",
    "single_face": "single_face.mp4",
    "face_noface": "face_noface.mov",
    "noface_face": "noface_face.mov",
    "no_face": "no_face.mp4",
}

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
    """
    return list(assets.pull(_PICTURES).values())
