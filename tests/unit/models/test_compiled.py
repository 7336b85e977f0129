"""Compiled networks: the numbers of the network, one size of batch, and a cache that is checked."""

from __future__ import annotations

import json
import logging
import os

import pytest
import torch
from torch import nn

from facearray.errors import InputError
from facearray.models import compiled as compiled_module
from facearray.models.compiled import BATCH, CompiledGraph


class Net(nn.Module):
    """Two outputs of one input."""

    def forward(self, x):
        return x.sum(dim=1), 2 * x


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that it is as before afterwards
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    monkeypatch.setenv("FACEARRAY_CACHE", str(tmp_path))
    return compiled_module.cache_folder()


class Compiler:
    """Stands in for torch.compile: says what it was called with, leaves a file in the cache, fails if it is told to."""

    def __init__(self, folder) -> None:
        self.folder = folder
        self.shapes: list[tuple[int, ...]] = []
        self.n_compiled = 0
        self.fails = 0

    def __call__(self, network, **options):
        def run(*inputs):
            if self.fails:
                self.fails -= 1
                raise RuntimeError("undefined symbol: kernel\nmore")
            self.shapes += [tuple(x.shape) for x in inputs]
            (self.folder / "kernel.so").write_bytes(b"machine code")
            return network(*inputs)

        self.n_compiled += 1
        return run


@pytest.fixture
def compiler(cache, monkeypatch):
    compiler = Compiler(cache)
    monkeypatch.setattr(torch, "compile", compiler)
    return compiler


@pytest.mark.parametrize("n", [0, 1, BATCH, BATCH + 3])
def test_graph__parts_of_one_size(n, compiler):
    graph = CompiledGraph(Net(), [(3, 2)])
    x = torch.rand(n, 3, 2)
    found = graph(x)
    for output, expected in zip(found, Net()(x), strict=True):
        torch.testing.assert_close(output, expected, rtol=0, atol=0)
    assert set(compiler.shapes) == {(BATCH, 3, 2)}


def test_graph__wrong_shape(compiler):
    with pytest.raises(ValueError, match=r"found inputs of shape \(\(2, 3\),\); expected \(\(3, 2\),\)"):
        CompiledGraph(Net(), [(3, 2)])(torch.rand(1, 2, 3))


def test_cache__is_listed_and_found_again(compiler, cache, caplog):
    CompiledGraph(Net(), [(3, 2)])
    assert list(json.loads((cache / "facearray-manifest.json").read_text())) == ["kernel.so"]
    with caplog.at_level(logging.WARNING, logger="facearray"):
        CompiledGraph(Net(), [(3, 2)])
    assert caplog.text == ""
    assert compiled_module.cache_folder() == cache


def test_cache__is_below_the_folder_that_torch_is_told(tmp_path, monkeypatch):
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    folder = compiled_module.cache_folder()
    assert folder == tmp_path / "facearray-compiled" / torch.__version__
    seen = []

    def compiler(network, **options):
        return lambda *inputs: seen.append(os.environ["TORCHINDUCTOR_CACHE_DIR"]) or network(*inputs)

    monkeypatch.setattr(torch, "compile", compiler)
    CompiledGraph(Net(), [(3, 2)])
    assert seen == [str(folder)]
    assert os.environ["TORCHINDUCTOR_CACHE_DIR"] == str(tmp_path)


@pytest.mark.parametrize("damage", ["changed", "deleted", "manifest"])
def test_cache__what_is_damaged_is_made_anew(damage, compiler, cache, caplog):
    CompiledGraph(Net(), [(3, 2)])
    (cache / "other.so").write_bytes(b"left")
    if damage == "manifest":
        (cache / "facearray-manifest.json").write_text("{")
    elif damage == "deleted":
        (cache / "kernel.so").unlink()
    else:
        (cache / "kernel.so").write_bytes(b"machine cod")
    with caplog.at_level(logging.WARNING, logger="facearray"):
        CompiledGraph(Net(), [(3, 2)])
    assert "is emptied" in caplog.text
    assert ("manifest.json" if damage == "manifest" else "kernel.so") in caplog.text
    assert not (cache / "other.so").exists()
    assert (cache / "kernel.so").read_bytes() == b"machine code"


def test_cache__that_does_not_load_is_made_anew(compiler, caplog):
    CompiledGraph(Net(), [(3, 2)])
    compiler.fails = 1
    with caplog.at_level(logging.WARNING, logger="facearray"):
        graph = CompiledGraph(Net(), [(3, 2)])
    assert "compiling with it failed (RuntimeError: undefined symbol: kernel); they are compiled anew" in caplog.text
    assert torch.equal(graph(torch.ones(1, 3, 2))[1], 2 * torch.ones(1, 3, 2))


@pytest.mark.parametrize("n_before", [0, 1])
def test_graph__no_compiler(n_before, compiler):
    for _ in range(n_before):
        CompiledGraph(Net(), [(3, 2)])
    compiler.fails = 5
    with pytest.raises(
        InputError, match=r"torch cannot compile here \(RuntimeError: undefined .*expected a C\+\+ compiler"
    ):
        CompiledGraph(Net(), [(3, 2)])


def test_cache__folder_that_cannot_be_written(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FACEARRAY_CACHE", str(tmp_path / "file"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", "")  # so that it is as before afterwards
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR")
    with pytest.raises(InputError, match=r"found no way to write into .*TORCHINDUCTOR_CACHE_DIR"):
        CompiledGraph(Net(), [(3, 2)])


@pytest.mark.slow
def test_detector__compiled_as_it_is(cache, asset):
    import numpy as np
    from PIL import Image

    from facearray.detection.mediapipe import MediaPipeDetector

    frame = np.array(Image.open(asset("0-f15-hao-ph.jpg")).convert("RGB"))[None]
    expected = MediaPipeDetector(device="cpu", runtime="torch")(frame)
    detector = MediaPipeDetector(device="cpu", compile=True)
    assert detector.version == "2+compiled"
    found = detector(frame)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, rtol=0, atol=0.01)
    np.testing.assert_allclose(found.features, expected.features, rtol=0, atol=0.01)
    assert json.loads((cache / "facearray-manifest.json").read_text())
