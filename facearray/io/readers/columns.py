"""Delimited text as columns of numbers: fast for many columns, in bounded memory, with the place of every fault.

Cells are split and cast by pyarrow's compute kernels, all columns at once. Readers that build one column after the
other are several times slower on files of a few dozen rows and two thousand columns, as face trackers write them.
"""

from __future__ import annotations

import codecs
import csv
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from facearray.errors import ReadError

__all__ = ["Block", "Table", "head_lines", "head_names"]

#: Bytes of text that are parsed at a time.
BLOCK_BYTES = 8 * 2**20

#: Faults of one file that are described; the rest is counted.
MAX_PROBLEMS = 20

_HEADER_BYTES = 4 * 2**20
_DELIMITERS = ",;\t"
_MISSING = pa.array(["", *"#N/A N/A NA NULL NaN None nan null -nan -nan(ind) 1.#QNAN -".split()])
_ROW_NUMBERS = ("", "Unnamed: 0")
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?(?i:inf|infinity|nan)$"
_DECIMAL_COMMA = r"^([+-]?\d*),(\d+(?:[eE][+-]?\d+)?)$"

#: Tells by the cells of a line whether it is the header.
IsHeader: TypeAlias = Callable[[Sequence[str]], bool]
_Texts: TypeAlias = Any  # pyarrow has no types of its own


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Consecutive rows of a table.

    Attributes
    ----------
    names
        Names of the columns.
    values
        (n_row, n_column) float64; NaN where a cell is empty, text or no number.
    texts
        (n_row,) texts of the columns that were asked for as texts.
    line
        (n_row,) line of the file, from 1.
    """

    names: tuple[str, ...]
    values: NDArray[np.float64]
    texts: Mapping[str, NDArray[np.object_]]
    line: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.line)

    def numbers(self, names: Iterable[str]) -> NDArray[np.float64]:
        """Return some columns as (n_row, n_name)."""
        where = _positions(self.names)
        index = np.array([where[name] for name in names], dtype=np.intp)
        consecutive = len(index) > 0 and bool((np.diff(index) == 1).all())
        return self.values[:, index[0] : index[-1] + 1] if consecutive else self.values[:, index]

    def column(self, name: str) -> NDArray[np.float64]:
        """Return one column as (n_row,)."""
        return self.values[:, self.names.index(name)]

    def rows(self, index: slice | NDArray[Any]) -> Block:
        """Return some of the rows."""
        texts = {name: column[index] for name, column in self.texts.items()}
        return replace(self, values=self.values[index], texts=texts, line=self.line[index])

    def followed_by(self, other: Block) -> Block:
        """Return the rows of this block, then those of another one of the same table."""
        return replace(
            self,
            values=np.concatenate([self.values, other.values]),
            texts={name: np.concatenate([column, other.texts[name]]) for name, column in self.texts.items()},
            line=np.concatenate([self.line, other.line]),
        )


class Table:
    """A file of delimited text.

    Comma, semicolon or tab; decimal points or commas; UTF-8 with or without a byte order mark, UTF-16, Latin-1, or
    lines of several of these; lines end in any of the usual ways. Names of columns are stripped of spaces.

    Parameters
    ----------
    path
        The file.
    is_header
        Tells the header from the lines before it; by default it is the first line that is not empty.

    Attributes
    ----------
    names
        Names of the columns, in the order of the file.
    preamble
        Lines before the header.
    problems
        A sentence for every fault that was found so far: file, line, column. More than a few are counted.
    notes
        Sentences on how the text was read, if not as plainly as it could be.

    Raises
    ------
    ReadError
        If the file is empty or cannot be read, or no line is a header.
    """

    def __init__(self, path: Path, is_header: IsHeader | None = None) -> None:
        self.path = path
        self._problems: list[str] = []
        self._n_problems = 0
        self.notes: set[str] = set()
        found = _find_header(_lines(_read(path, _HEADER_BYTES)), is_header)
        if not found.cells:
            raise ReadError(f"{path.name}: line 1: {_no_header(found.before, is_header)}")
        self.preamble, self._delimiter, self._n_cells = found.before, found.delimiter, len(found.cells)
        self.names, self._kept, repeated = _columns(found.cells)
        for name in repeated:
            if name in _ROW_NUMBERS:
                self.notes.add("A column of row numbers is left out.")
            else:
                self._fault(self.header_line, name, "found the column again; the first one is read")

    @property
    def header_line(self) -> int:
        """Line of the header, from 1."""
        return len(self.preamble) + 1

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence for every fault that was found so far, the first of many."""
        more = self._n_problems - len(self._problems)
        return (*self._problems, *([f"{self.path.name}: {more} more faults of this kind"] if more else []))

    def require(self, names: Iterable[str]) -> None:
        """Make sure that columns are there.

        Raises
        ------
        ReadError
            Naming all that are missing.
        """
        missing = [name for name in names if name not in self.names]
        if missing:
            near = {name: difflib.get_close_matches(name, self.names, n=1) for name in missing}
            listed = ", ".join(f"{n!r}" + (f" (there is {near[n][0]!r})" if near[n] else "") for n in missing)
            raise ReadError(f"{self.path.name}: line {self.header_line}: found no column {listed}")

    def expect(self, families: Iterable[Sequence[str]]) -> None:
        """Note the columns that are missing where others that a tool always writes with them are there."""
        present = set(self.names)
        for family in families:
            missing = [name for name in family if name not in present]
            if len(missing) < len(family):
                for name in missing:
                    self._fault(self.header_line, name, "found no such column; expected it beside its like")

    def blocks(self, *, texts: Iterable[str] = (), together: Sequence[str] = ()) -> Iterator[Block]:
        """Read the rows, a few megabytes of text at a time.

        A row with too few or too many cells, or with texts in place of all numbers (as a second header has), is left
        out; a cell that is no number is NaN; :attr:`problems` names them.

        Parameters
        ----------
        texts
            Columns that hold texts; those that the file lacks do not matter.
        together
            Columns, of texts or numbers; consecutive rows that agree in these are never in different blocks.

        Raises
        ------
        ReadError
            If there are no rows, or none of them fits the header.
        """
        wanted = [name for name in texts if name in self.names]
        keys = [name for name in together if name in self.names]
        held: Block | None = None
        n_rows = 0
        for first_line, text in self._line_blocks():
            block = self._parse(text, first_line, wanted)
            if not len(block):
                continue
            n_rows += len(block)
            if held is not None:
                # Only a row that differs from the last one is known to have nothing in common with what follows.
                cut = _last_change(held, keys)
                if cut:
                    yield held.rows(slice(cut))
                block = held.rows(slice(cut, None)).followed_by(block)
            held = block
        if held is not None:
            yield held
        if not n_rows:
            what = (
                "; ".join(self.problems) or f"{self.path.name}: line {self.header_line + 1}: found the end of the file"
            )
            raise ReadError(f"{what}; expected rows of {self._n_cells} cells below the header")

    def _line_blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield whole lines below the header as UTF-8, with the number of the first."""
        line, rest, skip = 1, b"", self.header_line
        for text in _utf8(self.path):
            text = rest + text
            end = text.rfind(b"\n") + 1
            text, rest = text[:end], text[end:]
            n_lines = text.count(b"\n")
            if skip:
                n_skipped = min(skip, n_lines)
                text = text.split(b"\n", n_skipped)[n_skipped] if n_skipped else text
                skip, line, n_lines = skip - n_skipped, line + n_skipped, n_lines - n_skipped
            if text:
                yield line, text[:-1]
            line += n_lines
        if rest and not skip:
            yield line, rest

    def _parse(self, text: bytes, first_line: int, texts: list[str]) -> Block:
        rows, line = self._split(self._decoded(text, first_line), first_line)
        cells = rows.flatten()
        at = {name: self._kept[self.names.index(name)] for name in texts}
        values, keep = self._cast(cells, line, list(at.values()))
        columns = {
            name: np.array(cells.take(pa.array(np.arange(i, len(cells), self._n_cells))).to_pylist(), dtype=object)
            for name, i in at.items()
        }
        if len(self._kept) < self._n_cells:
            values = values[:, self._kept]
        block = Block(names=self.names, values=values, texts=columns, line=line)
        return block if keep.all() else block.rows(keep)

    def _decoded(self, text: bytes, first_line: int) -> str:
        try:
            return text.decode()
        except UnicodeDecodeError:
            lines = []
            for i, line in enumerate(text.split(b"\n"), first_line):
                try:
                    lines.append(line.decode())
                except UnicodeDecodeError as error:
                    column = line[: error.start].count(self._delimiter.encode())
                    name = self.names[min(column, len(self.names) - 1)]
                    self._fault(i, name, "found bytes that are not UTF-8; the line is read as Latin-1")
                    lines.append(line.decode("latin-1"))
            return "\n".join(lines)

    def _split(self, text: str, first_line: int) -> tuple[_Texts, NDArray[np.int64]]:
        """Split text into rows of as many cells as the header has; return them with their lines."""
        if '"' in text:
            found = list(csv.reader(text.split("\n"), delimiter=self._delimiter))
            rows = pa.array(found, pa.list_(pa.string()))
        else:
            rows = pc.split_pattern(pc.split_pattern(pa.array([text]), "\n").flatten(), self._delimiter)
        line = np.arange(first_line, first_line + len(rows), dtype=np.int64)
        n_cells = rows.value_lengths().to_numpy(zero_copy_only=False)
        fits = n_cells == self._n_cells
        if fits.all():
            return rows, line
        for i in np.flatnonzero(~fits):
            if any(cell.strip() for cell in rows[int(i)].as_py()):
                place = self._name_at(min(int(n_cells[i]), self._n_cells) - 1)
                what = "ends here" if n_cells[i] < self._n_cells else "goes on after this"
                found_cells = f"found {n_cells[i]} cells; expected {self._n_cells}"
                self._fault(int(line[i]), place, f"the row {what}: {found_cells}; it is left out")
        return rows.filter(pa.array(fits)), line[fits]

    def _cast(
        self, cells: _Texts, lines: NDArray[np.int64], text_columns: list[int]
    ) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return (n_row, n_cell) numbers and which rows are rows of numbers."""
        shape = (len(lines), self._n_cells)
        is_number = np.ones(self._n_cells, dtype=bool)
        is_number[text_columns] = False
        mask = pa.array(np.tile(is_number, shape[0]))
        cells = pc.if_else(pc.and_(mask, pc.not_equal(cells, "")), cells, pa.scalar(None, pa.string()))
        keep = np.ones(shape[0], dtype=bool)
        for tidy in (_as_they_are, _trimmed, self._with_points):
            cells = tidy(cells)
            try:
                return _to_float(cells).reshape(shape), keep
            except pa.ArrowInvalid:
                continue
        good = pc.fill_null(pc.match_substring_regex(cells, _NUMBER), True)
        bad = ~good.to_numpy(zero_copy_only=False).reshape(shape)
        given = pc.is_valid(cells).to_numpy(zero_copy_only=False).reshape(shape)
        keep = ~((bad | ~given).all(axis=1) & (bad.sum(axis=1) > 1))
        for i in np.flatnonzero(~keep):
            first = int(np.argmax(bad[i]))
            self._fault(
                int(lines[i]),
                self._name_at(first),
                f"found a second header line ({cells[int(i) * shape[1] + first].as_py()!r}); it is left out",
            )
        self._name_bad_cells(cells, bad & keep[:, None], given & keep[:, None], lines)
        return _to_float(pc.if_else(good, cells, pa.scalar(None, pa.string()))).reshape(shape), keep

    def _name_bad_cells(
        self, cells: _Texts, bad: NDArray[np.bool_], given: NDArray[np.bool_], lines: NDArray[np.int64]
    ) -> None:
        for j in np.flatnonzero(bad.any(axis=0)):
            rows = np.flatnonzero(bad[:, j])
            first = int(rows[0])
            cell = cells[first * bad.shape[1] + int(j)].as_py()
            if bad[:, j].sum() == given[:, j].sum() > 1:
                what = f"found text ({_short(cell)}); the column is set aside"
            else:
                more = f" (and in {len(rows) - 1} more lines)" if len(rows) > 1 else ""
                what = f"found {_short(cell)}{more}; expected a number; it is missing"
            self._fault(int(lines[first]), self._name_at(int(j)), what)

    def _with_points(self, cells: _Texts) -> _Texts:
        replaced = pc.replace_substring_regex(cells, _DECIMAL_COMMA, r"\1.\2")
        if pc.any(pc.not_equal(replaced, cells)).as_py():
            self.notes.add("Decimal commas are read as points.")
        return replaced

    def _name_at(self, cell: int) -> str:
        return self.names[int(np.clip(np.searchsorted(self._kept, cell, side="right") - 1, 0, len(self.names) - 1))]

    def _fault(self, line: int, column: str, what: str) -> None:
        self._n_problems += 1
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(f"{self.path.name}: line {line}, column {column!r}: {what}")


def head_lines(head: bytes) -> list[str]:
    """Return the lines that a file starts with, the last one perhaps cut."""
    return list(_lines(_to_utf8(head)))


def head_names(head: bytes, is_header: IsHeader | None = None) -> list[str]:
    r"""Return the names of the columns of a file, given what it starts with; empty if no line is a header.

    Examples
    --------
    >>> head_names(b"frame, success\n1, 1\n")
    ['frame', 'success']
    """
    return list(_find_header(_lines(_to_utf8(head)), is_header).cells)


class _Header(NamedTuple):
    before: list[str]
    delimiter: str
    cells: tuple[str, ...]


def _find_header(lines: Iterable[str], is_header: IsHeader | None) -> _Header:
    before: list[str] = []
    for line in lines:
        delimiter, cells = _split_line(line)
        if is_header(cells) if is_header else any(cells):
            return _Header(before, delimiter, cells)
        before.append(line)
    return _Header(before, ",", ())


# The files of a study have the same header; to take it apart costs as much as some rows.
@lru_cache(maxsize=64)
def _split_line(line: str) -> tuple[str, tuple[str, ...]]:
    """Return the delimiter of a line, and its cells without spaces around them."""
    delimiter = max(_DELIMITERS, key=line.count)
    return delimiter, tuple(cell.strip() for cell in next(csv.reader([line], delimiter=delimiter), []))


@lru_cache(maxsize=64)
def _columns(cells: tuple[str, ...]) -> tuple[tuple[str, ...], list[int], list[str]]:
    """Return names and positions of the columns that are read, and names of those that are not."""
    first: dict[str, int] = {}
    repeated = []
    for i, name in enumerate(cells):
        if name in first or name in _ROW_NUMBERS:
            repeated.append(name)
        else:
            first[name] = i
    return tuple(first), list(first.values()), repeated


@lru_cache(maxsize=64)
def _positions(names: tuple[str, ...]) -> Mapping[str, int]:
    return {name: i for i, name in enumerate(names)}


def _no_header(lines: Sequence[str], is_header: IsHeader | None) -> str:
    if not any(line.strip() for line in lines):
        return "found an empty file; expected a header and rows"
    return f"found {_short(lines[0])}" + ("" if is_header is None else " and no header below it")


def _read(path: Path, n_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return _to_utf8(file.read(n_bytes))
    except OSError as error:
        raise ReadError(f"{path.name}: {error.strerror or error}") from error


def _to_utf8(head: bytes) -> bytes:
    encoding = _encoding(head)
    return head.removeprefix(codecs.BOM_UTF8) if encoding is None else head.decode(encoding, "replace").encode()


def _encoding(head: bytes) -> str | None:
    """Return the name of an encoding that is not a superset of ASCII."""
    if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    if head[1:2] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if head[:1] == b"\0" else None


def _utf8(path: Path) -> Iterator[bytes]:
    """Yield a file as UTF-8, or what is taken for it, with line feeds at the ends of lines; some MB at a time."""
    try:
        with path.open("rb") as file:
            encoding = _encoding(file.read(2))
            file.seek(0)
            decoder = None if encoding is None else codecs.getincrementaldecoder(encoding)("replace")
            held = b""
            first = True
            while part := file.read(BLOCK_BYTES):
                text = part if decoder is None else decoder.decode(part).encode()
                text = held + (text.removeprefix(codecs.BOM_UTF8) if first else text)
                first = False
                # a carriage return at the end may be half of an end of line
                held = b"\r" if text.endswith(b"\r") else b""
                yield _unix(text.removesuffix(held))
            yield _unix(held)
    except OSError as error:
        raise ReadError(f"{path.name}: {error.strerror or error}") from error


def _unix(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n") if b"\r" in text else text


def _lines(text: bytes) -> Iterator[str]:
    text, start = _unix(text), 0
    while start <= len(text):
        end = text.find(b"\n", start)
        end = len(text) if end < 0 else end
        try:
            yield text[start:end].decode()
        except UnicodeDecodeError:
            yield text[start:end].decode("latin-1")
        start = end + 1


def _last_change(block: Block, keys: Sequence[str]) -> int:
    """Return the row from which on all rows agree in some columns; the end, if none are named."""
    if not keys:
        return len(block)
    differs = np.zeros(len(block) - 1, dtype=bool)
    for name in keys:
        column = block.texts[name] if name in block.texts else block.column(name)
        differs |= np.asarray(column[1:] != column[:-1], dtype=bool)
    changes = np.flatnonzero(differs)
    return int(changes[-1]) + 1 if len(changes) else 0


def _as_they_are(cells: _Texts) -> _Texts:
    return cells


def _trimmed(cells: _Texts) -> _Texts:
    cells = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.is_in(cells, _MISSING), pa.scalar(None, pa.string()), cells)


def _to_float(cells: _Texts) -> NDArray[np.float64]:
    numbers: NDArray[np.float64] = cells.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def _short(text: str | None) -> str:
    text = text or ""
    return repr(text if len(text) <= 40 else text[:40] + "…")
