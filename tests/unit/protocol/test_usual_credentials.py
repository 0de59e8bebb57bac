"""The usual form of a signature is read by a short cut: it says what the pattern says."""

from __future__ import annotations

import pytest

from lambdad.protocol import sigv4
from lambdad.protocol.http import HttpRequest

SCOPE = "AKID/20260101/us-east-1/lambda/aws4_request"
REST = "SignedHeaders=host, Signature=0"
TEXTS = [
    f"AWS4-HMAC-SHA256 Credential={SCOPE}, {REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE},{REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE} , {REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE}\t, {REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE} {REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE}\xa0, {REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE}\x85, {REST}",
    f"AWS4-HMAC-SHA256  Credential={SCOPE}, {REST}",
    f"AWS4-HMAC-SHA256 {REST}, Credential={SCOPE}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE}, {REST}, Credential=OTHER/20260101/x/s3/aws4_request",
    f"AWS4-HMAC-SHA256 Credential=x{SCOPE}Credential={SCOPE}, {REST}",
    f"AWS4-HMAC-SHA256 Credential={SCOPE}",
    "AWS4-HMAC-SHA256 Credential=, SignedHeaders=host",
    "AWS4-HMAC-SHA256 Credential=a b/20260101/us-east-1/lambda/aws4_request, x",
    "Bearer Credential=x, y",
    "",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_short_cut_reads_what_the_pattern_reads(
    text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = HttpRequest(method="POST", path="/", headers={"authorization": text})
    quick = sigv4.parse_credential(request)
    monkeypatch.setattr(sigv4, "_USUAL", "nobody writes this")
    assert quick == sigv4.parse_credential(request)
