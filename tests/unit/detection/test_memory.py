"""Memory that is used again only when nothing refers to it any more."""

from __future__ import annotations

from facearray.detection.memory import Memory


def _place(array) -> int:
    return array.__array_interface__["data"][0]


def test_memory__is_taken_again_when_the_last_view_is_gone():
    memory = Memory(64)
    first = memory.take()
    place, view = _place(first), first.reshape(8, 8)[2:]
    del first
    second = memory.take()
    assert _place(second) != place
    del view
    assert _place(memory.take()) == place
