"""Delimited text: what it becomes, and what is said about its faults."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from facearray.errors import ReadError
from facearray.io.readers import columns
from facearray.io.readers.columns import Table, head_names

Write = Callable[[str | bytes], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(content: str | bytes) -> Path:
        path = tmp_path / "t.csv"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path: Path, texts: tuple[str, ...] = ()) -> tuple[Table, list[list[float]], list[int]]:
    table = Table(path)
    blocks = list(table.blocks(texts=texts))
    return table, np.concatenate([b.values for b in blocks]).tolist(), np.concatenate([b.line for b in blocks]).tolist()


@pytest.mark.parametrize(
    "content",
    [
        "a,b\n1,2.5\n3,4\n",
        "a,b\n1,2.5\n3,4",
        "a, b\n1, 2.5\n3,  4\n",
        "a,b\r\n1,2.5\r\n3,4\r\n",
        "a,b\r1,2.5\r3,4\r",
        "a;b\n1;2.5\n3;4\n",
        "a\tb\n1\t2.5\n3\t4\n",
        "a;b\n1;2,5\n3;4\n",
        'a,b\n"1","2,5"\n3,4\n',
        '"a","b"\n1,2.5e0\n3,+4\n',
        ",a,b\n0,1,2.5\n1,3,4\n",
        "\ufeffa,b\n1,2.5\n3,4\n",
        "a,b\n1,2.5\n3,4\n".encode("utf-16"),
        "a,b\n1,2.5\n3,4\n".encode("utf-16-le"),
        "a,b\n1,2.5\n3,4\n".encode("utf-16-be"),
    ],
)
def test_table__reads_every_common_form(write: Write, content: str | bytes):
    table, values, _ = read(write(content))
    assert table.names == ("a", "b")
    assert values == [[1.0, 2.5], [3.0, 4.0]]
    assert table.problems == ()


@pytest.mark.parametrize("missing", ["", "nan", "NaN", "NA", " ", "None", "-nan(ind)"])
def test_table__missing_values_are_nan(write: Write, missing: str):
    table, values, _ = read(write(f"a,b\n{missing},1\n"))
    np.testing.assert_array_equal(values, [[np.nan, 1]])
    assert table.problems == ()


@pytest.mark.parametrize(
    ("content", "values", "lines", "problem"),
    [
        ("a,b\n1,2\n3", [[1, 2]], [2], "line 3, column 'a': the row ends here: found 1 cells; expected 2"),
        ("a,b\n1,2,3\n4,5\n", [[4, 5]], [3], "line 2, column 'b': the row goes on after this: found 3 cells"),
        ("a,b\n1,2\na,b\n3,4\n", [[1, 2], [3, 4]], [2, 4], "line 3, column 'a': found a second header line ('a')"),
        ("a,b\npx,deg\n3,4\n", [[3, 4]], [3], "line 2, column 'a': found a second header line ('px')"),
        ("a,b\n1,2\n\n3,x\n", [[1, 2], [3, np.nan]], [2, 4], "line 4, column 'b': found 'x'; expected a number"),
        ("a,b\n1,x\n2,y\n", [[1, np.nan], [2, np.nan]], [2, 3], "line 2, column 'b': found text ('x')"),
        ("a,a\n1,2\n", [[1]], [2], "line 1, column 'a': found the column again"),
        (
            b"a,n\n1,x\n2,\xe9\n",
            [[1, np.nan], [2, np.nan]],
            [2, 3],
            "line 3, column 'n': found bytes that are not UTF-8",
        ),
    ],
)
def test_table__names_line_and_column_of_a_fault(
    write: Write, content: str | bytes, values: list[list[float]], lines: list[int], problem: str
):
    table, found, found_lines = read(write(content), texts=("n",))
    np.testing.assert_array_equal(found, values)
    assert found_lines == lines
    assert len(table.problems) == 1
    assert table.problems[0].startswith(f"t.csv: {problem}")


def test_table__mixed_encodings_keep_their_texts(write: Write):
    table = Table(write("n,a\ncafé,1\n".encode() + "café,2\n".encode("latin-1")))
    (block,) = table.blocks(texts=["n"])
    assert block.texts["n"].tolist() == ["café", "café"]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "line 1: found an empty file"),
        ("\n \n", "line 1: found an empty file"),
        ("a,b\n", "line 2: found the end of the file; expected rows of 2 cells"),
        ("a,b\n1\n", "line 2, column 'a': the row ends here"),
    ],
)
def test_table__without_rows_is_an_error(write: Write, content: str, problem: str):
    with pytest.raises(ReadError, match=r"t\.csv: ") as caught:
        list(Table(write(content)).blocks())
    assert problem in str(caught.value)


def test_table__missing_file_is_an_error(tmp_path: Path):
    with pytest.raises(ReadError, match=r"nowhere\.csv: No such file"):
        Table(tmp_path / "nowhere.csv")


def test_table__without_the_header_that_is_looked_for_is_an_error(write: Write):
    with pytest.raises(ReadError, match="line 1: found 'a,b' and no header below it"):
        Table(write("a,b\n1,2\n"), lambda cells: "frame" in cells)


def test_table__keeps_the_lines_before_the_header(write: Write):
    table = Table(write("#Version : 5\n#x\na,b\n1,2\n"), lambda cells: "a" in cells)
    (block,) = table.blocks()
    assert (table.preamble, table.header_line, block.line.tolist()) == (["#Version : 5", "#x"], 3, [4])


def test_require__names_what_is_missing_and_what_is_near(write: Write):
    table = Table(write("Frame,b\n1,2\n"))
    table.require(["b"])
    with pytest.raises(ReadError, match=r"t\.csv: line 1: found no column 'c', 'frame' \(there is 'Frame'\)"):
        table.require(["c", "frame"])


def test_problems__are_counted_beyond_the_first(write: Write):
    table, *_ = read(write("a,b\n" + "1\n" * 50 + "1,2\n"))
    assert len(table.problems) == columns.MAX_PROBLEMS + 1
    assert table.problems[-1] == f"t.csv: {50 - columns.MAX_PROBLEMS} more faults of this kind"


@pytest.mark.parametrize("size", [1, 2, 3, 7, 64])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_blocks__cut_anywhere_make_the_same_rows(write: Write, monkeypatch, size: int, encoding: str):
    path = write("frame,n,é\r\n1,x,1\r\n1,y,2\r\n\r\n2,z,3\r\n2,ü,4\r\n3,v,5".encode(encoding))
    monkeypatch.setattr(columns, "BLOCK_BYTES", size)
    blocks = list(Table(path).blocks(texts=["n"], together=["frame"]))
    assert np.concatenate([b.column("é") for b in blocks]).tolist() == [1, 2, 3, 4, 5]
    assert np.concatenate([b.texts["n"] for b in blocks]).tolist() == ["x", "y", "z", "ü", "v"]
    assert np.concatenate([b.line for b in blocks]).tolist() == [2, 3, 5, 6, 7]
    frames = [frame for b in blocks for frame in set(b.column("frame"))]
    assert frames == [1, 2, 3]
    assert len(blocks) > 1 or size == 64


cells = st.one_of(st.just(""), st.floats(width=32, allow_infinity=False).map(repr), st.integers(-9, 9).map(str))


@settings(deadline=None)
@given(
    st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=8), st.sampled_from(",;\t"), st.booleans()
)
def test_table__numbers_equal_those_of_pandas(tmp_path_factory, rows: list[list[str]], delimiter: str, quote: bool):
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if quote else csv.QUOTE_MINIMAL
    csv.writer(text, delimiter=delimiter, quoting=quoting).writerows(
        [["a", "b", "c"], *[[*r[:2], r[2] or "0"] for r in rows]]
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_text(text.getvalue(), encoding="utf-8", newline="")
    table, values, _ = read(path)
    expected = pd.read_csv(path, sep=delimiter, dtype=float).to_numpy()
    np.testing.assert_allclose(values, expected, rtol=1e-15, atol=0)
    assert table.problems == ()


def test_numbers__come_in_the_order_asked_for(write: Write):
    (block,) = Table(write("a,b,c\n1,2,3\n")).blocks()
    assert block.numbers(["c", "a"]).tolist() == [[3, 1]]
    assert block.numbers(["b", "c"]).tolist() == [[2, 3]]
    assert block.numbers([]).shape == (1, 0)


@pytest.mark.parametrize("head", [b"a; b\n1;2", "a;b\n1".encode("utf-16"), b"\xef\xbb\xbfa;b"])
def test_head_names__of_any_encoding(head: bytes):
    assert head_names(head) == ["a", "b"]


def test_head_names__without_a_header():
    assert head_names(b"{}", lambda cells: "frame" in cells) == []
