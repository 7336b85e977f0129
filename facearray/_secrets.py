"""Masking of credentials in texts that people will see."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

__all__ = ["SecretOptions", "mask_secrets", "showable"]

#: Options of file systems that hold a secret, or something that holds one.
_SECRET_OPTION = re.compile(
    "token|secret|passw|pwd|key|sig|cred|auth|sas|cookie|header|connection_string|cert", re.IGNORECASE
)

#: Texts that are too short to be a secret, and too common to be replaced wherever they stand.
_SHORTEST = 4

_RULES = (
    # user:password@ of an address
    (re.compile(r"(?<=://)[^/\s]*@"), "***@"),
    # values of query parameters, whatever they begin with
    (
        re.compile(
            r"(?<=[?&])([\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api-?_?key|access-?_?key)[\w.-]*=)"
            r"[^&\s\"']+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    # values of settings that are named like a secret; `==` compares
    (
        re.compile(
            r"([\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api-?_?key|access-?_?key|_auth)[\w.-]*\s*=(?!=)\s*)"
            r"[^&\s\"']+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (re.compile(r"(?<=[?&])((?:sig|key|auth|jwt|code|pwd)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), r"\1***"),
)


class SecretOptions(dict[str, Any]):
    """Options of a file system: a mapping whose values are not shown, wherever it is printed or logged.

    Examples
    --------
    >>> SecretOptions(key="AKIA", anon=False)
    SecretOptions(key=***, anon=***)
    """

    def __repr__(self) -> str:
        return f"SecretOptions({', '.join(f'{name}=***' for name in self)})"

    __str__ = __repr__


def mask_secrets(text: str, options: Mapping[str, Any] | None = None) -> str:
    """Replace passwords, tokens, keys and signatures in a text by ``***``.

    Parameters
    ----------
    text
        An address, or a text with addresses in it.
    options
        Options of a file system, whose secrets are replaced wherever they stand.

    Examples
    --------
    >>> mask_secrets("s3 gave up on https://ann:pw@example.org/a.mp4?part=1&X-Amz-Signature=9f2c")
    's3 gave up on https://***@example.org/a.mp4?part=1&X-Amz-Signature=***'
    >>> mask_secrets("refused wJalrX for bucket b", {"secret": "wJalrX"})
    'refused *** for bucket b'
    """
    for secret in sorted(set(_secrets_of(options or {})), key=len, reverse=True):
        text = text.replace(secret, "***").replace(quote(secret, safe=""), "***")
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text


def _secrets_of(options: Mapping[str, Any], *, inside: bool = False) -> Iterator[str]:
    """Iterate over the texts in options that are secret by their name, or stand inside something that is."""
    for name, value in options.items():
        secret = inside or _SECRET_OPTION.search(str(name)) is not None
        if isinstance(value, Mapping):
            yield from _secrets_of(value, inside=secret)
        elif secret and isinstance(value, str | bytes):
            text = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            yield from (part for part in (text, *_parts_of(text)) if len(part) >= _SHORTEST)


def _parts_of(text: str) -> Iterator[str]:
    """Iterate over what is secret within the value of an option: of ``Bearer 9f2c``, and of connection strings."""
    yield text.rpartition(" ")[2]
    for setting in text.split(";"):
        name, _, value = setting.partition("=")
        if _SECRET_OPTION.search(name):
            yield value


def showable(error: BaseException, options: Mapping[str, Any] | None = None) -> BaseException | None:
    """Return an error if its text, and those of the errors behind it, hold no secret; else None.

    Examples
    --------
    >>> showable(OSError("no space"))
    OSError('no space')
    >>> showable(OSError("refused https://h/x?token=9f2c"))
    """
    behind: BaseException | None = error
    while behind is not None:
        # the arguments too: of an error with a number, the text shows only some
        text = f"{behind} {behind.args}"
        if mask_secrets(text, options) != text:
            return None
        behind = behind.__cause__ or behind.__context__
    return error
