"""Batches that do not fit the memory of the device."""

from __future__ import annotations

import logging
import threading

import numpy as np
import pytest
import torch

from facearray.detection.detector import Faces
from facearray.detection.in_memory import detect_frames
from facearray.detection.inference import batch_frames
from facearray.errors import DetectorError, InputError
from facearray.testing import FakeDetector

#: 29 frames of rising brightness; the first has no face.
FRAMES = np.repeat((8 * np.arange(29)).astype(np.uint8), 4 * 6 * 3).reshape(29, 4, 6, 3)


class Small(FakeDetector):
    """Has memory for a few frames at once, and remembers how many it was asked to look at."""

    def __init__(self, most: int, error: type[Exception] = torch.OutOfMemoryError, **fields):
        super().__init__(**fields)
        object.__setattr__(self, "most", most)
        object.__setattr__(self, "error", error)
        object.__setattr__(self, "asked", [])

    def __call__(self, frames) -> Faces:
        self.asked.append(len(frames))
        if len(frames) > self.most:
            raise self.error("CUDA out of memory. Tried to allocate 2.00 GiB")
        return super().__call__(frames)


@pytest.mark.parametrize("most", [1, 2, 5, 7, 29])
@pytest.mark.parametrize("error", [torch.OutOfMemoryError, RuntimeError, MemoryError])
def test_describe__too_little_memory_changes_no_value(most, error):
    expected = detect_frames(FRAMES, detector=FakeDetector(), batch_size=29)
    found = detect_frames(FRAMES, detector=Small(most, error), batch_size=29)
    assert found.identical(expected)


def test_describe__batches_stay_small_once_they_were_too_large(caplog):
    detector = Small(2, device="cuda:0")  # one thread, so that the order is known
    with caplog.at_level(logging.WARNING, logger="facearray"):
        detect_frames(FRAMES[:16], detector=detector, batch_size=8)
    assert detector.asked == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    assert [record.getMessage() for record in caplog.records] == [
        "fake has too little memory on cuda:0 for 8 frames of 6x4 at once; going on with 4",
        "fake has too little memory on cuda:0 for 4 frames of 6x4 at once; going on with 2",
    ]


def test_describe__no_memory_for_a_single_frame():
    message = (
        "'fake' has too little memory on cpu for a single frame of 6x4 .*expected room for one; use another device"
    )
    with pytest.raises(DetectorError, match=message):
        detect_frames(FRAMES, detector=Small(0), batch_size=8)


def test_describe__other_errors_are_not_tried_again():
    class Broken(Small):
        def __call__(self, frames):
            self.asked.append(len(frames))
            raise RuntimeError("shapes cannot be multiplied")

    detector = Broken(0, device="cuda:0")
    with pytest.raises(DetectorError, match="raised RuntimeError on 8 frames of 6x4: shapes cannot be multiplied"):
        detect_frames(FRAMES, detector=detector, batch_size=8)
    assert detector.asked == [8]


def test_describe__device_is_called_from_one_thread_while_another_decodes():
    threads = set()

    class Device(FakeDetector):
        def __call__(self, frames):
            threads.add(threading.current_thread().name)
            return super().__call__(frames)

    detect_frames(FRAMES, detector=Device(device="cuda:0"), batch_size=2)
    assert len(threads) == 1
    assert threads.isdisjoint({threading.main_thread().name})


def test_batch_frames__more_than_memory():
    with pytest.raises(
        InputError, match=r"found batch_size=\d+: so many frames of 640x360 take .* GB; expected at most"
    ):
        batch_frames(640, 360, 10**9)
