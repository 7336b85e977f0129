"""What the page fetches beside Panel's document: pictures and points, by the number of a row and never by a path."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tornado.web import RequestHandler

from facearray.errors import FaceArrayError
from facearray.plot.viewer.guard import HEADERS
from facearray.plot.viewer.pictures import UNREADABLE, Pictures

__all__ = ["patterns"]


class _Bytes(RequestHandler):
    """Answers with bytes that are made in a thread, or says why there are none."""

    def initialize(
        self, pictures: Pictures, make: Callable[..., bytes], threads: ThreadPoolExecutor, kind: str
    ) -> None:
        self._pictures, self._make, self._threads, self._kind = pictures, make, threads, kind

    async def get(self, *numbers: str) -> None:
        loop = asyncio.get_running_loop()
        try:
            content = await loop.run_in_executor(self._threads, self._make, *map(int, numbers))
        except (FaceArrayError, *UNREADABLE) as error:
            self.set_status(404)
            self.set_header("Content-Type", "text/plain; charset=utf-8")
            await self.finish(self._pictures.shown(error))
            return
        self.set_header("Content-Type", self._kind)
        await self.finish(content)

    def set_default_headers(self) -> None:
        for name, value in HEADERS.items():
            self.set_header(name, value)


def patterns(pictures: Pictures) -> list[tuple[str, type[RequestHandler], dict[str, Any]]]:
    """Return the routes of pictures and points."""
    routes: list[tuple[str, Callable[..., bytes], ThreadPoolExecutor, str]] = [
        (r"/frame/(\d{1,9})/(\d{1,9})", pictures.frame, pictures.frame_threads, "image/jpeg"),
        (r"/overlay/(\d{1,9})/(\d{1,9})", pictures.overlay, pictures.overlay_threads, "application/octet-stream"),
        (r"/face/(\d{1,9})/(\d{1,9})/(\d{1,3})", pictures.face, pictures.face_threads, "image/png"),
        (r"/thumbnail/(\d{1,9})", pictures.thumbnail, pictures.thumbnail_threads, "image/jpeg"),
    ]
    return [
        (path, _Bytes, {"pictures": pictures, "make": make, "threads": threads, "kind": kind})
        for path, make, threads, kind in routes
    ]
