"""Where a server listens, and the names by which browsers may call it."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from contextlib import suppress

__all__ = ["allowed_hosts", "is_loopback"]

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
_EVERYWHERE = ("", "0.0.0.0", "::", "[::]")  # noqa: S104  (compared with, not listened on)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on a host."""
    try:
        found = socket.getaddrinfo(host.strip("[]"), None) if host not in _EVERYWHERE else []
    except OSError:
        return False
    addresses = {str(entry[4][0]) for entry in found}
    return bool(addresses) and all(address == "::1" or address.startswith("127.") for address in addresses)


def allowed_hosts(host: str, port: int, origins: Iterable[str] = ()) -> list[str]:
    """Return the ``host:port`` by which the server may be called.

    Parameters
    ----------
    host
        Where it listens.
    port
        Its port.
    origins
        Others, as of a tunnel or a proxy: ``host`` or ``host:port``.
    """
    named = f"[{host}]" if ":" in host and not host.startswith("[") else host
    names = [named] if host not in _EVERYWHERE else []
    if host in _EVERYWHERE or is_loopback(host):
        names += _LOOPBACK
    if host in _EVERYWHERE:
        own = socket.gethostname()
        names += [own, socket.getfqdn()]
        with suppress(OSError):
            names += [str(entry[4][0]) for entry in socket.getaddrinfo(own, None, socket.AF_INET)]
    return list(dict.fromkeys([*(f"{name}:{port}".lower() for name in names), *(o.lower() for o in origins)]))
