from __future__ import annotations

import pickle

import pytest

from facearray.errors import CapacityError, InputError, unknown_names


@pytest.mark.parametrize(
    ("wanted", "nearest"),
    [("AU1", "'AU01'"), ("au12", "'AU12'"), ("AU13", "'AU1"), ("hapiness", "'happiness'"), ("yaw", "'Yaw'")],
)
def test_unknown_names__suggests_the_nearest(wanted, nearest):
    known = ["AU01", "AU10", "AU12", "AU17", "happiness", "Yaw"]
    assert f"{wanted!r} (did you mean {nearest}" in str(unknown_names("feature", [wanted], known))


def test_unknown_names__sorts_and_bounds_what_it_lists():
    error = unknown_names("feature", ["zz", "yy", "zz"], [f"f{i:03}" for i in range(100)])
    assert isinstance(error, InputError)
    assert str(error).startswith("unknown feature 'yy', 'zz'; known: f000, f001")
    assert str(error).endswith("f029 and 70 more")


def test_capacity_error__survives_another_process():
    error = pickle.loads(pickle.dumps(CapacityError(3, 1024, 2000)))
    assert (error.row, error.capacity, error.n_frames) == (3, 1024, 2000)
