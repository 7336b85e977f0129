"""Detections that are made up, and a server that cuts connections."""

from __future__ import annotations

import http.server
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from facearray import schema

STRING = np.dtypes.StringDType()


def make_recordings(
    lengths: dict[str, int],
    *,
    n_faces: int = 1,
    features: Sequence[str] = ("Yaw", "AU12", "happiness"),
    fps: float = 25.0,
    n_landmarks: int | None = None,
    seed: int = 0,
) -> xr.Dataset:
    """Videos of some numbers of frames; the face of slot k is in the frames whose number is not k modulo 5."""
    rng = np.random.default_rng(seed)
    n, n_frame = len(lengths), max(lengths.values(), default=0)
    count = np.array(list(lengths.values()))
    position = np.arange(n_frame)
    real = position < count[:, None]
    face = real[:, :, None] & (position[:, None] % 5 != np.arange(n_faces))
    values = {
        "features": rng.random((n, n_frame, n_faces, len(features)), dtype="f4"),
        "landmarks": rng.random((n, n_frame, n_faces, n_landmarks or 0, 3), dtype="f4"),
    }
    dims = ("video", "frame", "face")
    ds = xr.Dataset(
        {"features": ((*dims, "feature"), np.where(face[..., None], values["features"], np.float32(np.nan)))},
        coords={
            "video": np.array(list(lengths), dtype=STRING),
            "feature": np.array(features, dtype=STRING),
            "n_frames": ("video", count.astype("i4")),
            "fps": ("video", np.full(n, fps)),
            "width": ("video", np.full(n, 640, "i4")),
            "height": ("video", np.full(n, 480, "i4")),
            "duration": ("video", count / fps),
            "frame_number": (dims[:2], np.where(real, position, -1).astype("i4")),
            "timestamp": (dims[:2], np.where(real, position / fps, np.nan)),
            "n_faces_found": (dims[:2], np.where(real, face.sum(-1), -1).astype("i2")),
            "track_id": (dims, np.where(face, np.arange(n_faces), -1).astype("i4")),
        }
        | {name: ("video", np.array(texts, dtype=STRING)) for name, texts in _texts(lengths).items()}
        | {
            name: ("feature", np.array([getattr(schema.FEATURES[f], name) for f in features], dtype=STRING))
            for name in ("group", "unit", "description")
        },
        attrs={"facearray_schema": schema.SCHEMA_VERSION, "detector": "made up"},
    )
    if n_landmarks is not None:
        points = np.where(face[..., None, None], values["landmarks"], np.float32(np.nan))
        ds = ds.assign(landmarks=((*dims, "landmark", "axis"), points))
        ds = ds.assign_coords(axis=np.array(["x", "y", "z"], dtype=STRING))
    schema.validate(ds)
    return ds


def _texts(labels: dict[str, int]) -> dict[str, list[str]]:
    n = len(labels)
    return {"source": [f"films/{label}" for label in labels], "status": ["done"] * n, "error": [""] * n}


@pytest.fixture(scope="session")
def recordings() -> Callable[..., xr.Dataset]:
    return make_recordings


FILL = {"frame_number": -1, "n_faces_found": -1, "track_id": -1}


def pad(ds: xr.Dataset, n_padding: int) -> xr.Dataset:
    """Add frames that are not real."""
    wider = ds.pad(frame=(0, n_padding))
    filled = {name: wider[name].fillna(value).astype(ds[name].dtype) for name, value in FILL.items() if name in ds}
    return wider.assign_coords(filled)


@pytest.fixture(scope="session")
def padded() -> Callable[[xr.Dataset, int], xr.Dataset]:
    return pad


class RangeServer:
    """Answers with parts of files, and cuts connections after a number of bytes for as often as it is told."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | int] = {}
        self.headers: dict[str, str] = {"ETag": '"one"'}
        self.cut_after = 2**18
        self.cuts = 0
        self.ranges = True
        self.sends_length = True
        self.content_range: str | None = None
        self.requests: list[tuple[str, str | None]] = []
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.answer(self)

            def log_message(self, *args: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def url(self, name: str) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/{name}"

    def answer(self, request: http.server.BaseHTTPRequestHandler) -> None:
        name = request.path.strip("/").removesuffix("/download")
        wanted = request.headers.get("Range")
        self.requests.append((name, wanted))
        content = self.files.get(name, 404)
        if isinstance(content, int):
            request.send_error(content)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1]) if wanted and self.ranges else 0
        if request.headers.get("If-Range") not in (None, *self.headers.values()):
            start = 0
        if start and start >= len(content):
            request.send_error(416)
            return
        request.send_response(206 if start else 200)
        if start:
            request.send_header(
                "Content-Range", self.content_range or f"bytes {start}-{len(content) - 1}/{len(content)}"
            )
        if self.sends_length:
            request.send_header("Content-Length", str(len(content) - start))
        for key, value in self.headers.items():
            request.send_header(key, value)
        request.end_headers()
        body = content[start:]
        if self.cuts:
            self.cuts -= 1
            body = body[: self.cut_after]
        request.wfile.write(body)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def range_server() -> Iterator[RangeServer]:
    running = RangeServer()
    yield running
    running.close()


@pytest.fixture
def empty_cache(tmp_path, monkeypatch) -> Path:
    """An empty cache, no given folder, and no proxy between a test and its server."""
    monkeypatch.delenv("FACEARRAY_ASSETS", raising=False)
    monkeypatch.setenv("FACEARRAY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    return tmp_path / "cache" / "assets"
