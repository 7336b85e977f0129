from __future__ import annotations

import pytest

from facearray.errors import InputError
from facearray.io.readers import HEAD_BYTES, READERS, load_reader

FILES = {
    "001.csv": "pyfeat",
    "Feat_Test.csv": "pyfeat",
    "OpenFace_Test.csv": "openface",
    "iMotions_Test_v5.txt": "imotions",
    "iMotions_Test_v6.txt": "imotions",
    "sample_affectiva-api-app_output.json": "affectiva",
}


@pytest.mark.parametrize("name", READERS)
def test_load_reader__has_what_a_reader_has_to_have(name):
    reader = load_reader(name)
    assert reader.name == name
    assert reader.title
    assert all(suffix.startswith(".") and suffix == suffix.lower() for suffix in reader.suffixes)
    assert all(len(conversion) == 2 and all(conversion) for conversion in reader.conversions)


@pytest.mark.parametrize("file", FILES)
def test_sniff__one_reader_takes_a_file(asset, file):
    head = asset(file).read_bytes()[:HEAD_BYTES]
    assert [name for name in READERS if load_reader(name).sniff(head, asset(file))] == [FILES[file]]


def test_load_reader__unknown():
    with pytest.raises(InputError, match="unknown source 'openfase'"):
        load_reader("openfase")
