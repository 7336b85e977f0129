"""How accessor members are made from public functions, so that nothing is written twice."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

__all__ = ["Attribute", "Member", "Method"]

#: Where an accessor keeps the object that it belongs to.
OBJECT = "_obj"


class Member:
    """Stands in an accessor class for the public function of the same name, until it is first used.

    Only then is the function's module imported and the member built, which takes this one's place.

    Parameters
    ----------
    module
        Name of the module that has the function.
    """

    def __init__(self, module: str) -> None:
        self.module = module

    def __set_name__(self, owner: type, name: str) -> None:
        self.owner = owner
        self.name = name

    def __get__(self, obj: object, owner: type | None = None) -> Any:
        built = self.build(getattr(importlib.import_module(self.module), self.name))
        setattr(self.owner, self.name, built)
        return built.__get__(obj, owner)

    def build(self, function: Callable[..., Any]) -> Any:
        """Make the member: the function with the accessor's object as its first argument."""
        raise NotImplementedError


class Method(Member):
    """A method: the function's signature without its first parameter, its docstring kept."""

    def build(self, function: Callable[..., Any]) -> Any:
        """Make the method."""
        return _method(function)


class Attribute(Member):
    """A property, for a function that has no parameter but the object."""

    def build(self, function: Callable[..., Any]) -> Any:
        """Make the property."""
        return property(_method(function))


def _method(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def method(self: object, *args: Any, **kwargs: Any) -> Any:
        return function(getattr(self, OBJECT), *args, **kwargs)

    signature = inspect.signature(function)
    first, *others = signature.parameters.values()
    self_parameter = inspect.Parameter("self", first.kind)
    method.__signature__ = signature.replace(parameters=[self_parameter, *others])  # type: ignore[attr-defined]
    return method
