"""Directives that show the data model, readers of files, model files and the command line as the code has them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, ClassVar

import click
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from facearray import schema
from facearray._assets.registry import ASSETS
from facearray.cli import main
from facearray.io.readers import load_reader
from facearray.models import AUS
from facearray.models.mesh_measures import MEASURES
from facearray.plot.rig.muscles import MUSCLES
from facearray.plot.rig.shapes import UNITS_OF_SHAPES
from facearray.plot.rig.table import MOVEMENTS


class SchemaTable(SphinxDirective):
    """A table of what the code has.

    ``{schema-table} dims | data_vars | coords | groups | features GROUP… | conversions READER… | aus | measures |
    models | movements | movement AU | muscles | drawn-blendshapes``
    """

    required_arguments = 1
    optional_arguments = 20
    has_content = False

    def run(self) -> list[nodes.Node]:
        kind, *groups = self.arguments
        header, rows = _TABLES[kind](groups)
        return [self._table(header, rows)]

    def _table(self, header: Sequence[str], rows: Iterable[Sequence[str]]) -> nodes.table:
        columns = [nodes.colspec(colwidth=1) for _ in header]
        head = nodes.thead("", self._row(header))
        body = nodes.tbody("", *map(self._row, rows))
        return nodes.table("", nodes.tgroup("", *columns, head, body, cols=len(header)))

    def _row(self, cells: Sequence[str]) -> nodes.row:
        return nodes.row("", *map(self._cell, cells))

    def _cell(self, text: str) -> nodes.entry:
        # The registry's prose has the double backquotes of docstrings; the pages are Markdown.
        content, messages = self.parse_inline(text.replace("``", "`"))
        return nodes.entry("", nodes.paragraph("", "", *content, *messages))


def _dims(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["dim", "what"], ([f"`{dim.name}`", dim.description] for dim in schema.DIMS.values())


def _variables(variables: Iterable[schema.Variable]) -> tuple[list[str], Iterator[list[str]]]:
    return ["name", "dims", "dtype", "unit", "what"], (
        [f"`{v.name}`", ", ".join(v.dims), v.dtype, v.unit, v.description] for v in variables
    )


def _groups(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["group", "features", "what"], (
        [f"`{group.name}`", str(len(group.features) or ""), group.description] for group in schema.GROUPS.values()
    )


def _features(groups: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    chosen = (feature for feature in schema.FEATURES.values() if feature.group in groups)
    return ["feature", "unit", "what"], ([f"`{f.name}`", f.unit, f.description] for f in chosen)


def _conversions(readers: list[str]) -> tuple[list[str], Iterator[Sequence[str]]]:
    return ["in the file", "in the Dataset"], (row for reader in readers for row in load_reader(reader).conversions)


def _action_units(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["AU", "definition", "muscle", "estimate", "trust"], (
        [f"`{unit.name}` {unit.title}", unit.definition, unit.muscle, f"`{unit.formula}`", unit.trust]
        for unit in AUS.values()
    )


def _measures(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["measure", "what"], ([f"`{m.name}`", m.description] for m in MEASURES.values())


def _models(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["what", "licence", "MB", "file"], (
        [asset.origin, asset.licence, f"{asset.size / 1e6:.2f}", f"`{asset.name}`"]
        for asset in ASSETS.values()
        if asset.kind == "model" and not asset.name.endswith(".json")
    )


def _movements(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["AU", "muscles", "moving points", "at most (cm)", "reach (cm)", "lids up", "jaw"], (
        [
            f"`{m.name}` {m.title}",
            m.muscle,
            str(sum(len(pull.vertices) for pull in m.pulls) or ""),
            f"{m.largest:.2f}" if m.pulls else "",
            f"{m.reach:g}" if m.pulls else "",
            f"upper {m.upper_lid:+g}, lower {m.lower_lid:+g}" if m.upper_lid or m.lower_lid else "",
            f"{m.jaw:g}" if m.jaw else "",
        ]
        for m in MOVEMENTS.values()
    )


def _movement(units: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["AU", "out", "up", "forward", "points"], (
        [unit, f"{pull.out:+g}", f"{pull.up:+g}", f"{pull.forward:+g}", ", ".join(map(str, pull.vertices))]
        for unit in units or MOVEMENTS
        for pull in MOVEMENTS[unit].pulls
    )


def _muscles(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["muscle", "action units"], ([f"`{m.name}`", ", ".join(m.units)] for m in MUSCLES.values())


def _drawn_blendshapes(_: list[str]) -> tuple[list[str], Iterator[list[str]]]:
    return ["blendshape", "action unit", "factor"], (
        [f"`{shape}`", unit, f"{factor:g}"] for shape, (unit, factor) in UNITS_OF_SHAPES.items()
    )


_TABLES: dict[str, Any] = {
    "dims": _dims,
    "data_vars": lambda _: _variables(schema.DATA_VARS.values()),
    "coords": lambda _: _variables(schema.COORDS.values()),
    "groups": _groups,
    "features": _features,
    "conversions": _conversions,
    "aus": _action_units,
    "measures": _measures,
    "models": _models,
    "movements": _movements,
    "movement": _movement,
    "muscles": _muscles,
    "drawn-blendshapes": _drawn_blendshapes,
}


class CommandHelp(SphinxDirective):
    """``{command-help}``: the help texts of all commands."""

    has_content = False
    option_spec: ClassVar[dict[str, Any]] = {}

    def run(self) -> list[nodes.Node]:
        found: list[nodes.Node] = []
        top = click.Context(main, info_name="facearray", max_content_width=72, **main.context_settings)
        for command, context in _commands(main, top):
            section = nodes.section(
                "", nodes.title("", context.command_path), ids=[nodes.make_id(context.command_path)]
            )
            section += nodes.literal_block("", command.get_help(context), language="text")
            found.append(section)
        return found


def _commands(command: click.Command, context: click.Context) -> Iterator[tuple[click.Command, click.Context]]:
    if isinstance(command, click.Group):
        for name, inner in sorted(command.commands.items()):
            yield from _commands(inner, click.Context(inner, info_name=name, parent=context))
    else:
        yield command, context


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("schema-table", SchemaTable)
    app.add_directive("command-help", CommandHelp)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
