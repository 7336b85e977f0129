"""What an import loads, and which part of the package may import which."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facearray as fa

PACKAGE = Path(fa.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
HEAVY = ("distributed", "holoviews", "bokeh", "panel", "scipy.stats", "sklearn", "torch")

#: Loaded by name, by those that use Dask: a worker plugin has to be a subclass of Dask's.
WITH_DASK = "facearray.detection.executors.plugin"

#: Loaded when a viewer starts: parts of a page have to be subclasses of Panel's.
WITH_PANEL = "facearray.plot.viewer.window"

#: A part of the package may import itself and parts of earlier rows, also inside its functions.
LAYERS = (
    ("errors", "_secrets", "_version", "_warning", "_words"),
    ("_members",),
    ("schema", "_assets", "sampling"),
    ("assets", "_columns", "_matching", "epochs", "selectors"),
    ("blocks", "combine", "intervals", "io", "tables"),
    ("models",),
    ("detection",),
    ("detectors",),
    ("datasets", "identities"),
    ("stats",),
    ("signal",),
    ("plot", "testing"),
    ("accessor",),
    ("cli",),
    ("__init__", "__main__"),
)


def is_light(module: str) -> bool:
    return part(module) != "models" and module != WITH_DASK and not module.startswith(WITH_PANEL)


def part(module: str) -> str:
    return [*module.split("."), "__init__"][1]


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def imports(node: ast.AST, module: str, *, in_functions: bool) -> Iterator[str]:
    """Names of imported modules; `from a import b` counts as `a.b` where that is a module of ours, else as `a`."""
    for child in ast.iter_child_nodes(node):
        if is_type_checking(child) or (isinstance(child, ast.FunctionDef | ast.Lambda) and not in_functions):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, f"{module}: relative import"
            names = [f"{child.module}.{alias.name}" for alias in child.names]
            yield from (name if name in MODULES else str(child.module) for name in names)
        else:
            yield from imports(child, module, in_functions=in_functions)


def loaded_by(code: str) -> set[str]:
    """Modules in an interpreter that has run the code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_import__loads_nothing_heavy():
    loaded = loaded_by("import facearray")
    assert "xarray" in loaded
    assert loaded.isdisjoint(HEAVY)


def test_import__adds_only_own_modules_to_those_of_xarray():
    added = loaded_by("import facearray") - loaded_by("import xarray")
    assert {name.partition(".")[0] for name in added} - set(sys.stdlib_module_names) == {"facearray"}


def test_public_modules__load_nothing_heavy():
    public = [name for name in MODULES if is_light(name) and part(name) != "__main__"]
    assert loaded_by("import " + ", ".join(public)).isdisjoint(HEAVY)


def test_models__what_is_public_loads_nothing_heavy():
    code = "from facearray.models import AUS, AUMap, action_units; import facearray as fa; fa.models.action_units"
    assert loaded_by(code).isdisjoint(HEAVY)


@pytest.mark.parametrize("module", [name for name in MODULES if is_light(name)])
def test_module__imports_heavy_packages_only_inside_functions(module):
    found = set(imports(ast.parse(MODULES[module].read_text()), module, in_functions=False))
    assert not {name for name in found for heavy in HEAVY if name == heavy or name.startswith(f"{heavy}.")}


@pytest.mark.parametrize("module", MODULES)
def test_module__imports_only_from_below(module):
    rank = {name: i for i, names in enumerate(LAYERS) for name in names}
    own = part(module)
    assert own in rank, f"say in LAYERS where {own!r} belongs"
    found = imports(ast.parse(MODULES[module].read_text()), module, in_functions=True)
    others = {part(name) for name in found if name.partition(".")[0] == "facearray" and name != "facearray"} - {own}
    assert [name for name in sorted(others) if rank[name] >= rank[own]] == []


@pytest.mark.parametrize("name", fa.__all__)
def test_public_name__is_found_and_kept(name):
    assert getattr(fa, name) is getattr(fa, name)
    assert name in dir(fa)


def test_public_name__detect_is_the_function_whatever_was_imported_first():
    for first in ("facearray.detection.detector", "facearray.detection.run", "facearray"):
        code = f"import {first}\nimport facearray as fa\nassert callable(fa.detect) and fa.detect.__name__ == 'detect'"
        subprocess.run([sys.executable, "-c", code], check=True)


def test_public_name__unknown():
    with pytest.raises(AttributeError, match="module 'facearray' has no attribute 'detekt'"):
        fa.detekt  # noqa: B018
