"""The accessor: generated from the public functions, and equal to them."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from facearray import _members, accessor, schema, selectors
from facearray._members import Member
from facearray.errors import ArgumentError

ARGUMENTS = {"select": ("aus,Yaw",)}
FUNCTIONS = {name: getattr(selectors, name) for name in selectors.__all__}
ROOT = Path(__file__).parents[2]


@pytest.fixture
def ds() -> xr.Dataset:
    features = list(schema.FEATURES)
    dims = ("video", "frame", "face", "feature")
    rng = np.random.default_rng(0)
    return xr.Dataset(
        {
            "features": (dims, rng.random((1, 2, 1, len(features)), dtype="f4")),
            "landmarks": (("video", "frame", "face", "landmark", "axis"), rng.random((1, 2, 1, 4, 3), dtype="f4")),
            "embedding": (("video", "frame", "face", "component"), rng.random((1, 2, 1, 4), dtype="f4")),
        },
        coords={"feature": features, "timestamp": (("video", "frame"), np.array([[0.0, 0.04]]))},
    )


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
@pytest.mark.parametrize("kind", ["Dataset", "DataArray"])
def test_members__are_the_functions(ds, name, kind):
    obj = ds if kind == "Dataset" else ds.features
    if kind == "DataArray" and name in ("landmarks", "embedding"):
        assert not hasattr(obj.fex, name)
        return
    function, member = FUNCTIONS[name], inspect.getattr_static(type(obj.fex), name)
    if isinstance(member, Member):
        getattr(type(obj.fex), name)
        member = inspect.getattr_static(type(obj.fex), name)
    parameters = list(inspect.signature(function).parameters.values())[1:]
    if isinstance(member, property):
        assert parameters == []
        result = getattr(obj.fex, name)
    else:
        assert inspect.signature(getattr(obj.fex, name)) == inspect.signature(function).replace(parameters=parameters)
        result = getattr(obj.fex, name)(*ARGUMENTS[name])
    assert inspect.getdoc(member) == inspect.getdoc(function)
    xr.testing.assert_identical(result, function(obj, *ARGUMENTS.get(name, ())))


def test_plot_members__are_the_functions(ds):
    plot = importlib.import_module("facearray.plot")
    for name in (n for n in vars(accessor.PlotAccessor) if not n.startswith("_")):
        function = getattr(plot, name)
        parameters = list(inspect.signature(function).parameters.values())[1:]
        method = getattr(ds.features.fex.plot, name)
        assert getattr(ds.fex.plot, name).__func__ is method.__func__
        assert inspect.signature(method) == inspect.signature(function).replace(parameters=parameters)
        assert inspect.unwrap(method) is function


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda fex: fex.isc("AU12", algn="time"), r"unknown argument of isc 'algn' \(did you mean 'align'\?\); known"),
        (lambda fex: fex.plot.bars(by="condition"), r"unknown argument of bars 'by'; known: .*, group, "),
        (lambda fex: fex.clean("AU12"), r"found 'AU12' without a name in clean; .*: features=, detrend="),
        (lambda fex: fex.steps(range(90)), r"found range\(0, 90\) without a name in steps; .*: no more"),
        (
            lambda fex: fex.isc(np.zeros(99), 1),
            r"found 1 without a name in isc; expected one of its arguments: method=",
        ),
        (lambda fex: fex.clean(np.zeros(99)), "found a ndarray without a name in clean"),
        (lambda fex: fex.to_grid(0.0, n=3), "found no tr in to_grid; expected tr="),
        (lambda fex: fex.spectrum(), "found no window in spectrum; expected window="),
        (lambda fex: fex.wavelet(1.0, frequency=2.0), "multiple values for argument 'frequency'"),
    ],
)
def test_methods__arguments_that_do_not_exist(ds, call, message):
    with pytest.raises(ArgumentError, match=message) as raised:
        call(ds.fex)
    assert isinstance(raised.value, TypeError)
    assert raised.value.__suppress_context__


def test_methods__errors_of_the_functions_are_not_touched(ds, monkeypatch):
    def steps(ds):
        raise TypeError("in the function")

    monkeypatch.setattr(accessor.DatasetAccessor, "steps", _members.Method("").build(steps))
    with pytest.raises(TypeError, match=r"^in the function$") as raised:
        ds.fex.steps()
    assert not isinstance(raised.value, ArgumentError)


def test_init__stores_the_object_and_reads_nothing():
    class Untouchable:
        def __getattribute__(self, name):
            raise AssertionError(f"read {name}")

    for cls in (accessor.DatasetAccessor, accessor.DataArrayAccessor, accessor.PlotAccessor):
        assert list(vars(cls(Untouchable()))) == ["_obj"]


def test_import__twice_replaces_its_own_accessor_without_a_warning():
    code = (
        "import importlib, sys, facearray; del sys.modules['facearray.accessor'];"
        "importlib.reload(importlib.import_module('facearray.accessor'))"
    )
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], check=True, capture_output=True, text=True)
    assert "AccessorRegistrationWarning" not in done.stderr


def test_import__warns_where_another_package_has_the_name():
    code = "import xarray as xr; xr.register_dataset_accessor('fex')(type('Other', (), {})); import facearray"
    done = subprocess.run([sys.executable, "-W", "always", "-c", code], check=True, capture_output=True, text=True)
    assert "AccessorRegistrationWarning" in done.stderr


def test_stub__is_up_to_date():
    pytest.importorskip("ruff", reason="the stub is written with the project's formatter")
    spec = importlib.util.spec_from_file_location("accessor_stub", ROOT / "tools" / "accessor_stub.py")
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    assert tool.STUB.read_text(encoding="utf-8") == tool.stub(), "run: python tools/accessor_stub.py"
