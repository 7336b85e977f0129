"""What several commands share: arguments and options, and errors as exit codes."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import click

from facearray.errors import FaceArrayError, InputError

__all__ = ["json_option", "key_values_option", "named_errors", "storage_option", "store_argument"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


def named_errors(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Turn the package's own errors into a message and an exit code; anything else is a bug and keeps its trace."""

    @wraps(function)
    def wrapper(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        try:
            return function(*args, **kwargs)
        except FaceArrayError as error:
            click.echo(f"facearray: {error}", err=True)
            sys.exit(2 if isinstance(error, InputError) else 1)
        except KeyboardInterrupt:
            click.echo("facearray: interrupted; run the same command again to go on", err=True)
            sys.exit(1)

    return wrapper


store_argument = click.argument("store")
json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of a table.")


def key_values_option(name: str, text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make an option that may be repeated, of the options of a file system."""
    return click.option(
        f"--{name}",
        f"{name.replace('-', '_')}s",
        multiple=True,
        metavar="KEY=VALUE",
        callback=lambda _context, _parameter, pairs: _key_values(pairs),
        help=text,
    )


def _key_values(pairs: tuple[str, ...]) -> dict[str, Any] | None:
    options: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise click.BadParameter(f"found {pair!r}; expected KEY=VALUE")
        try:
            options[key] = json.loads(value)
        except json.JSONDecodeError:
            options[key] = value
    return options or None


storage_option = key_values_option(
    "storage-option",
    "Option of the file system that a URL names; may be repeated. Values are read as JSON where they are JSON.",
)
