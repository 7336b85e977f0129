from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from natsort import natsorted

from facearray.detection.sources import (
    MISSING,
    PICTURE_SUFFIXES,
    VIDEO_SUFFIXES,
    Source,
    find_videos,
    fingerprint,
    none_exists,
)
from facearray.errors import InputError


def touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(str(path).encode())


def labels(videos) -> list[str]:
    return [source.label for source in find_videos(videos)]


@pytest.mark.parametrize("as_given", [str, Path, Path.as_uri])
def test_find_videos__one_file(tmp_path, as_given):
    path = tmp_path / "a b%20é.mp4"
    touch(path)
    (source,) = find_videos(as_given(path))
    assert (source.label, source.path) == ("a b%20é.mp4", str(path))
    assert source.exists
    assert source.fingerprint == fingerprint(path)


def test_find_videos__folder_takes_known_suffixes_only(tmp_path):
    kept = ["1.mp4", "2.MOV", "3.JPG", "10.webm"]
    touch(*(tmp_path / name for name in [*kept, "notes.txt", ".hidden.mp4", "._1.mp4", "mp4", "sub/4.mp4"]))
    (tmp_path / "folder.mp4").mkdir()
    assert labels(tmp_path) == kept


@pytest.mark.parametrize("suffix", [*VIDEO_SUFFIXES, *PICTURE_SUFFIXES])
def test_find_videos__every_suffix(tmp_path, suffix):
    touch(tmp_path / f"a{suffix}")
    assert labels(tmp_path) == [f"a{suffix}"]


def test_find_videos__glob(tmp_path):
    touch(*(tmp_path / name for name in ["a/1.mp4", "a/2.mp4", "a/1.csv", "b/c/3.mp4", "b/odd.bin"]))
    assert labels(str(tmp_path / "a" / "*")) == ["1.mp4", "2.mp4"]
    assert labels(str(tmp_path / "**" / "*.mp4")) == ["1.mp4", "2.mp4", "3.mp4"]
    assert labels(str(tmp_path / "**")) == ["1.mp4", "2.mp4", "3.mp4"]
    assert labels(tmp_path / "b" / "*.bin") == ["odd.bin"]


def test_find_videos__path_that_reads_like_a_glob(tmp_path):
    touch(tmp_path / "take [1].mp4", tmp_path / "take 1.mp4")
    assert labels(tmp_path / "take [1].mp4") == ["take [1].mp4"]


def test_find_videos__sorted_naturally(tmp_path):
    names = ["10.mp4", "9.mp4", "a2.mp4", "a10.mp4", "a1.mp4"]
    touch(*(tmp_path / name for name in names))
    expected = ["9.mp4", "10.mp4", "a1.mp4", "a2.mp4", "a10.mp4"]
    assert expected == natsorted(names)
    assert labels([tmp_path / name for name in names]) == expected
    assert labels(tmp_path) == expected
    assert labels(tmp_path / name for name in names) == expected


def test_find_videos__shared_names_take_the_shortest_end(tmp_path):
    files = ["x/a/1.mp4", "y/a/1.mp4", "y/b/1.mp4", "y/b/2.mp4"]
    touch(*(tmp_path / name for name in files))
    found = {source.label: source.path for source in find_videos([tmp_path / name for name in files])}
    assert found == {
        "x/a/1.mp4": str(tmp_path / "x/a/1.mp4"),
        "y/a/1.mp4": str(tmp_path / "y/a/1.mp4"),
        "b/1.mp4": str(tmp_path / "y/b/1.mp4"),
        "2.mp4": str(tmp_path / "y/b/2.mp4"),
    }


def test_find_videos__path_that_ends_another(tmp_path):
    # "/1.mp4" has no longer end that could tell it from "/…/1.mp4".
    found = find_videos(["/1.mp4", tmp_path / "1.mp4"])
    assert {source.path for source in found} == {"/1.mp4", str(tmp_path / "1.mp4")}
    assert len({source.label for source in found}) == 2


def test_find_videos__same_file_counts_once(tmp_path, monkeypatch):
    touch(tmp_path / "a" / "1.mp4")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to("a")
    given = ["a/1.mp4", tmp_path / "a" / "1.mp4", "a", "a/*.mp4", "a/../a/1.mp4", "link/1.mp4"]
    (source,) = find_videos(given)
    assert source.path == str(tmp_path / "a" / "1.mp4")


def test_find_videos__two_links_to_one_file_are_two(tmp_path):
    touch(tmp_path / "pool" / "stimulus.mp4")
    for name in ("1.mp4", "2.mp4"):
        (tmp_path / name).symlink_to("pool/stimulus.mp4")
    assert labels(tmp_path) == ["1.mp4", "2.mp4"]


def test_find_videos__relative_and_home(tmp_path, monkeypatch):
    touch(tmp_path / "1.mp4")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_videos("1.mp4")[0].path == find_videos("~/1.mp4")[0].path == str(tmp_path / "1.mp4")


@pytest.mark.parametrize(
    "name",
    ["a b.mp4", "顔 лицо.mp4", "two\nlines.mp4", "-y.mp4", "100%d%03d.mp4", 'it\'s "q".mp4', "a:b.mp4", "#?.mp4"],
)
def test_find_videos__odd_names(tmp_path, name):
    touch(tmp_path / name)
    for given in (tmp_path, tmp_path / name, [str(tmp_path / name)], (tmp_path / name).as_uri()):
        (source,) = find_videos(given)
        assert (source.label, source.path) == (name, str(tmp_path / name))


def test_find_videos__names_that_are_not_text(tmp_path):
    names = [b"caf\xe9.mp4", b"caf\xe8.mp4"]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_bytes(b"x")
    sources = find_videos(tmp_path)
    assert [source.label for source in sources] == ["caf\\xe8.mp4", "caf\\xe9.mp4"]
    assert all(Path(source.path).exists() for source in sources)
    assert sources[0].location == f"{tmp_path}/caf\\xe8.mp4"
    sources[0].location.encode("utf-8")


def test_find_videos__mapping_keeps_order_and_labels(tmp_path):
    touch(tmp_path / "1.mp4")
    sources = find_videos({"second": tmp_path / "1.mp4", "first": str(tmp_path / "1.mp4"), "gone": "/no/where.mp4"})
    assert [source.label for source in sources] == ["second", "first", "gone"]
    assert [source.exists for source in sources] == [True, True, False]


def test_find_videos__bad_among_good_are_listed(tmp_path):
    touch(tmp_path / "good.mp4")
    (tmp_path / "empty folder").mkdir()
    bad = [tmp_path / "missing.mp4", tmp_path / "empty folder", tmp_path / "*.mkv"]
    sources = {source.label: source for source in find_videos([tmp_path / "good.mp4", *bad])}
    assert sorted(sources) == ["*.mkv", "empty folder", "good.mp4", "missing.mp4"]
    assert [label for label, source in sources.items() if source.exists] == ["good.mp4"]
    assert {sources[path.name].path for path in bad} == {str(path) for path in bad}


def test_find_videos__missing_file_alone_is_listed(tmp_path):
    (source,) = find_videos(tmp_path / "missing.mp4")
    assert (source.label, source.fingerprint) == ("missing.mp4", MISSING)


def test_none_exists__names_all_and_what_is_near(tmp_path):
    touch(tmp_path / "talk 1.mp4", tmp_path / "talk 2.mov", tmp_path / "talk.csv", tmp_path / "dinner.mp4")
    asked = ["tlak 1.mp4", "talk 2.mp4", "lunch.mp4", "sub/a.mp4"]
    sources = find_videos([*(tmp_path / name for name in asked), "memory://nothing/a.mp4?token=geheim"])
    lines = str(none_exists(sources)).splitlines()
    assert sorted(line.replace(str(tmp_path), "") for line in lines[1:-1]) == [
        "  - found no /lunch.mp4",
        "  - found no /sub/a.mp4; there is no folder /sub",
        "  - found no /talk 2.mp4; did you mean 'talk 2.mov' or 'talk 1.mp4'?",
        "  - found no /tlak 1.mp4; did you mean 'talk 1.mp4' or 'talk 2.mov'?",
        "  - found no memory://nothing/a.mp4?token=***, or it cannot be reached",
    ]
    locked = Source("dinner.mp4", str(tmp_path / "dinner.mp4"), MISSING)
    assert "that can be read; check its permissions" in str(none_exists([locked]))
    assert "and 990 more" in str(none_exists([locked] * 1000))


def test_find_videos__nothing_at_all(tmp_path):
    touch(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"has no videos or pictures directly in it; looked for .*\.mp4"):
        find_videos(tmp_path)
    with pytest.raises(InputError, match="nothing matches"):
        find_videos(str(tmp_path / "*.mp4"))
    with pytest.raises(InputError, match=re.compile(r"has no videos.*nothing matches", re.DOTALL)):
        find_videos([tmp_path, tmp_path / "*.mp4"])
    for empty in ([], (), {}):
        with pytest.raises(InputError, match="videos is empty"):
            find_videos(empty)


def test_find_videos__all_problems_at_once(tmp_path):
    touch(tmp_path / "good.mp4")
    with pytest.raises(InputError) as caught:
        find_videos(
            [tmp_path / "good.mp4", "unheard://user:secret@host/a.mp4?key=secret", 3, "", None, b"a.mp4", "a\0"]
        )
    text = str(caught.value)
    assert "found unheard://***@host/a.mp4?key=***, which cannot be reached: Protocol not known: unheard" in text
    assert "secret" not in text
    for found in ("found 3 (int)", "found the path ''", "NoneType", "bytes", r"'a\x00'"):
        assert found in text


@pytest.mark.parametrize(
    "videos", [3, None, {"": "a.mp4"}, {" ": "a.mp4"}, {1: "a.mp4"}, {"a": ""}, {"a": "unheard://b/c"}]
)
def test_find_videos__refused(videos):
    with pytest.raises(InputError, match="expected"):
        find_videos(videos)


def test_fingerprint__is_that_of_the_content(tmp_path):
    content = bytes(range(256)) * 12_000
    path, copy = tmp_path / "a.mp4", tmp_path / "b.mov"
    path.write_bytes(content)
    shutil.copy(path, copy)
    assert fingerprint(path) == fingerprint(copy) == fingerprint(str(path))
    assert fingerprint(path).startswith(f"{len(content)}-")
    for changed in (b"x" + content[1:], content[:-1] + b"x", content + b"x"):
        copy.write_bytes(changed)
        assert fingerprint(copy) != fingerprint(path)


@pytest.mark.parametrize("size", [0, 1, 2**20 - 1, 2**20, 2**20 + 1, 2**21, 2**21 + 1])
def test_fingerprint__sees_every_byte_of_short_files(tmp_path, size):
    path = tmp_path / "a"
    seen = set()
    for position in {0, size // 4, size // 2, size - 1} if 0 < size <= 2**21 else {0}:
        content = bytearray(size)
        if size:
            content[position] = 1
        path.write_bytes(content)
        seen.add(fingerprint(path))
    assert len(seen) == (len({0, size // 4, size // 2, size - 1}) if 0 < size <= 2**21 else 1)


def test_fingerprint__missing(tmp_path):
    assert fingerprint(tmp_path / "no") == fingerprint(tmp_path) == MISSING
