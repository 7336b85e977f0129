from __future__ import annotations

import pytest
import torch

from facearray.detection.devices import free_memory, is_elsewhere, is_out_of_memory, resolve_device, resolve_runtime
from facearray.errors import InputError


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch):
    def make(*, n_cuda: int, mps: bool) -> None:
        monkeypatch.setattr(torch.cuda, "device_count", lambda: n_cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)

    return make


@pytest.mark.parametrize(("n_cuda", "mps", "expected"), [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda")])
def test_resolve_device__auto(machine, n_cuda: int, mps: bool, expected: str) -> None:
    machine(n_cuda=n_cuda, mps=mps)
    assert resolve_device("auto") == expected


def test_resolve_device__available(machine) -> None:
    machine(n_cuda=2, mps=True)
    for device in ("cpu", "mps", "cuda", "cuda:0", "cuda:1"):
        assert resolve_device(device) == device


@pytest.mark.parametrize("device", ["cuda", "cuda:0", "mps", "tpu", "", "cpu:0"])
def test_resolve_device__not_available(machine, device: str) -> None:
    machine(n_cuda=0, mps=False)
    with pytest.raises(InputError, match=rf"found device='{device}'; expected 'auto' or .*: cpu$"):
        resolve_device(device)


def test_is_elsewhere(machine) -> None:
    machine(n_cuda=1, mps=False)
    devices = ["cpu", "auto", "cuda", "cuda:0", "cuda:1", "mps", "tpu", "", "cuda:x"]
    assert [device for device in devices if is_elsewhere(device)] == ["cuda:1", "mps"]


def test_resolve_runtime__device(machine) -> None:
    assert resolve_runtime("auto", "cuda:0") == resolve_runtime("auto", "mps") == "torch"
    assert resolve_runtime("torch", "cpu") == "torch"
    with pytest.raises(InputError, match="found runtime='litert' on cuda:0; expected it on the CPU only"):
        resolve_runtime("litert", "cuda:0")


def test_is_out_of_memory__as_torch_says_it() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory."))
    assert is_out_of_memory(RuntimeError("MPS backend out of memory (MPS allocated: 18.00 GB)"))
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(RuntimeError("CUDA error: device-side assert triggered"))


@pytest.mark.parametrize(("device", "emptied"), [("cpu", []), ("cuda:1", ["cuda"]), ("mps", ["mps"])])
def test_free_memory(monkeypatch, device: str, emptied: list[str]) -> None:
    done: list[str] = []
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: done.append("cuda"))
    monkeypatch.setattr(torch.mps, "empty_cache", lambda: done.append("mps"))
    free_memory(device)
    assert done == emptied
