"""Who gets what from the server of a viewer."""

from __future__ import annotations

import asyncio
import io
import socket
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from PIL import Image
from tornado.httpclient import HTTPClientError, HTTPRequest
from tornado.websocket import websocket_connect
from viewer_study import HEIGHT, N_FRAMES, WIDTH, level

import facearray as fa
from facearray.errors import InputError, SchemaError
from facearray.plot.viewer import view
from facearray.plot.viewer.hosts import allowed_hosts, is_loopback
from facearray.plot.viewer.recording import BLOCK


@pytest.fixture(scope="module")
def viewer(study):
    with view(study, browser=False) as running:
        yield running


@pytest.fixture(scope="module")
def browser(viewer) -> requests.Session:
    """Somebody who has opened the address that was printed."""
    session = requests.Session()
    session.trust_env = False
    assert session.get(viewer.url).status_code == 200
    return session


def root(viewer) -> str:
    return viewer.url.partition("/?")[0]


def get(viewer, path: str, **headers: str) -> requests.Response:
    """Ask without a cookie, and without tidying up the path."""
    with requests.Session() as session:
        session.trust_env = False
        request = session.prepare_request(requests.Request("GET", root(viewer), headers=headers))
        request.url = root(viewer) + path
        return session.send(request)


# What is shown


def test_frame__is_that_of_the_video(viewer, browser):
    for position in (0, 31, 30):
        answer = browser.get(f"{root(viewer)}/frame/0/{position}")
        picture = np.asarray(Image.open(io.BytesIO(answer.content)))
        assert picture.shape == (HEIGHT, WIDTH, 3)
        assert picture.mean() == pytest.approx(level(position), abs=1)


def test_overlay__is_that_of_the_store(viewer, browser, study):
    found = np.frombuffer(browser.get(f"{root(viewer)}/overlay/1/0").content, "<f4")
    one = fa.open_store(study).isel(video=1, frame=slice(0, N_FRAMES)).load()
    assert found[:3].tolist() == [N_FRAMES, 1, 5]
    boxes, points = found[3 : 3 + 4 * N_FRAMES], found[3 + 4 * N_FRAMES :]
    np.testing.assert_array_equal(boxes.reshape(-1, 4), one.features.values[:, 0, :4])
    np.testing.assert_array_equal(points.reshape(-1, 5, 2), one.landmarks.values[:, 0, :, :2])


def test_face__is_drawn_from_the_numbers_of_the_frame(viewer, browser, asset):
    asset("face_landmarker.task")
    smile, rest = (browser.get(f"{root(viewer)}/face/0/{position}/0") for position in (5, 25))
    assert smile.headers["Content-Type"] == "image/png"
    pictures = [
        np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB")).astype(int) for answer in (smile, rest)
    ]
    # the stronger the action units, the less green is left in the muscles
    assert pictures[0].shape == pictures[1].shape
    assert pictures[0][..., 1].sum() < pictures[1][..., 1].sum()
    for path in ("/face/0/7/0", "/face/0/5/1", f"/face/0/{N_FRAMES}/0"):
        assert browser.get(root(viewer) + path).status_code == 404


def test_thumbnail__is_a_small_picture(viewer, browser):
    answer = browser.get(f"{root(viewer)}/thumbnail/2")
    assert answer.headers["Content-Type"] == "image/jpeg"
    assert Image.open(io.BytesIO(answer.content)).size == (WIDTH, HEIGHT)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/frame/4/0", "found no file"),
        ("/frame/5/0", "found no video that can be decoded"),
        ("/thumbnail/4", "found no file"),
        (f"/frame/0/{N_FRAMES}", "expected one of the 40"),
        ("/frame/7/0", "expected one of the 0"),
        (f"/overlay/0/{1 + N_FRAMES // BLOCK}", "found block 1"),
        ("/frame/99/0", "expected one of the 8 videos"),
        ("/thumbnail/99", "expected one of the 8 videos"),
    ],
)
def test_picture__is_not_there(viewer, browser, path, said):
    answer = browser.get(root(viewer) + path)
    assert (answer.status_code, answer.headers["Content-Type"]) == (404, "text/plain; charset=utf-8")
    assert said in answer.text
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


# Who is answered


@pytest.mark.parametrize("path", ["/", "/frame/0/0", "/overlay/0/0", "/thumbnail/0", "/static/js/bokeh.min.js", "/x"])
def test_server__nothing_without_the_token(viewer, path):
    for answer in (get(viewer, path), get(viewer, f"{path}?token=wrong")):
        assert answer.status_code == 403
        assert answer.text.startswith("Open the whole address")


def test_server__the_token_becomes_a_cookie_that_scripts_and_other_sites_do_not_see(viewer):
    answer = requests.get(viewer.url, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert viewer.url.partition("token=")[2] in cookie
    assert answer.headers["Referrer-Policy"] == "no-referrer"


def test_server__another_host_or_origin_gets_nothing(viewer, browser):
    cookie = "; ".join(f"{c.name}={c.value}" for c in browser.cookies)
    assert get(viewer, "/thumbnail/2", Cookie=cookie).status_code == 200
    own = urlsplit(root(viewer)).netloc
    assert get(viewer, "/thumbnail/2", Cookie=cookie, Origin=f"http://{own}").status_code == 200
    for headers in (
        {"Origin": "https://example.org"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
        {"Host": "example.org"},
        {"Host": f"example.org:{own.partition(':')[2]}"},
    ):
        assert get(viewer, "/thumbnail/2", Cookie=cookie, **headers).status_code == 403
    # nor is a page of another site let in by the token
    assert get(viewer, "/?" + viewer.url.partition("?")[2], Origin="https://example.org").status_code == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_server__other_methods_get_nothing(viewer, method):
    assert requests.request(method, viewer.url).status_code == 403


def connect(viewer, cookie: str, origin: str) -> int | str:
    """Open a websocket; its state, or the code of the refusal."""

    async def attempt():
        address = root(viewer).replace("http", "ws") + "/ws"
        request = HTTPRequest(address, headers={"Cookie": cookie, "Origin": origin})
        try:
            socket = await websocket_connect(request, subprotocols=["bokeh", "token"])
        except HTTPClientError as error:
            return error.code
        socket.close()
        return "open"

    return asyncio.run(attempt())


def test_websocket__only_from_the_page_itself(viewer, browser):
    cookie = "; ".join(f"{c.name}={c.value}" for c in browser.cookies)
    assert connect(viewer, cookie, root(viewer)) == "open"
    assert connect(viewer, "", root(viewer)) == 403
    assert connect(viewer, cookie, "https://example.org") == 403
    assert connect(viewer, cookie, "http://localhost:1") == 403


# No files


@pytest.mark.parametrize(
    "path",
    [
        "/../../../../etc/passwd",
        "/..%2f..%2f..%2fetc%2fpasswd",
        "/frame/../../etc/passwd",
        "/frame/0/..%2f..%2f..%2fetc%2fpasswd",
        "/thumbnail/%2fetc%2fpasswd",
        "/static/../../../../../../../etc/passwd",
        "/static/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/static/extensions/panel/..%2f..%2f..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/components/facearray.plot.viewer.window.components/Player/_esm/..%2f..%2f..%2f..%2fetc%2fpasswd",
        "/components/os/path/_esm/etc/passwd",
        "//etc/passwd",
        "/study.zarr/zarr.json",
        "/frame/-1/0",
        "/frame/0/99999999999999999999",
        "/frame/a/b",
    ],
)
def test_server__serves_no_file(viewer, browser, path):
    cookie = "; ".join(f"{c.name}={c.value}" for c in browser.cookies)
    answer = get(viewer, path, Cookie=cookie)
    assert answer.status_code in (400, 403, 404)
    assert "root:" not in answer.text
    assert "facearray_schema" not in answer.text


@pytest.mark.parametrize("source", ["/etc/passwd", "/etc", "/dev/zero", "file:///etc/passwd", "concat:/etc/passwd"])
def test_server__a_store_that_lists_other_files_gives_none_of_them(recordings, source):
    ds = recordings({"a": 3}).assign_coords(source=("video", np.array([source], dtype=np.dtypes.StringDType())))
    with view(ds, browser=False) as viewer, requests.Session() as session:
        session.get(viewer.url)
        for path in ("/frame/0/0", "/thumbnail/0"):
            answer = session.get(root(viewer) + path)
            assert answer.status_code == 404
            assert "root:" not in answer.text


def test_server__a_link_out_of_the_folder_of_videos(study, tmp_path):
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "a.mkv").symlink_to(study.parent / "videos" / "a.mkv")
    (folder / "b.mkv").write_bytes((study.parent / "videos" / "b.mkv").read_bytes())
    with view(study, videos=folder, browser=False) as viewer, requests.Session() as session:
        session.get(viewer.url)
        assert session.get(f"{root(viewer)}/thumbnail/1").status_code == 200
        answer = session.get(f"{root(viewer)}/frame/0/0")
        assert answer.status_code == 404
        assert "outside" in answer.text


def test_server__secrets_do_not_appear(recordings):
    source = "https://ann:geheim@example.org/a.mp4?sig=9f2c77"
    ds = recordings({"a": 3}).assign_coords(source=("video", np.array([source], dtype=np.dtypes.StringDType())))
    with view(ds, browser=False) as viewer, requests.Session() as session:
        session.get(viewer.url)
        answer = session.get(f"{root(viewer)}/frame/0/0").text
    assert "example.org/a.mp4" in answer
    assert "geheim" not in answer
    assert "9f2c77" not in answer


# Starting and ending


def test_view__of_what_is_not_there(tmp_path):
    with pytest.raises(InputError, match="no store at"):
        view(tmp_path / "none.zarr", browser=False)
    with pytest.raises(InputError, match="found no folder"):
        view(tmp_path, videos=tmp_path / "none", browser=False)


def test_view__of_what_is_no_store(tmp_path, recordings):
    (tmp_path / "file.txt").write_text("x")
    with pytest.raises(InputError):
        view(tmp_path, browser=False)
    with pytest.raises(SchemaError):
        view(recordings({"a": 3}).drop_vars("features"), browser=False)


def test_view__a_port_that_is_taken(recordings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"found 127.0.0.1:{port}, which cannot be listened on"):
            view(recordings({"a": 3}), port=port, browser=False)


def test_view__listens_on_this_machine_only(viewer):
    assert viewer.is_local
    port = urlsplit(viewer.url).port
    with socket.socket() as other:
        # any other address of loopback stands for one of the network
        assert other.connect_ex(("127.0.0.2", port)) != 0


def test_close__ends_everything(recordings):
    import threading

    before = {thread.name for thread in threading.enumerate()}
    viewer = view(recordings({"a": 3}), browser=False)
    address = urlsplit(viewer.url)
    viewer.close()
    viewer.close()
    viewer.wait()
    with socket.socket() as other:
        assert other.connect_ex((address.hostname, address.port)) != 0
    assert {t.name for t in threading.enumerate() if t.name.startswith("facearray-viewer")} <= before


def test_allowed_hosts__of_loopback_of_one_address_and_of_all():
    assert allowed_hosts("127.0.0.1", 80) == ["127.0.0.1:80", "localhost:80", "[::1]:80"]
    assert allowed_hosts("::1", 80)[0] == "[::1]:80"
    assert allowed_hosts("192.0.2.7", 80, ["Tunnel.example:443"]) == ["192.0.2.7:80", "tunnel.example:443"]
    assert {"localhost:80", f"{socket.gethostname().lower()}:80"} <= set(allowed_hosts("0.0.0.0", 80))


@pytest.mark.parametrize(
    ("host", "expected"),
    [("127.0.0.1", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("", False), ("192.0.2.7", False)],
)
def test_is_loopback(host, expected):
    assert is_loopback(host) is expected
