from __future__ import annotations

import pytest
import torch

from facearray.detection.devices import resolve_device
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
