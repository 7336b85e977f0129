from __future__ import annotations

from functools import partial

import pytest
from fsspec.registry import known_implementations
from zarr.storage import LocalStore

from facearray.detection.detect import detect
from facearray.detection.sources import find_videos
from facearray.errors import InputError
from facearray.io.exporting import export
from facearray.io.journal import Journal
from facearray.io.location import address, open_zarr_store, resolve
from facearray.io.read import read
from facearray.io.remote_store import unknown_option
from facearray.io.saving import save
from facearray.io.status import finalize_store, store_status
from facearray.io.store import Store, open_store
from facearray.plot.render import render


@pytest.fixture
def spellings(tmp_path, monkeypatch):
    """Return every way to write down the path of one store, whose parent has two names."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real" / "alias.zarr").symlink_to(tmp_path / "real" / "s.zarr")
    monkeypatch.chdir(tmp_path)
    whole = str(tmp_path / "real" / "s.zarr")
    return [
        whole,
        tmp_path / "real" / "s.zarr",
        *(f"{whole}/", f"{tmp_path}/real/./s.zarr", f"{tmp_path}/real/../real/s.zarr"),
        *(f"file://{whole}", f"file://{whole}/", f"local://{whole}"),
        *("real/s.zarr", "./real/s.zarr", "link/s.zarr", f"{tmp_path}/link/s.zarr", f"file://{tmp_path}/link/s.zarr"),
        *("real/alias.zarr", "link/alias.zarr"),
    ]


def test_resolve__every_spelling_is_one_store_and_one_journal(spellings, tmp_path, layout):
    expected = str((tmp_path / "real" / "s.zarr").resolve())
    for exists in (False, True):
        for spelling in spellings:
            assert resolve(spelling) == expected
            assert address(spelling) == expected
            assert address(open_zarr_store(spelling)) == expected
            assert Journal.beside(spelling).folder.address == expected + ".run"
        if not exists:
            Store.create(spellings[-1], layout, [("a", "")], 1024)
    Journal.beside(spellings[0]).mark_failed(0, "no video stream")
    assert {open_store(spelling)["status"].item() for spelling in spellings} == {"failed"}
    assert sorted(p.name for p in (tmp_path / "real").iterdir()) == ["alias.zarr", "s.zarr", "s.zarr.run"]


def test_resolve__home_is_a_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert resolve("~/s.zarr") == str(tmp_path.resolve() / "s.zarr")


def test_resolve__other_urls_are_left_as_they_are():
    assert resolve("memory://bucket/a/s.zarr/") == "memory://bucket/a/s.zarr"
    assert Journal.beside("memory://bucket/a/s.zarr/").url == "memory://bucket/a/s.zarr.run"


@pytest.mark.parametrize("store", ["", "  ", "file", "file/s.zarr", "folder/../file", "a\0b"])
def test_resolve__refuses_what_can_be_no_folder(tmp_path, monkeypatch, store):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_text("mine")
    for use in (resolve, open_store, Store.open, Store.exists, Journal.beside):
        with pytest.raises(InputError, match=r"found .*; expected"):
            use(store)
    assert (tmp_path / "file").read_text() == "mine"


def test_resolve__refuses_a_link_to_itself(tmp_path):
    (tmp_path / "s.zarr").symlink_to(tmp_path / "s.zarr")
    with pytest.raises(InputError, match=r"s\.zarr: found a path that cannot be followed"):
        resolve(tmp_path / "s.zarr")


def test_resolve__names_the_package_that_a_url_needs(monkeypatch):
    monkeypatch.setitem(
        known_implementations,
        "nosuch",
        {"class": "no_such_package.FileSystem", "err": "Install nosuchfs to access it"},
    )
    with pytest.raises(InputError, match=r"nosuch://.*Install nosuchfs"):
        open_store("nosuch://user:secret@host/s.zarr")
    with pytest.raises(InputError, match="Protocol not known: unheard"):
        open_store("unheard://host/s.zarr")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"endpont_url": "geheim", "key": "geheim"},
            "option of its file system 'endpont_url' (did you mean 'endpoint_url'",
        ),
        ({"client_kwargs": {"regoin_name": "geheim"}}, "unknown option 'regoin_name' in 'client_kwargs'"),
        ({"config_kwargs": {"retris": "geheim"}}, "unknown option 'retris' in 'config_kwargs'"),
    ],
)
def test_unknown_option__is_named_and_no_value_shown(options, message):
    pytest.importorskip("s3fs", reason="needs the extra s3")
    for use in (open_store, Store.open, Store.exists, store_status, partial(find_videos_with, options)):
        with pytest.raises(InputError) as caught:
            use("s3://bucket/s.zarr", storage_options=options)
        assert message in str(caught.value)
        assert "geheim" not in f"{caught.value} {caught.value.__cause__!r}"


@pytest.mark.parametrize("kind", ["path", "file URL", "store object"])
def test_storage_options__without_a_url_are_refused(kind, tmp_path, layout):
    path = tmp_path / "s.zarr"
    Store.create(path, layout, [("a", "")], 1024)
    ds, options = open_store(path), {"anon": True, "secret": "geheim"}
    store = {"path": path, "file URL": f"file://{path}", "store object": LocalStore(path)}[kind]
    uses = [open_store, partial(save, ds, overwrite=True), partial(read, "*.csv"), partial(render, source="a", out="b")]
    uses += [partial(export, path=tmp_path / "a.csv")]
    if kind != "store object":
        uses += [store_status, finalize_store, partial(detect, [tmp_path / "a.mp4"])]
    for use in uses:
        given = {"store": store} if getattr(use, "func", None) in (read, save, detect) else {"ds": store}
        with pytest.raises(
            InputError, match=r"found storage_options .anon, secret. for .*s.zarr.*; expected"
        ) as caught:
            use(**given, storage_options=options) if isinstance(use, partial) else use(store, storage_options=options)
        assert "geheim" not in str(caught.value)
    with pytest.raises(InputError, match=r"for what is in memory; expected"):
        export(ds, tmp_path / "a.csv", storage_options=options)


def test_storage_options__of_a_journal_behind_a_url_are_taken(tmp_path, layout):
    Store.create(tmp_path / "s.zarr", layout, [("a", "")], 1024)
    ds = open_store(
        tmp_path / "s.zarr", journal="memory://options/s.run", storage_options={"skip_instance_cache": True}
    )
    assert ds["status"].values.tolist() == ["pending"]
    open_store(tmp_path / "s.zarr", storage_options={})


def find_videos_with(options, url, **_):
    find_videos(url, lambda _: options)


def test_unknown_option__other_errors_are_left_alone():
    for error in (TypeError("unexpected keyword argument 'b'"), TypeError("no"), ValueError("argument 'a'")):
        assert unknown_option("s3://bucket/a", error, {"a": 1, "c": {"d": 2}}) is None
