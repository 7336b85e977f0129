"""How accessor members are made from public functions, so that nothing is written twice."""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from typing import Any

from facearray.errors import ArgumentError, unknown_names

__all__ = ["Attribute", "Member", "Method"]

#: Where an accessor keeps the object that it belongs to.
OBJECT = "_obj"

#: Characters of a value that an error shows.
_LONGEST = 40


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
    signature = inspect.signature(function)

    @functools.wraps(function)
    def method(self: object, *args: Any, **kwargs: Any) -> Any:
        obj = getattr(self, OBJECT)
        try:
            signature.bind(obj, *args, **kwargs)
        except TypeError as error:
            raise ArgumentError(_misuse(function.__name__, signature, args, kwargs) or str(error)) from None
        return function(obj, *args, **kwargs)

    first, *others = signature.parameters.values()
    self_parameter = inspect.Parameter("self", first.kind)
    method.__signature__ = signature.replace(parameters=[self_parameter, *others])  # type: ignore[attr-defined]
    return method


def _misuse(name: str, signature: inspect.Signature, args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Say what is wrong with the arguments of a method; empty if something else is than their names and number."""
    parameters = list(signature.parameters.values())[1:]
    known = [parameter.name for parameter in parameters]
    if unknown := [argument for argument in kwargs if argument not in known]:
        return str(unknown_names(f"argument of {name}", unknown, known))
    in_order = [parameter.name for parameter in parameters if parameter.kind is not parameter.KEYWORD_ONLY]
    if len(args) > len(in_order):
        extra = ", ".join(_short(value) for value in args[len(in_order) :])
        named = ", ".join(f"{argument}=" for argument in known if argument not in in_order) or "no more"
        return f"found {extra} without a name in {name}; expected one of its arguments: {named}"
    given = {*in_order[: len(args)], *kwargs}
    if lacking := [p.name for p in parameters if p.default is p.empty and p.name not in given]:
        return f"found no {', '.join(lacking)} in {name}; expected {', '.join(f'{argument}=' for argument in lacking)}"
    return ""


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST else f"a {type(value).__name__}"
