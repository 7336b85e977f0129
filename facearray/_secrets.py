"""Masking of credentials in texts that people will see."""

from __future__ import annotations

import re

__all__ = ["mask_secrets"]

_RULES = (
    # user:password@ of an address
    (re.compile(r"(?<=://)[^/\s]*@"), "***@"),
    # values of query parameters and settings that are named like a secret
    (
        re.compile(
            r"([\w.-]*(?:token|secret|passw(?:or)?d|signature|credential|api-?_?key|access-?_?key|_auth)[\w.-]*\s*=(?!=)\s*)"
            r"[^&\s\"']+",
            re.IGNORECASE,
        ),
        r"\1***",
    ),
    (re.compile(r"(?<=[?&])((?:sig|key|auth)=)[^&\s\"']+", re.IGNORECASE), r"\1***"),
    (re.compile(r"\b((?:bearer|basic)\s+)[\w.~+/=-]{8,}", re.IGNORECASE), r"\1***"),
)


def mask_secrets(text: str) -> str:
    """Replace passwords, tokens, keys and signatures in a text by ``***``.

    Parameters
    ----------
    text
        An address, or a text with addresses in it.

    Examples
    --------
    >>> mask_secrets("s3 gave up on https://ann:pw@example.org/a.mp4?part=1&X-Amz-Signature=9f2c")
    's3 gave up on https://***@example.org/a.mp4?part=1&X-Amz-Signature=***'
    """
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
