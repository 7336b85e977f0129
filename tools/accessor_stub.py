"""Write facearray/accessor.pyi from the accessor classes: what editors and type checkers see of the made members.

Run ``python tools/accessor_stub.py`` after a change of the accessor or of a function behind it.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from facearray import accessor

STUB = Path(inspect.getfile(accessor)).with_suffix(".pyi")


def stub() -> str:
    """Text of the stub."""
    classes = [getattr(accessor, name) for name in accessor.__all__]
    classes.sort(key=lambda cls: inspect.getsourcelines(cls)[1])
    functions = [function for cls in classes for _, _, function in _members(cls)]
    imports = _imports_needed(functions)
    text = "\n\n".join(_class_text(cls) for cls in classes)
    return _tidied(f'"""Made by tools/accessor_stub.py; change the functions instead."""\n\n{imports}\n\n{text}\n')


def _members(cls: type) -> Iterator[tuple[str, Any, Callable[..., Any]]]:
    """Each member that the class itself defines: its name, itself, and the function behind it."""
    for name in list(vars(cls)):
        member = getattr(cls, name)
        function = member.fget if isinstance(member, property) else member
        if name == "__init__" or (not name.startswith("_") and inspect.isfunction(function)):
            yield name, member, function


def _class_text(cls: type) -> str:
    bases = ", ".join(base.__name__ for base in cls.__bases__ if base is not object)
    head = f"class {cls.__name__}({bases}):" if bases else f"class {cls.__name__}:"
    return "\n".join([head, *(_member_text(*member) for member in _members(cls))])


def _member_text(name: str, member: Any, function: Callable[..., Any]) -> str:
    definition = f"    def {name}{inspect.signature(function)}:"
    if name == "__init__":
        return f"{definition} ..."
    summary = (inspect.getdoc(function) or "").splitlines()[0]
    decorator = ["    @property"] if isinstance(member, property) else []
    return "\n".join([*decorator, definition, f'        """{summary}"""'])


def _imports_needed(functions: list[Callable[..., Any]]) -> str:
    """Import statements for the names in the annotations, found in the modules that define the functions."""
    lines = set()
    for function in functions:
        original = inspect.unwrap(function)
        known = _imported_names(importlib.import_module(original.__module__))
        lines |= {known[name] for name in _annotation_names(original) if name in known}
    return "\n".join(sorted(lines))


def _annotation_names(function: Callable[..., Any]) -> set[str]:
    """Names in the annotations, without those of the object that the accessor holds."""
    parameters = [p for p in inspect.signature(function).parameters.values() if p.name not in ("self", "ds")]
    annotations = [p.annotation for p in parameters if p.annotation is not p.empty]
    annotations.append(inspect.signature(function).return_annotation)
    trees = [ast.walk(ast.parse(str(text), mode="eval")) for text in annotations]
    return {node.id for tree in trees for node in tree if isinstance(node, ast.Name)}


def _imported_names(module: ModuleType) -> dict[str, str]:
    """Import statements by name, for what a module imports or defines, also under ``TYPE_CHECKING``."""
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name] = ast.unparse(ast.Import([alias]))
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                found[alias.asname or alias.name] = ast.unparse(ast.ImportFrom(node.module, [alias], node.level))
        elif isinstance(node, ast.ClassDef) and module is not accessor:
            found[node.name] = f"from {module.__name__} import {node.name}"
        elif isinstance(node, ast.Assign) and module is not accessor:
            found |= {t.id: f"from {module.__name__} import {t.id}" for t in node.targets if isinstance(t, ast.Name)}
    return found


def _tidied(text: str) -> str:
    """Apply the project's own formatter and linter, so that they have nothing to change in the stub."""
    for command in (["check", "--fix", "--quiet", "--select", "I,UP"], ["format"]):
        full = [sys.executable, "-m", "ruff", *command, "--stdin-filename", str(STUB), "-"]
        text = subprocess.run(full, input=text, capture_output=True, text=True, check=True).stdout
    return text


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
