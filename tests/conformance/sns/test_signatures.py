"""What topics sign, OpenSSL verifies; where they may send to, and where not."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.events.conftest import Queue, client_of

from lambdad.testing.daemon import DaemonProcess

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")

# SNS developer guide, "Verifying the signatures of Amazon SNS messages".
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": (
        "Message",
        "MessageId",
        "SubscribeURL",
        "Timestamp",
        "Token",
        "TopicArn",
        "Type",
    ),
}


def openssl(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=False)


def is_genuine(document: dict[str, Any], place: Path) -> bool:
    """Whether OpenSSL finds the signature good, with the certificate that the document names."""
    with urllib.request.urlopen(document["SigningCertURL"]) as answer:  # noqa: S310 - the daemon's
        (place / "certificate.pem").write_bytes(answer.read())
    key = openssl("x509", "-in", str(place / "certificate.pem"), "-pubkey", "-noout")
    (place / "key.pem").write_bytes(key.stdout)
    members = (name for name in SIGNED[document["Type"]] if name in document)
    (place / "text").write_text("".join(f"{name}\n{document[name]}\n" for name in members))
    (place / "signature").write_bytes(base64.b64decode(document["Signature"]))
    digest = {"1": "-sha1", "2": "-sha256"}[document["SignatureVersion"]]
    files = ("-signature", str(place / "signature"), str(place / "text"))
    return openssl("dgst", digest, "-verify", str(place / "key.pem"), *files).returncode == 0


@pytest.mark.parametrize("version", ["1", "2"])
def test_openssl_verifies_notifications(
    sns: Any,
    topic: Callable[..., str],
    queue: Callable[..., Any],
    tmp_path: Path,
    version: str,
) -> None:
    out, arn = queue(), topic(SignatureVersion=version)
    sns.subscribe(TopicArn=arn, Protocol="sqs", Endpoint=out.arn)
    sns.publish(TopicArn=arn, Message="Grüße\nan alle", Subject="s")
    document = out.body()
    assert document["SignatureVersion"] == version
    assert is_genuine(document, tmp_path)
    assert not is_genuine({**document, "Message": "another"}, tmp_path)


def test_openssl_verifies_what_asks_to_confirm(
    sns: Any, topic: Callable[..., str], web: Any, tmp_path: Path
) -> None:
    sns.subscribe(TopicArn=topic(), Protocol="http", Endpoint=web.url)
    _, document = web.next()
    assert document["Type"] == "SubscriptionConfirmation"
    assert is_genuine(document, tmp_path)
    assert not is_genuine({**document, "SubscribeURL": "http://elsewhere/"}, tmp_path)


def test_topics_do_not_send_to_this_host_unless_they_may(web: Any, tmp_path: Path) -> None:
    port = urllib.parse.urlsplit(web.url).port
    with DaemonProcess(tmp_path / "data", "--backend", "process") as strict:
        sns, sqs = (client_of(each, strict.endpoint_url) for each in ("sns", "sqs"))
        arn, refused = sns.create_topic(Name="t")["TopicArn"], Queue(sqs, "refused")
        redrive = json.dumps({"deadLetterTargetArn": refused.arn})
        for host in ("127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "0.0.0.0"):  # noqa: S104
            sns.subscribe(
                TopicArn=arn,
                Protocol="http",
                Endpoint=f"http://{host}:{port}/hook",
                Attributes={"RedrivePolicy": redrive},
            )
        for _ in range(4):
            assert refused.body()["Type"] == "SubscriptionConfirmation"
        assert strict.stop() == 0
    assert strict.stderr.count("is an address of lambdad's own host") == 4, strict.stderr
    assert web.received.empty()
