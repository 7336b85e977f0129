from __future__ import annotations

import errno

import numpy as np
import pytest

from facearray.detection import spool as module
from facearray.detection.spool import Spool
from facearray.errors import StoreError


@pytest.mark.parametrize("max_memory", [2**20, 100])
def test_spool__gives_back_what_it_took(monkeypatch, max_memory):
    monkeypatch.setattr(module, "MAX_MEMORY", max_memory)
    rng = np.random.default_rng(0)
    groups = [
        (rng.random((n, 3), dtype=np.float32), None if n % 2 else np.arange(n), np.empty((0, 4))) for n in range(5)
    ]
    groups[2][0][0] = np.nan
    with Spool() as spool:
        for group in groups:
            spool.add(*group)
        for _ in range(2):
            found = list(spool)
            assert len(found) == 5
            for expected, given in zip(groups, found, strict=True):
                for a, b in zip(expected, given, strict=True):
                    assert (a is None) == (b is None)
                    if a is not None:
                        np.testing.assert_array_equal(a, b)
                        assert a.dtype == b.dtype


def test_spool__nothing():
    with Spool() as spool:
        assert list(spool) == []


def test_spool__disk_that_is_full(monkeypatch):
    def fail(*arguments, **options):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(np, "save", fail)
    with Spool() as spool, pytest.raises(StoreError, match=r"temporary files failed \(No space left.*TMPDIR"):
        spool.add(np.arange(3))


def test_spool__leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_MEMORY", 100)
    monkeypatch.setattr(module.tempfile, "tempdir", str(tmp_path))

    def interrupted() -> None:
        with Spool() as spool:
            spool.add(np.arange(1000))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert list(tmp_path.iterdir()) == []
