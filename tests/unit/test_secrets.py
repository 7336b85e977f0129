"""Masking of credentials."""

from __future__ import annotations

import pytest

from facearray._secrets import mask_secrets


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
