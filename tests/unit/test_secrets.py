"""Masking of credentials."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from facearray._secrets import SecretOptions, mask_secrets, showable


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("https://ann:hunter2@example.org/x", "https://***@example.org/x"),
        ("https://ann:p@ss@example.org:8443/x", "https://***@example.org:8443/x"),
        ("https://hunter2@example.org/x@1.2", "https://***@example.org/x@1.2"),
        ("https://h/x?token=hunter2&part=2", "https://h/x?token=***&part=2"),
        ("https://h/x?part=2&X-Amz-Signature=hunter2", "https://h/x?part=2&X-Amz-Signature=***"),
        ("https://h/x?sv=1&sig=hunter2%3D", "https://h/x?sv=1&sig=***"),
        ("https://h/x?AWSAccessKeyId=hunter2", "https://h/x?AWSAccessKeyId=***"),
        ("https://h/x?access_token=hunter2 was refused", "https://h/x?access_token=*** was refused"),
        ("//registry.example.org/:_authToken=hunter2", "//registry.example.org/:_authToken=***"),
        ("_password = hunter2", "_password = ***"),
        ("Authorization: Bearer hunter2hunter2", "Authorization: Bearer ***"),
        ("two: ftp://a:b@h/x and s3://c:d@k/y", "two: ftp://***@h/x and s3://***@k/y"),
    ],
)
def test_mask_secrets__hides_what_is_secret(text, masked):
    assert mask_secrets(text) == masked


@pytest.mark.parametrize(
    "text",
    [
        "https://example.org/x?generation=1661875739104017",
        "npm package @vladmandic/face-api@1.7.15",
        "No matching distribution found for tokenizers==0.2",
        "found /videos/key frames/a@b.mp4",
    ],
)
def test_mask_secrets__leaves_the_rest_alone(text):
    assert mask_secrets(text) == text


SECRET = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789+/=_-", min_size=8, max_size=40)


@given(secret=SECRET, host=st.sampled_from(["h", "example.org:8443"]), before=st.sampled_from(["", "a=1&"]))
def test_mask_secrets__no_part_of_a_url_shows_one(secret, host, before):
    names = ("sig", "token", "X-Amz-Signature", "api_key", "Key")
    urls = [f"s3://{host}/a.mp4?{before}{name}={secret}" for name in names]
    for url in (*urls, f"https://ann:{quote(secret, safe='')}@{host}/a.mp4"):
        masked = mask_secrets(f"could not read {url} twice")
        assert masked.startswith("could not read ")
        assert secret not in masked
        assert quote(secret, safe="") not in masked


@given(secret=SECRET, text=st.text(max_size=20))
def test_mask_secrets__options_are_masked_wherever_they_stand(secret, text):
    for options in (
        {"secret": secret},
        {"client_kwargs": {"aws_secret_access_key": secret}},
        {"headers": {"Authorization": f"Bearer {secret}"}},
        {"connection_string": f"AccountKey={secret}"},
    ):
        masked = mask_secrets(f"{text} refused: {secret} ({text})", options)
        assert secret not in masked or secret in text + "***"
        assert secret not in repr(SecretOptions(options))
        assert secret not in f"{SecretOptions(options)}"


def test_showable__looks_at_the_errors_behind():
    behind, error = OSError("signed with hunter2hunter2"), ValueError("could not read")
    error.__cause__ = behind
    assert showable(error, {"secret": "hunter2hunter2"}) is None
    assert showable(error, {}) is error
