"""An S3 server on loopback, and a proxy in front of it that fails in the ways of real ones."""

from __future__ import annotations

import asyncio
import http.client
import re
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from unittest import mock

BUCKET = "study-bucket"

ERRORS = {
    "500": ("InternalError", "We encountered an internal error."),
    "503": ("SlowDown", "Please reduce your request rate."),
    "403": ("AccessDenied", "Access Denied"),
    "404": ("NoSuchKey", "The specified key does not exist."),
}

_ERROR = '<?xml version="1.0"?><Error><Code>{code}</Code><Message>{message}</Message></Error>'


@dataclass
class Fault:
    """What goes wrong with requests.

    Attributes
    ----------
    kind
        ``500``, ``503``, ``403``, ``404``, ``timeout`` (no answer), ``truncated`` (half a body), ``cut`` (no body).
    method, path
        Which requests, by their method and a pattern in their path.
    times
        How many of them; then the server is well again.
    skip
        How many pass first.
    """

    kind: str
    method: str = "GET|PUT|POST|DELETE|HEAD"
    path: str = ""
    times: int = 1
    skip: int = 0
    seen: int = field(default=0, init=False)

    def hits(self, method: str, path: str) -> bool:
        if not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        self.seen += 1
        return self.skip < self.seen <= self.skip + self.times


class _Handler(BaseHTTPRequestHandler):
    """Passes one request on, or lets it fail."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *_) -> None:
        pass

    def handle_any(self) -> None:
        body = self._body()
        fault = self.server.proxy.fault_of(self.command, self.path)
        if fault in ERRORS:
            self._answer_error(fault)
        elif fault == "timeout":
            time.sleep(5)
            self.close_connection = True
        else:
            self._pass_on(body, fault)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = handle_any  # noqa: N815

    def _pass_on(self, body: bytes, fault: str | None) -> None:
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.proxy.upstream, timeout=30)
        headers = {k: v for k, v in self.headers.items() if k.lower() not in ("transfer-encoding", "expect")}
        upstream.request(self.command, self.path, body, headers)
        answer = upstream.getresponse()
        content = answer.read()
        upstream.close()
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection", "date", "server"):
                self.send_header(name, value)
        length = answer.getheader("Content-Length") if self.command == "HEAD" else len(content)
        self.send_header("Content-Length", str(length or 0))
        self.end_headers()
        if self.command == "HEAD":
            return
        if fault in ("truncated", "cut"):
            content = content[: len(content) // 2] if fault == "truncated" else b""
            self.close_connection = True
        self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while n := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(n))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _answer_error(self, kind: str) -> None:
        code, message = ERRORS[kind]
        content = b"" if self.command == "HEAD" else _ERROR.format(code=code, message=message).encode()
        self.send_response(int(kind))
        self.send_header("Content-Type", "application/xml")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, proxy: FaultyProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, *_) -> None:
        """A client that gave up is no error here."""


class FaultyProxy:
    """Passes requests on to a server on this machine, counts them and lets some fail."""

    def __init__(self, upstream: int) -> None:
        self.upstream = upstream
        self.faults: list[Fault] = []
        self.requests: Counter[str] = Counter()
        self.injected: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._server = _Server(self)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fault_of(self, method: str, path: str) -> str | None:
        """Count a request and say what goes wrong with it."""
        with self._lock:
            listing = method == "GET" and ("list-type=2" in path or "prefix=" in path)
            self.requests["LIST" if listing else method] += 1
            for fault in self.faults:
                if fault.hits(method, path):
                    self.injected[fault.kind] += 1
                    return fault.kind
        return None

    @contextmanager
    def failing(self, *faults: Fault):
        """Let requests fail while the block lasts."""
        self.faults = list(faults)
        try:
            yield self
        finally:
            self.faults = []

    @contextmanager
    def counting(self):
        """Count the requests while the block lasts."""
        self.requests = counted = Counter()
        yield counted

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def at_first_attempt(options: dict[str, Any]) -> dict[str, Any]:
    """Options of a client that gives up at the first attempt, for faults that stay anyway."""
    return options | {"config_kwargs": options["config_kwargs"] | {"retries": {"max_attempts": 0}}}


class _Hasty:
    """``asyncio``, but with short sleeps."""

    def __getattr__(self, name: str) -> Any:
        return getattr(asyncio, name)

    async def sleep(self, seconds: float, *_: Any) -> None:
        await asyncio.sleep(seconds / 50)


@contextmanager
def hasty_retries():
    """Let the client of the object store wait a fiftieth between its attempts, of which there are as many as ever."""
    hasty = _Hasty()
    with (
        mock.patch("aiobotocore.endpoint.AioEndpoint._sleep", lambda _, seconds: hasty.sleep(seconds)),
        mock.patch("s3fs.core.asyncio", hasty),
    ):
        yield


@contextmanager
def object_store(*, secret: str = "wJalrXUtnFEMI/K7MDENG"):
    """Start the server and its proxy; gives the proxy and the storage options that reach it."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    proxy = FaultyProxy(server.get_host_and_port()[1])
    options = {
        "key": "AKIAIOSFODNN7EXAMPLE",
        "secret": secret,
        "endpoint_url": proxy.url,
        # what is lost shows after two seconds, so that tests do not wait
        "config_kwargs": {"read_timeout": 2, "connect_timeout": 2, "retries": {"max_attempts": 3}},
    }
    try:
        with hasty_retries():
            yield proxy, options
    finally:
        proxy.stop()
        server.stop()
