"""Who may ask the viewer's server for anything: browsers that were given its address, and no page of another origin."""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlsplit

from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher
from tornado.web import RequestHandler

__all__ = ["HEADERS", "Enter", "Guard", "LetIn", "Refuse"]

#: Sent with every answer of ours. Panel's page needs scripts of its own in it.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard(Matcher):
    """Matches the requests that are not answered.

    A request is answered if it is sent to a host that the server may be called by, comes from no page of another
    origin, and has the token, which the address that was printed brings as a cookie. So neither other users of the
    machine, nor other pages in the browser, nor names that were made to point here get anything.

    Parameters
    ----------
    port
        Port of the server: browsers send cookies to all ports of a host.
    hosts
        ``host:port`` by which the server may be called.
    """

    def __init__(self, port: int, hosts: Iterable[str]) -> None:
        self.token = secrets.token_urlsafe(24)
        self.cookie = f"facearray-{port}"
        self.hosts = frozenset(hosts)

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return something if the request is to be refused; None if it may go on."""
        cookie = request.cookies.get(self.cookie)
        admitted = self.may_enter(request) and cookie is not None and self.is_token(cookie.value)
        return None if admitted else {}

    def may_enter(self, request: HTTPServerRequest) -> bool:
        """Whether the request is sent to a known host, and by no page of another one."""
        origin = request.headers.get("Origin")
        same = origin is None or urlsplit(origin).netloc.lower() in self.hosts
        return same and request.host.lower() in self.hosts

    def is_token(self, text: str) -> bool:
        """Whether a text is the token."""
        return hmac.compare_digest(text.encode(), self.token.encode())


class Enter(Matcher):
    """Matches a request that has the token in its address."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return something if the browser is to be let in."""
        given = request.query_arguments.get("token", [b""])[0].decode("utf-8", "replace")
        return (
            {} if request.method == "GET" and self._guard.may_enter(request) and self._guard.is_token(given) else None
        )


class LetIn(RequestHandler):
    """Gives the browser the cookie, and takes the token out of its address and history."""

    def initialize(self, guard: Guard) -> None:
        """Take what it needs."""
        self._guard = guard

    def get(self) -> None:
        """Redirect to the page."""
        self.set_cookie(self._guard.cookie, self._guard.token, httponly=True, samesite="Strict", path="/")
        self.redirect("/")

    def set_default_headers(self) -> None:
        """Add ours."""
        _add(self, HEADERS)


class Refuse(RequestHandler):
    """Says what to do."""

    def prepare(self) -> None:
        """Answer whatever the method is."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("Open the whole address that facearray view printed, with its token, on the machine it names.\n")

    def set_default_headers(self) -> None:
        """Add ours."""
        _add(self, HEADERS)


def _add(handler: RequestHandler, headers: Mapping[str, str]) -> None:
    for name, value in headers.items():
        handler.set_header(name, value)
