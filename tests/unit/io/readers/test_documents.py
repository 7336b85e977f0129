from __future__ import annotations

import pytest

from facearray.errors import ReadError
from facearray.io.readers.documents import read_documents


@pytest.mark.parametrize("text", ['{"a": 1} {"a": 2}', '{"a": 1},{"a": 2}', '\ufeff{"a": 1}\n\n{"a": 2},\n'])
def test_read_documents__several(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    assert read_documents(path) == [{"a": 1}, {"a": 2}]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty file"),
        (b'[1,\n2, "a', "line 2, column 4: found no complete JSON"),
        (b'["\xff"]', "position 2"),
        (b"[" * 100_000, "nested too deeply|no complete JSON"),
    ],
)
def test_read_documents__malformed(tmp_path, content, message):
    path = tmp_path / "a.json"
    path.write_bytes(content)
    with pytest.raises(ReadError, match=message):
        read_documents(path)
