"""The Extensions API's order of calls, and what an extension that breaks it is told."""

from __future__ import annotations

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambdad.dataplane.extensions_api import messages
from lambdad.dataplane.extensions_api.extension import ExtensionFailure
from lambdad.dataplane.extensions_api.session import ExtensionsSession, FunctionMetadata
from lambdad.dataplane.telemetry_api.subscription import Api
from lambdad.protocol.http import HttpRequest, HttpResponse

METADATA = FunctionMetadata(name="f", version="1", handler="app.handler", account_id="000000000000")
INVOKE = messages.invoke_event(
    deadline_ms=1, request_id="id-1", invoked_arn="arn:f", trace_header="Root=1-0-0"
)
SHUTDOWN = messages.shutdown_event(reason="spindown", deadline_ms=2)


class Observer:
    def __init__(self) -> None:
        self.registered = self.ready = 0
        self.failures: list[ExtensionFailure] = []

    def extension_registered(self) -> None:
        self.registered += 1

    def extension_ready(self) -> None:
        self.ready += 1

    def extension_failed(self, failure: ExtensionFailure) -> None:
        self.failures.append(failure)


class Client:
    """What calls a session. `answers` has what came, parked calls included."""

    def __init__(self, *names: str) -> None:
        self.observer = Observer()
        self.session = ExtensionsSession(self.observer, METADATA, names, subscribe=self.subscribe)
        self.answers: list[HttpResponse] = []
        self.subscriptions: list[tuple[str, str, bytes]] = []

    def subscribe(self, api: Api, name: str, body: bytes) -> HttpResponse:
        self.subscriptions.append((api.value, name, body))
        return HttpResponse(status=200, headers={}, body=b'"OK"')

    def call(
        self, method: str, tail: str, body: bytes = b"", **headers: str
    ) -> HttpResponse | None:
        before = len(self.answers)
        path = tail if tail.startswith("/") else f"/2020-01-01/extension/{tail}"
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = HttpRequest(method=method, path=path, headers=sent, body=body)
        self.session.handle(request, self.answers.append)
        return self.answers[-1] if len(self.answers) > before else None

    def register(self, name: str, *events: str, **headers: str) -> HttpResponse:
        body = json.dumps({"events": events}).encode()
        answer = self.call("POST", "register", body, lambda_extension_name=name, **headers)
        assert answer is not None
        return answer

    def identifier(self, name: str, *events: str) -> str:
        return self.register(name, *events).headers["Lambda-Extension-Identifier"]

    def next(self, identifier: str) -> HttpResponse | None:
        return self.call("GET", "event/next", lambda_extension_identifier=identifier)

    def report(self, phase: str, identifier: str, error_type: str) -> HttpResponse | None:
        return self.call(
            "POST",
            f"{phase}/error",
            b"{}",
            lambda_extension_identifier=identifier,
            lambda_extension_function_error_type=error_type,
        )


def error_of(answer: HttpResponse | None) -> tuple[int, str, str]:
    assert answer is not None
    document = json.loads(answer.body)
    return answer.status, document["errorType"], document["errorMessage"]


def not_allowed(before: str, after: str, whose: str) -> str:
    return (
        f"State transition from {before} to {after} failed for extension {whose}. "
        "Error: State transition is not allowed"
    )


def test_a_registration_is_answered_with_the_function_and_an_identifier() -> None:
    client = Client("watch")
    assert not client.session.registered
    answer = client.register("watch", "INVOKE", "SHUTDOWN")
    assert answer.status == 200
    uuid.UUID(answer.headers["Lambda-Extension-Identifier"])
    assert json.loads(answer.body) == {
        "functionName": "f",
        "functionVersion": "1",
        "handler": "app.handler",
    }
    assert client.session.registered
    assert client.observer.registered == 1


def test_the_account_is_told_to_who_asks_for_it() -> None:
    answer = Client().register("inside", lambda_extension_accept_feature="x, accountId")
    assert json.loads(answer.body)["accountId"] == "000000000000"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "unexpected end of JSON input"),
        (b"[]", "the registration is no JSON object"),
        (b'{"events":"INVOKE"}', "events: a list of strings is expected"),
        (b'{"events":[1]}', "events: a list of strings is expected"),
        (
            b'{"configurationKeys":["x"]}',
            "configurationKeys are deprecated; use environment variables instead",
        ),
        (b"[" * 60_000, "exceeded max depth"),
        (b" " * 70_000, "the registration is too long"),
    ],
)
def test_a_registration_that_cannot_be_read_is_refused(body: bytes, problem: str) -> None:
    answer = Client().call("POST", "register", body, lambda_extension_name="x")
    assert error_of(answer) == (403, "InvalidRequestFormat", problem)


def test_a_registration_needs_a_name() -> None:
    answer = Client().call("POST", "register", b"{}")
    assert error_of(answer) == (403, "Extension.InvalidExtensionName", "Empty extension name")


@pytest.mark.parametrize(
    ("name", "event", "problem"),
    [
        ("watch", "START", "START: ErrorInvalidEventType"),
        ("inside", "START", "START: ErrorInvalidEventType"),
        ("inside", "SHUTDOWN", "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension"),
    ],
)
def test_an_event_that_is_not_for_it_is_refused(name: str, event: str, problem: str) -> None:
    answer = Client("watch").register(name, "INVOKE", event)
    assert error_of(answer) == (403, "Extension.InvalidEventType", problem)


def test_nobody_registers_twice() -> None:
    client = Client("watch")
    client.register("watch")
    client.register("inside")
    assert error_of(client.register("watch")) == (
        403,
        "Extension.InvalidExtensionState",
        not_allowed("Registered", "Registered", "watch"),
    )
    assert error_of(client.register("inside")) == (
        403,
        "Extension.InvalidExtensionState",
        "Extension with this name already registered",
    )


def test_there_are_ten_extensions_at_most() -> None:
    client = Client("watch")
    for number in range(9):
        assert client.register(f"inside-{number}").status == 200
    assert error_of(client.register("one-more")) == (
        403,
        "Extension.TooManyExtensions",
        "Extension limit (10) reached",
    )


def test_nobody_registers_once_the_runtime_is_ready() -> None:
    client = Client()
    client.session.close_registration()
    assert error_of(client.register("late")) == (
        403,
        "Extension.RegistrationClosed",
        "Extension registration closed already",
    )


@pytest.mark.parametrize(
    ("method", "tail", "unknown"),
    [
        ("GET", "event/next", "Unknown extension {}"),
        ("POST", "init/error", "Unknown Lambda-Extension-Identifier"),
        ("POST", "exit/error", "Unknown Lambda-Extension-Identifier"),
        ("PUT", "/2022-07-01/telemetry", "Unknown extension {}"),
        ("PUT", "/2020-08-15/logs", "Unknown extension {}"),
    ],
)
def test_every_other_call_needs_a_known_identifier(method: str, tail: str, unknown: str) -> None:
    client = Client()
    stranger = str(uuid.uuid4())

    def ask(**headers: str) -> tuple[int, str, str]:
        return error_of(client.call(method, tail, b"{}", **headers))

    assert ask() == (
        403,
        "Extension.MissingExtensionIdentifier",
        "Missing Lambda-Extension-Identifier header",
    )
    assert ask(lambda_extension_identifier="x") == (
        403,
        "Extension.InvalidExtensionIdentifier",
        "Invalid Lambda-Extension-Identifier",
    )
    assert ask(lambda_extension_identifier=stranger) == (
        403,
        "Extension.UnknownExtensionIdentifier",
        unknown.format(stranger),
    )


@pytest.mark.parametrize(
    ("path", "api"),
    [
        ("/2022-07-01/telemetry", "Telemetry"),
        ("/2022-07-01/telemetry/", "Telemetry"),
        ("/2020-08-15/logs", "Logs"),
    ],
)
def test_a_subscription_is_passed_on_with_the_name_of_who_subscribes(path: str, api: str) -> None:
    client = Client("watch")
    me = client.identifier("watch")
    answer = client.call("PUT", path, b"{}", lambda_extension_identifier=me)
    assert answer is not None
    assert answer.status == 200
    assert client.subscriptions == [(api, "watch", b"{}")]
    for header in ({}, {"lambda_extension_identifier": str(uuid.uuid4())}):
        refused = client.call("PUT", path, b"{}", **header)
        assert refused is not None
        assert refused.status == 403
    assert len(client.subscriptions) == 1


def test_an_event_goes_to_those_that_subscribed() -> None:
    client = Client("watch", "silent")
    watch, silent = client.identifier("watch", "INVOKE"), client.identifier("silent")
    assert (client.next(watch), client.next(silent)) == (None, None)
    assert client.session.waiting
    client.session.invoke(INVOKE)
    assert client.answers[-1] is INVOKE
    assert client.answers.count(INVOKE) == 1
    assert not client.session.waiting
    client.next(watch)
    assert client.session.waiting
    client.session.shut_down(SHUTDOWN)
    assert SHUTDOWN not in client.answers


def test_an_invoke_event_has_what_extensions_read() -> None:
    assert json.loads(INVOKE.body) == {
        "eventType": "INVOKE",
        "deadlineMs": 1,
        "requestId": "id-1",
        "invokedFunctionArn": "arn:f",
        "tracing": {"type": "X-Amzn-Trace-Id", "value": "Root=1-0-0"},
    }
    uuid.UUID(INVOKE.headers["Lambda-Extension-Event-Identifier"])


def test_who_asks_twice_at_once_is_refused_but_a_lost_connection_may_ask_again() -> None:
    client = Client("watch")
    me = client.identifier("watch", "INVOKE")
    client.next(me)
    assert error_of(client.next(me))[1] == "Extension.InvalidExtensionState"
    client.session.forget(client.answers.append)
    assert client.next(me) is None


def test_an_event_that_nobody_took_is_kept() -> None:
    client = Client("watch")
    me = client.identifier("watch", "INVOKE")
    client.next(me)
    client.session.forget(client.answers.append)
    client.session.invoke(INVOKE)
    assert not client.session.waiting
    assert client.next(me) is INVOKE
    assert not client.session.waiting
    client.next(me)
    assert client.session.waiting


def test_who_is_at_work_is_shut_down_when_it_asks() -> None:
    client = Client("watch")
    me = client.identifier("watch", "INVOKE", "SHUTDOWN")
    client.next(me)
    client.session.invoke(INVOKE)
    client.session.shut_down(SHUTDOWN)
    assert client.next(me) is SHUTDOWN


@pytest.mark.parametrize("phase", ["init", "exit"])
def test_an_error_is_taken_once(phase: str) -> None:
    client = Client("watch")
    me = client.identifier("watch")
    for error_type in ("Extension.First", "Extension.Second"):
        answer = client.report(phase, me, error_type)
        assert answer is not None
        assert (answer.status, answer.body) == (202, b'{"status":"OK"}\n')
    kind = "Extension.InitError" if phase == "init" else "Extension.ExitError"
    assert client.observer.failures == [ExtensionFailure(error_type=kind, reason="Extension.First")]
    assert error_of(client.next(me))[0] == 403


def test_an_error_needs_its_type() -> None:
    client = Client("watch")
    answer = client.call(
        "POST", "exit/error", b"{}", lambda_extension_identifier=client.identifier("watch")
    )
    assert error_of(answer) == (
        403,
        "Extension.MissingHeader",
        "Lambda-Extension-Function-Error-Type not found",
    )


def test_an_init_is_not_failed_behind_its_end() -> None:
    client = Client("watch")
    me = client.identifier("watch")
    client.next(me)
    assert error_of(client.report("init", me, "Extension.X")) == (
        403,
        "Extension.InvalidExtensionState",
        not_allowed("Ready", "InitError", me),
    )


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    tail=st.sampled_from(["register", "event/next", "init/error", "exit/error", "x", ""]),
    body=st.binary(max_size=200) | st.from_regex(rb'\{"events":.*\}', fullmatch=True),
    headers=st.dictionaries(
        st.sampled_from(
            [
                "lambda_extension_name",
                "lambda_extension_identifier",
                "lambda_extension_function_error_type",
            ]
        ),
        st.text(max_size=40),
    ),
)
def test_whatever_a_guest_sends_is_answered(
    method: str, tail: str, body: bytes, headers: dict[str, str]
) -> None:
    answer = Client("watch").call(method, tail, body, **headers)
    assert answer is not None
    assert answer.status in (200, 403, 404)
