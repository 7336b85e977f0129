from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from facearray.errors import AssetError
from facearray.models.tfjs import read_weights


@pytest.fixture
def write(tmp_path: Path):
    def _write(groups: object, data: bytes) -> tuple[Path, Path]:
        manifest, binary = tmp_path / "net-weights_manifest.json", tmp_path / "net.bin"
        manifest.write_text(groups if isinstance(groups, str) else json.dumps(groups))
        binary.write_bytes(data)
        return manifest, binary

    return _write


def _group(*weights: dict, paths: tuple[str, ...] = ("net.bin",)) -> dict:
    return {"weights": list(weights), "paths": list(paths)}


def _weight(name: str, shape: list[int], **quantization: object) -> dict:
    weight = {"name": name, "shape": shape, "dtype": "float32"}
    return {**weight, "quantization": quantization} if quantization else weight


def test_read_weights__every_stored_type_in_order(write):
    plain = np.array([[1.5, -2.25, 1e-7]], "<f4")
    half = np.array([0.5, -65504.0], "<f2")
    bytes8 = np.array([[0], [1], [255]], "u1")
    words16 = np.array([0, 256, 65535], "<u2")
    data = plain.tobytes() + bytes8.tobytes() + half.tobytes() + words16.tobytes()
    paths = write(
        [
            _group(_weight("a/plain", [1, 3]), _weight("b", [3, 1], dtype="uint8", scale=0.1, min=-2.5)),
            _group(_weight("c", [2], dtype="float16"), _weight("d", [3], dtype="uint16", scale=2, min=1)),
        ],
        data,
    )
    weights = read_weights(*paths)
    assert list(weights) == ["a/plain", "b", "c", "d"]
    assert all(w.dtype == np.float32 for w in weights.values())
    np.testing.assert_array_equal(weights["a/plain"], plain)
    np.testing.assert_array_equal(weights["b"], np.float32([[-2.5], [-2.4], [23.0]]))
    np.testing.assert_array_equal(weights["c"], [0.5, -65504.0])
    np.testing.assert_array_equal(weights["d"], [1, 513, 131071])


def test_read_weights__scalar_and_empty_shapes(write):
    weights = read_weights(*write([_group(_weight("s", []), _weight("e", [0, 3]))], np.float32(7).tobytes()))
    assert weights["s"] == 7
    assert weights["e"].shape == (0, 3)


@pytest.mark.parametrize("n_bytes", [0, 11, 13])
def test_read_weights__binary_of_another_size(write, n_bytes):
    with pytest.raises(AssetError, match=f"found {n_bytes} bytes in net.bin; expected 12"):
        read_weights(*write([_group(_weight("a", [3]))], bytes(n_bytes)))


@pytest.mark.parametrize(
    ("weight", "reason"),
    [
        ({"shape": [1], "dtype": "float32"}, "no 'name'"),
        ({"name": 3, "shape": [1], "dtype": "float32"}, "name 3"),
        ({"name": "a", "dtype": "float32"}, "no 'shape'"),
        (_weight("a", [-1]), r"shape \[-1\] of 'a'"),
        (_weight("a", [True]), r"shape \[True\] of 'a'"),
        (_weight("a", [1.0]), r"shape \[1.0\] of 'a'"),
        (_weight("a", "1"), "shape '1' of 'a'"),
        ({"name": "a", "shape": [1], "dtype": "int32"}, "dtype 'int32' of 'a'"),
        (_weight("a", [1], dtype="uint4", scale=1, min=0), "stored dtype 'uint4' of 'a'"),
        (_weight("a", [1], dtype=["uint8"], scale=1, min=0), "unhashable"),
        (_weight("a", [1], dtype="uint8", min=0), "no 'scale'"),
        (_weight("a", [1], dtype="uint8", scale="1", min=0), "scale '1' and minimum 0 of 'a'"),
        (_weight("a", [1], dtype="uint8", scale=float("nan"), min=0), "scale nan"),
        ("a", "indices must be integers"),
    ],
)
def test_read_weights__malformed_weight(write, weight, reason):
    with pytest.raises(AssetError, match=f"weight 0: found .*{reason}"):
        read_weights(*write([_group(weight)], bytes(4)))


@pytest.mark.parametrize(
    ("manifest", "reason"),
    [
        ("", "found no JSON"),
        ("[", "found no JSON"),
        ("\ud800".encode("utf-8", "surrogatepass").decode("latin-1"), "found no JSON"),
        ({}, "found no list of groups"),
        ([], "found no list of groups"),
        ([1], "found no list of groups"),
        ([{"paths": ["net.bin"]}], "found 'weights' that is no list"),
        ([{"weights": [], "paths": "net.bin"}], "found 'paths' that is no list"),
        ([_group(paths=("a", "b"))], r"found 2 binary files \(a, b\); expected one"),
    ],
)
def test_read_weights__malformed_manifest(write, manifest, reason):
    with pytest.raises(AssetError, match=reason):
        read_weights(*write(manifest, b""))


def test_read_weights__all_problems_at_once(write):
    with pytest.raises(AssetError) as caught:
        read_weights(*write([_group(_weight("a", [1]), _weight("a", [1]), _weight("b", [-2]))], b""))
    assert "found weight 'a' twice" in str(caught.value)
    assert "shape [-2] of 'b'" in str(caught.value)
