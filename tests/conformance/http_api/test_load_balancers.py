"""Functions behind an Application Load Balancer's listener, as the configuration has it."""

from __future__ import annotations

import json
import socket
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdad.testing import event_types
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import ApiUser

pytestmark = [pytest.mark.root, pytest.mark.slow]

ANSWERS = """
import json
def handler(event, context):
    if event["path"] == "/fail":
        raise ValueError
    if event["path"] == "/nonsense":
        return "hello"
    name = "multiValueHeaders" if "multiValueHeaders" in event else "headers"
    value = ["1", "2"] if name == "multiValueHeaders" else "1"
    return {
        "statusCode": 201,
        "statusDescription": "201 Created",
        name: {"X-Mine": value, "Content-Type": "application/json"},
        "body": json.dumps(event),
        "isBase64Encoded": False,
    }
"""


def free_ports(count: int) -> list[int]:
    with socket.socket() as first, socket.socket() as second:
        for each in (first, second):
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in (first, second)][:count]


@pytest.fixture(scope="module")
def urls(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """Addresses of a plain listener and of one with lists of values."""
    place = tmp_path_factory.mktemp("alb")
    ports = free_ports(2)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:alb-answers"
    config = place / "lambdad.toml"
    config.write_text(
        f'[alb]\n"127.0.0.1:{ports[0]}" = "{arn}"\n'
        f'"127.0.0.1:{ports[1]}" = "{arn} multi-value-headers"\n'
    )
    with DaemonProcess(place / "data", "--backend", "process", "--config", str(config)) as daemon:
        ApiUser(daemon).user.deploy("alb-answers", ANSWERS)
        yield f"http://127.0.0.1:{ports[0]}", f"http://127.0.0.1:{ports[1]}"


def call(
    url: str, body: bytes | None = None, kind: str = "text/plain"
) -> tuple[int, dict[str, str], bytes]:
    request = urllib.request.Request(url, data=body, headers={"Content-Type": kind})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            return answer.status, dict(answer.headers.items()), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers.items()), error.read()


def test_a_request_becomes_the_event_of_a_target_group(urls: tuple[str, str]) -> None:
    status, headers, body = call(f"{urls[0]}/a%20b?x=1&x=%202", b"hello")
    assert (status, headers["X-Mine"]) == (201, "1")
    event = json.loads(body)
    group = event["requestContext"]["elb"]["targetGroupArn"]
    assert group.startswith("arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/")
    assert (event["httpMethod"], event["path"]) == ("POST", "/a%20b")
    assert event["queryStringParameters"] == {"x": "%202"}
    assert (event["body"], event["isBase64Encoded"]) == ("hello", False)
    assert event["headers"]["x-forwarded-proto"] == "http"
    assert "multiValueHeaders" not in event


def test_lists_of_values_where_they_are_wanted(urls: tuple[str, str]) -> None:
    status, _, body = call(f"{urls[1]}/?x=1&x=2", b"\x00", "image/png")
    event = json.loads(body)
    assert status == 201
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"]}
    assert event["multiValueHeaders"]["content-type"] == ["image/png"]
    assert (event["body"], event["isBase64Encoded"]) == ("AA==", True)


def test_events_fit_the_published_types(
    urls: tuple[str, str], published_types: Path, tmp_path: Path
) -> None:
    events = {
        name: json.loads(call(f"{url}/?x=1")[2]) for name, url in zip("ab", urls, strict=True)
    }
    named = dict.fromkeys("ab", "L.ALBEvent")
    assert event_types.complaints(published_types, tmp_path, events, named) == ""


@pytest.mark.parametrize("path", ["/fail", "/nonsense"])
def test_what_is_no_answer_is_a_bad_gateway(urls: tuple[str, str], path: str) -> None:
    status, headers, body = call(urls[0] + path)
    assert (status, headers["server"]) == (502, "awselb/2.0")
    assert b"502 Bad Gateway" in body


def test_a_body_that_is_too_large_is_refused(urls: tuple[str, str]) -> None:
    assert call(urls[0], b"x" * (1024 * 1024 + 1))[0] == 413
