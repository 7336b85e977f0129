"""Sample recordings and pictures."""

from __future__ import annotations

import pytest
from PIL import Image

from facearray import assets, datasets
from facearray.errors import InputError


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("wolfgang", "WolfgangLanger_Pexels.mp4"),
        ("single_face", "single_face.mp4"),
        ("face_noface", "face_noface.mov"),
        ("noface_face", "noface_face.mov"),
        ("no_face", "no_face.mp4"),
    ],
)
def test_sample_video__is_the_file_of_that_name(name, file):
    path = datasets.sample_video(name)
    assert path.name == file
    assert path.read_bytes()[4:8] == b"ftyp"  # both containers open with this box


def test_sample_video__names_are_those_documented():
    assert set(datasets.SAMPLE_VIDEOS) == {"wolfgang", "single_face", "face_noface", "noface_face", "no_face"}


def test_sample_video__unknown_name_suggests_the_nearest():
    with pytest.raises(InputError, match=r"unknown sample video 'wolfgan' \(did you mean 'wolfgang'"):
        datasets.sample_video("wolfgan")


def test_sample_pictures__are_all_pictures_of_the_registry():
    pictures = datasets.sample_pictures()
    suffixes = (".jpg", ".png")
    assert [p.name for p in pictures] == [name for name in assets.ASSETS if name.endswith(suffixes)]
    for picture in pictures:
        with Image.open(picture) as image:
            image.verify()
