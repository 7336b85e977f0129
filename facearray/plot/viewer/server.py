"""The server of the viewer, in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import webbrowser
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import pandas as pd
import xarray as xr
from zarr.abc.store import Store as ZarrStore

from facearray.errors import FaceArrayError, InputError
from facearray.io.location import StoreLike, address, options_for
from facearray.io.reading import open_store
from facearray.io.status import run_state
from facearray.plot.viewer.catalog import Catalog, Opened
from facearray.plot.viewer.hosts import allowed_hosts, is_loopback
from facearray.plot.viewer.locating import Locator
from facearray.plot.viewer.pictures import UNREADABLE, Pictures

__all__ = ["Viewer", "view"]

logger = logging.getLogger(__name__)

#: Seconds between looks at a store that a run is writing, and between looks at whether films are idle.
_REFRESH, _SWEEP = 10.0, 20.0

#: Seconds to wait for the server to start and to end.
_PATIENCE = 60.0


def view(
    store: StoreLike | xr.Dataset,
    *,
    prepare: Callable[[xr.Dataset], xr.Dataset] | None = None,
    annotations: pd.DataFrame | None = None,
    videos: str | os.PathLike[str] | None = None,
    fetch: bool = False,
    host: str = "127.0.0.1",
    port: int = 0,
    origins: Iterable[str] = (),
    browser: bool = True,
    journal: str | os.PathLike[str] | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Viewer:
    """Look at a store in a browser: its videos with what was found in them, time courses, groups and correlations.

    A server answers on this machine until it is closed. Of the store only what is shown is read; nothing is written.
    While a run is writing the store, what it has finished appears by itself. Time courses have gaps where a value is
    missing; a video whose file is not at hand is shown without pictures, and the page says so.

    Parameters
    ----------
    store
        Path or URL of a store, a Zarr store object, or a Dataset of detections, as `open_store` gives it, with whatever
        was joined or annotated since.
    prepare
        Called with the Dataset whenever the store is opened; what it returns is shown:
        ``lambda ds: ds.fex.join(table)`` gives coordinates to group videos by. The videos have to stay in their order.
    annotations
        Annotated intervals, as `facearray.read_annotations` reads them: they are drawn behind the time courses.
    videos
        Folder that holds the videos now, under their labels or the names of their files. By default each is where the
        store says that it was read from.
    fetch
        Whether videos behind URLs are fetched into the cache of videos when they are opened.
    host
        Where to listen. By default only programs of this machine can reach the viewer. Anybody who can reach it and has
        the whole address sees the faces, and nothing is encrypted.
    port
        Port to listen on; 0 for any that is free.
    origins
        Further ``host:port`` by which browsers may call the viewer, as of a tunnel or proxy.
    browser
        Whether to open a browser.
    journal
        Path or URL of the store's journal; by default ``<store>.run``.
    storage_options
        Options of the file system that a URL names.

    Returns
    -------
    Viewer
        With the ``url`` to open, whose token is the key to it. Close it, or use it as a context manager.

    Raises
    ------
    InputError
        If there is nothing at this place, an argument does not fit the store, or the port cannot be listened on.
    SchemaError
        If the store does not follow the schema.

    Examples
    --------
    >>> with facearray.plot.view("study.zarr") as viewer:  # doctest: +SKIP
    ...     viewer.wait()
    """
    locator = Locator.of(videos, fetch=fetch, options=storage_options)
    if isinstance(store, xr.Dataset):
        name, read = "Dataset", lambda: Opened(prepare(store) if prepare else store)
    else:
        name = address(store)
        # they may be those of videos only
        options = options_for(storage_options, store, journal)

        def read() -> Opened:
            ds = open_store(store, journal=journal, storage_options=options)
            noted = journal is not None or not isinstance(store, ZarrStore)
            run = run_state(store, journal=journal, storage_options=options) if noted else "ended"
            return Opened(prepare(ds) if prepare else ds, run)

    viewer = Viewer(Catalog(name, read, annotations=annotations), locator, host=host, port=port, origins=origins)
    if browser:
        webbrowser.open(viewer.url)
    return viewer


class Viewer:
    """A viewer that is running. Made by :func:`view`.

    Attributes
    ----------
    url
        The address to open, with its token.
    is_local
        Whether only programs of this machine can reach it.
    """

    def __init__(
        self, catalog: Catalog, locator: Locator, *, host: str, port: int, origins: Iterable[str] = ()
    ) -> None:
        self._pictures = Pictures(catalog, locator)
        self._host, self._port, self._origins = host, port, tuple(origins)
        self.is_local = is_loopback(host)
        self.url = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._problem: BaseException | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="facearray-viewer", daemon=True)
        self._thread.start()
        self._started.wait(_PATIENCE)
        if self._problem is not None or not self.url:
            self._pictures.close()
            reason = self._problem or f"it has not started within {_PATIENCE:g} s"
            raise InputError(
                f"found {host}:{port}, which cannot be listened on ({reason}); expected a free port of an address of "
                "this machine; choose another one with --port and --host (port=, host=)"
            ) from self._problem

    def wait(self) -> None:
        """Wait until it is closed from elsewhere, or interrupted."""
        while self._thread.is_alive():
            self._thread.join(0.5)

    def close(self) -> None:
        """End the server and all decoders. Harmless if done before."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_PATIENCE)
        self._pictures.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._loop.set_exception_handler(_unless_closed)
        asyncio.set_event_loop(self._loop)
        try:
            server = self._listen()
        except OSError as error:
            self._problem = error
            self._started.set()
            return
        self._started.set()
        try:
            self._loop.run_forever()
        finally:
            server.stop()
            self._loop.run_until_complete(asyncio.sleep(0))
            self._loop.close()

    def _listen(self) -> Any:
        from panel.io.server import get_server
        from tornado.ioloop import IOLoop, PeriodicCallback
        from tornado.routing import Rule

        from facearray.plot.viewer.guard import Enter, Guard, LetIn, Refuse
        from facearray.plot.viewer.handlers import patterns
        from facearray.plot.viewer.window.page import page

        pictures = self._pictures
        server = get_server(
            lambda: page(pictures),
            port=self._port,
            address=self._host,
            title="facearray viewer",
            loop=IOLoop.current(),
            extra_patterns=patterns(pictures),
            start=False,
        )
        port = int(server.port or 0)
        hosts = allowed_hosts(self._host, port, self._origins)
        guard = Guard(port, hosts)
        application = server._tornado
        application.websocket_origins.update(hosts)
        rules = application.default_router.rules
        rules.insert(0, Rule(Enter(guard), LetIn, {"guard": guard}))
        rules.insert(1, Rule(guard, Refuse))
        server.start()
        for seconds, what in ((_REFRESH, self._refresh), (_SWEEP, pictures.release_idle)):
            PeriodicCallback(what, 1000 * seconds).start()
        self.url = f"http://{hosts[0]}/?token={guard.token}"
        return server

    async def _refresh(self) -> None:
        catalog = self._pictures.catalog
        if catalog.run != "running":
            return
        try:
            await asyncio.to_thread(catalog.refresh)
        except (FaceArrayError, *UNREADABLE) as error:
            logger.warning("the store cannot be opened again: %s", self._pictures.shown(error))


def _unless_closed(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Say nothing of messages to windows that were closed meanwhile."""
    from tornado.iostream import StreamClosedError
    from tornado.websocket import WebSocketClosedError

    if not isinstance(context.get("exception"), WebSocketClosedError | StreamClosedError):
        loop.default_exception_handler(context)
