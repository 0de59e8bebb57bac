"""What a subscription to telemetry may say, and how AWS refuses the rest."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.telemetry_api.subscription import Api, Refused, Subscription, parse

URI = "http://sandbox.localdomain:8080"


def request(**members: Any) -> bytes:
    document = {
        "schemaVersion": "2022-12-13",
        "types": ["platform", "function"],
        "destination": {"protocol": "HTTP", "URI": URI},
        **members,
    }
    return json.dumps({k: v for k, v in document.items() if v is not None}).encode()


def refusal(body: bytes, api: Api = Api.TELEMETRY) -> tuple[int, str, str]:
    with pytest.raises(Refused) as caught:
        parse(api, body)
    return caught.value.status, caught.value.error_type, str(caught.value)


def problem(**members: Any) -> str:
    status, error_type, message = refusal(request(**members))
    assert (status, error_type) == (400, "ValidationError")
    return message


def http(uri: str, **members: Any) -> dict[str, Any]:
    return {"protocol": "HTTP", "URI": uri, **members}


def test_what_is_not_given_has_the_defaults_of_aws() -> None:
    subscription = parse(Api.TELEMETRY, request())
    buffering = subscription.buffering
    assert (buffering.max_items, buffering.max_bytes, buffering.timeout_ms) == (
        10_000,
        262_144,
        1_000,
    )
    destination = subscription.destination
    assert (destination.protocol, destination.port) == ("HTTP", 8080)
    assert (destination.method, destination.target) == ("POST", "/")


@pytest.mark.parametrize("version", ["2022-07-01", "2022-12-13", "2025-01-29"])
def test_every_schema_of_the_telemetry_api_is_known(version: str) -> None:
    assert parse(Api.TELEMETRY, request(schemaVersion=version)).schema_version == version


@pytest.mark.parametrize("version", ["2020-08-15", "2021-03-18"])
def test_every_schema_of_the_logs_api_is_known_and_the_first_is_its_default(version: str) -> None:
    assert parse(Api.LOGS, request(schemaVersion=version)).schema_version == version
    assert parse(Api.LOGS, request(schemaVersion=None)).schema_version == "2020-08-15"


def test_schemas_of_the_other_api_are_refused() -> None:
    telemetry = "TelemetryAPI only supports the SchemaVersion released after 2021-03-18"
    for version in ("2021-03-18", "1999-01-01", 7, None):
        assert problem(schemaVersion=version) == telemetry
    logs = "LogsAPI only supports the following SchemaVersion: 2020-08-15, 2021-03-18"
    assert refusal(request(), Api.LOGS) == (400, "ValidationError", logs)


def test_all_that_is_wrong_is_said_at_once() -> None:
    message = problem(destination=http("http://sandbox.localdomain"), types=[])
    assert message == "URI port is not provided; types should not be empty"


@pytest.mark.parametrize(
    "host", ["localhost", "127.0.0.1", "169.254.169.254", "example.com", "sandbox.localdomain.x"]
)
def test_only_the_sandbox_itself_is_a_destination(host: str) -> None:
    """SECURITY: the daemon must never be sent elsewhere."""
    message = "Only 'sandbox.localdomain' hostname is supported."
    refused = refusal(request(destination=http(f"http://{host}:8080")))
    assert refused == (403, "AccessDenied", message)


def test_other_schemes_are_refused() -> None:
    refused = refusal(request(destination=http("https://sandbox.localdomain:8080")))
    assert refused == (403, "AccessDenied", "Only 'http' scheme is supported.")


@pytest.mark.parametrize(
    ("destination", "expected"),
    [
        ({"protocol": "UDP", "port": 1}, "protocol should be HTTP or TCP"),
        ({"protocol": "HTTP"}, "URI is not provided"),
        ({"protocol": "TCP"}, "port should be between 1 and 65535"),
        ({"protocol": "TCP", "port": 65536}, "port should be between 1 and 65535"),
        ({"protocol": "TCP", "port": True}, "port should be between 1 and 65535"),
        ({"protocol": "TCP", "port": 9001}, "port 9001 is reserved"),
        (http("http://sandbox:9001"), "port 9001 is reserved"),
        (http("http://sandbox:99999"), "invalid destination port"),
        (http("http://sandbox:0"), "invalid destination port"),
        (http("http://me@sandbox:80"), "invalid destination URI"),
        (http("http://sandbox:80/a b"), "invalid destination URI"),
        (http("http://sandbox:80/é"), "invalid destination URI"),
        (http("http://sandbox:80/" + "a" * 3000), "the destination URI is too long"),
        (http(URI, method="GET"), "method should be POST or PUT"),
        (http(URI, encoding="XML"), "encoding should be JSON"),
    ],
)
def test_a_destination_that_cannot_be_served_is_refused(
    destination: dict[str, Any], expected: str
) -> None:
    assert problem(destination=destination) == expected


@pytest.mark.parametrize(
    ("types", "expected"),
    [
        (None, "types should not be empty"),
        ("platform", "types should not be empty"),
        (["platform", "metrics"], "types should be platform, function or extension"),
        ([1], "types should be platform, function or extension"),
        ([["platform"]], "types should be platform, function or extension"),
        (["function", "function"], "types should be unique"),
    ],
)
def test_types_are_known_and_told_once(types: Any, expected: str) -> None:
    assert problem(types=types) == expected


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("maxItems", 1000, 10_000), ("maxBytes", 262_144, 1_048_576), ("timeoutMs", 25, 30_000)],
)
def test_buffering_keeps_to_its_ranges(name: str, least: int, most: int) -> None:
    for value in (least, most):
        assert parse(Api.TELEMETRY, request(buffering={name: value}))
    for wrong in (least - 1, most + 1, str(least), None, float(least)):
        message = problem(buffering={name: wrong})
        assert message == f"{name} should be between {least} and {most}"


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b"null", b"[" * 50_000, b" " * 70_000])
def test_what_is_no_object_is_refused(body: bytes) -> None:
    assert refusal(body)[:2] == (400, "ValidationError")


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["protocol", "URI", "port", "maxItems", "timeoutMs", "method"]), inner
        )
    ),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["types", "destination", "buffering"]), VALUES))
def test_whatever_is_sent_is_accepted_or_refused(members: dict[str, Any]) -> None:
    with contextlib.suppress(Refused):
        assert isinstance(parse(Api.TELEMETRY, request(**members)), Subscription)


@given(st.text(max_size=60))
def test_whatever_the_uri_a_request_stays_one_line(text: str) -> None:
    """SECURITY: what is sent to the guest's own listener is what lambdad wrote."""
    try:
        subscription = parse(Api.TELEMETRY, request(destination=http(f"http://sandbox:80/{text}")))
    except Refused:
        return
    target = subscription.destination.target
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target
