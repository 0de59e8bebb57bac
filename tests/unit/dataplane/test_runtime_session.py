"""The Runtime API's order of calls, and what a runtime that breaks it is told."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.runtime_api.messages import known_error_type
from lambdad.dataplane.runtime_api.session import (
    RestoreCalls,
    RuntimeEvent,
    RuntimeSession,
    RuntimeState,
)
from lambdad.domain.invocations import Invocation
from lambdad.protocol.http import HttpRequest, HttpResponse

NEXT = HttpRequest(method="GET", path="/2018-06-01/runtime/invocation/next")
EVENT = RuntimeEvent(
    invocation=Invocation(
        request_id="id-1",
        payload=b"{}",
        invoked_arn="arn:aws:lambda:us-east-1:000000000000:function:f",
    ),
    trace_header="Root=1-0-0",
    deadline_ms=1,
)


class Observer:
    def __init__(self) -> None:
        self.seen: list[tuple[object, ...]] = []

    def runtime_ready(self) -> None:
        self.seen.append(("ready",))

    def init_failed(self, error_type: str, payload: bytes) -> None:
        self.seen.append(("init_failed", error_type, payload))

    def invocation_responded(self, payload: bytes) -> None:
        self.seen.append(("responded", payload))

    def invocation_failed(self, error_type: str, payload: bytes) -> None:
        self.seen.append(("failed", error_type, payload))


class Client:
    """A runtime's view of a session."""

    def __init__(self) -> None:
        self.observer = Observer()
        self.session = RuntimeSession(self.observer)
        self.answers: list[HttpResponse] = []

    def send(self, request: HttpRequest) -> HttpResponse | None:
        before = len(self.answers)
        self.session.handle(request, self.answers.append)
        return self.answers[-1] if len(self.answers) > before else None

    def post(self, tail: str, body: bytes = b"", **headers: str) -> HttpResponse | None:
        path = f"/2018-06-01/runtime/{tail}"
        return self.send(HttpRequest(method="POST", path=path, headers=headers, body=body))


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.fixture
def running(client: Client) -> Client:
    client.send(NEXT)
    client.session.deliver(EVENT)
    return client


def test_next_waits_for_an_event_and_carries_its_headers(running: Client) -> None:
    (answer,) = running.answers
    assert answer.headers["Lambda-Runtime-Aws-Request-Id"] == "id-1"
    assert answer.headers["Lambda-Runtime-Deadline-Ms"] == "1"
    assert "Lambda-Runtime-Client-Context" not in answer.headers


@pytest.mark.parametrize("reports", [True, False])
def test_an_answer_that_is_too_large_fails_the_invocation_and_the_runtime_may_go_on(
    running: Client, reports: bool
) -> None:
    """Some clients report the error themselves, AWS's for Node.js asks for the next event."""
    refused = running.post("invocation/id-1/response", bytes(6_291_557))
    assert refused is not None
    assert refused.status == 413
    if reports:
        again = running.post("invocation/id-1/error", b'{"errorType":"mine"}')
        assert again is not None
        assert again.status == 202
    running.send(NEXT)
    _, (kind, error_type, payload), ready = running.observer.seen
    assert (kind, error_type) == ("failed", "Function.ResponseSizeTooLarge")
    assert b"maximum allowed payload size (6291556 bytes)" in payload
    assert ready == ("ready",)


CALLS = [
    ("GET", "invocation/next"),
    ("POST", "invocation/id-1/response"),
    ("POST", "invocation/id-1/error"),
    ("POST", "invocation/other/response"),
    ("POST", "init/error"),
    ("GET", "restore/next"),
    ("POST", "restore/error"),
    ("GET", "nowhere"),
    ("PUT", "invocation/next"),
]


@pytest.mark.parametrize("before", [0, 1, 2, 3])
@pytest.mark.parametrize("call", CALLS, ids=" ".join)
def test_every_answer_says_what_its_body_is(
    client: Client, before: int, call: tuple[str, str]
) -> None:
    """AWS's client for Java ends with a null pointer where one does not, whatever the status."""
    so_far = (
        lambda: client.send(NEXT),
        lambda: client.session.deliver(EVENT),
        lambda: client.post("invocation/id-1/response", b"1"),
    )
    for step in so_far[:before]:
        step()
    method, tail = call
    path = f"/2018-06-01/runtime/{tail}"
    client.send(HttpRequest(method=method, path=path))
    client.send(HttpRequest(method="GET", path="/2018-06-01/ping"))
    assert client.answers
    for answer in client.answers:
        assert answer.headers.get("Content-Type") in ("application/json", "text/plain"), answer


def test_a_response_is_accepted_once(running: Client) -> None:
    first = running.post("invocation/id-1/response", b'"a"')
    second = running.post("invocation/id-1/response", b'"b"')
    assert first is not None
    assert second is not None
    assert (first.status, second.status) == (202, 403)
    assert running.observer.seen == [("ready",), ("responded", b'"a"')]


def test_another_request_id_is_refused(running: Client) -> None:
    answer = running.post("invocation/id-2/response", b'"a"')
    assert answer is not None
    assert answer.status == 400
    assert json.loads(answer.body)["errorType"] == "InvalidRequestID"
    assert running.observer.seen == [("ready",)]


def test_next_while_running_is_refused(running: Client) -> None:
    answer = running.send(NEXT)
    assert answer is not None
    assert json.loads(answer.body) == {
        "errorMessage": "State transition from RuntimeRunning to RuntimeReady failed for runtime. "
        "Error: State transition is not allowed",
        "errorType": "InvalidStateTransition",
    }


def test_an_init_error_after_init_is_refused(running: Client) -> None:
    answer = running.post("init/error", b"{}")
    assert answer is not None
    assert answer.status == 403


def test_an_init_error_is_told_with_its_type(client: Client) -> None:
    client.post(
        "init/error", b"{}", **{"lambda-runtime-function-error-type": "Runtime.NoSuchModule"}
    )
    assert client.observer.seen == [("init_failed", "Runtime.NoSuchModule", b"{}")]


def test_a_response_mode_that_does_not_exist_is_refused(running: Client) -> None:
    answer = running.post(
        "invocation/id-1/response", b"", **{"lambda-runtime-function-response-mode": "fast"}
    )
    assert answer is not None
    assert json.loads(answer.body)["errorType"] == "InvalidFunctionResponseMode"


def test_the_client_context_is_one_ascii_line() -> None:
    client = Client()
    client.send(NEXT)
    context = '{"custom":\n {"k": "ü\u2028"}}'
    invocation = Invocation(request_id="i", payload=b"", invoked_arn="a", client_context=context)
    event = RuntimeEvent(invocation=invocation, trace_header="", deadline_ms=1)
    client.session.deliver(event)
    header = client.answers[0].headers["Lambda-Runtime-Client-Context"]
    assert header.isascii()
    assert "\n" not in header
    assert json.loads(header) == {"custom": {"k": "ü\u2028"}}


@pytest.mark.parametrize(
    ("reported", "recorded"),
    [
        ("Runtime.ExitError", "Runtime.ExitError"),
        ("Function.ResponseSizeTooLarge", "Function.ResponseSizeTooLarge"),
        ("ValueError", "Function.Unknown"),
        ("", "Function.Unknown"),
        ("Function." + "A" * 5000, "Function.Unknown"),
    ],
)
def test_error_types_of_unknown_form_are_recorded_as_unknown(reported: str, recorded: str) -> None:
    assert known_error_type(reported, "Function.Unknown") == recorded


PATHS = st.sampled_from(
    [
        "/2018-06-01/runtime/invocation/next",
        "/2018-06-01/runtime/invocation/id-1/response",
        "/2018-06-01/runtime/invocation/id-1/error",
        "/2018-06-01/runtime/invocation/forged/response",
        "/2018-06-01/runtime/init/error",
        "/2018-06-01/ping",
        "/2018-06-01/runtime/invocation/../next",
        "/",
    ]
)
CALLS = st.lists(st.tuples(st.sampled_from(["GET", "POST", "PUT"]), PATHS | st.text()))


@given(calls=CALLS)
def test_no_order_of_calls_gives_two_outcomes_for_one_event(
    calls: list[tuple[str, str]],
) -> None:
    """A guest may call what it likes: it ends at most the event it was given, once."""
    client = Client()
    delivered = 0
    for method, path in calls:
        client.send(HttpRequest(method=method, path=path, body=b"{}"))
        if client.session.state is RuntimeState.READY and client.session.listening:
            client.session.deliver(EVENT)
            delivered += 1
    outcomes = [seen for seen in client.observer.seen if seen[0] in ("responded", "failed")]
    assert len(outcomes) <= delivered


RESTORE = HttpRequest(method="GET", path="/2018-06-01/runtime/restore/next")


def test_nobody_waits_for_a_restore_whose_function_has_no_snapshots(client: Client) -> None:
    for answer in (client.send(RESTORE), client.post("restore/error")):
        assert answer is not None
        assert answer.status == 404
    assert client.observer.seen == []


def test_a_process_that_goes_on_is_answered_at_once(client: Client) -> None:
    client.session.restores = RestoreCalls.GO_ON
    answer = client.send(RESTORE)
    assert answer is not None
    # AWS's client for Java fails without a type.
    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert client.observer.seen == []
    assert client.send(NEXT) is None
    late = client.send(RESTORE)
    assert late is not None
    assert late.status == 403


def test_a_process_that_a_snapshot_is_made_of_waits(client: Client) -> None:
    client.session.restores = RestoreCalls.HELD
    assert client.send(RESTORE) is None
    assert client.observer.seen == [("ready",)]


def test_hooks_that_fail_after_a_restore_fail_the_init(client: Client) -> None:
    client.session.restores = RestoreCalls.GO_ON
    client.send(RESTORE)
    headers = {"lambda-runtime-function-error-type": "Runtime.AfterRestoreError"}
    answer = client.post("restore/error", b"{}", **headers)
    assert answer is not None
    assert answer.status == 202
    assert client.observer.seen == [("init_failed", "Runtime.AfterRestoreError", b"{}")]
