"""Extensions that call in any order: nobody misses an event, nobody gets one twice."""

from __future__ import annotations

import json
from collections.abc import Callable

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from lambdad.dataplane.extensions_api import messages
from lambdad.dataplane.extensions_api.extension import ExtensionFailure, ExtensionState
from lambdad.dataplane.extensions_api.session import ExtensionsSession, FunctionMetadata
from lambdad.dataplane.telemetry_api.subscription import Api
from lambdad.protocol.http import HttpRequest, HttpResponse

METADATA = FunctionMetadata(name="f", version="1", handler="app.handler", account_id="000000000000")
INVOKE = messages.invoke_event(
    deadline_ms=1, request_id="id-1", invoked_arn="arn:f", trace_header="Root=1-0-0"
)


class Nobody:
    """Hears everything, does nothing."""

    def extension_registered(self) -> None: ...

    def extension_ready(self) -> None: ...

    def extension_failed(self, failure: ExtensionFailure) -> None: ...


def nothing(api: Api, name: str, body: bytes) -> HttpResponse:
    raise AssertionError((api, name, body))


class Life(RuleBasedStateMachine):
    """Two external extensions and a platform, each at its own pace."""

    def __init__(self) -> None:
        super().__init__()
        self.session = ExtensionsSession(Nobody(), METADATA, "ab", subscribe=nothing)
        self.known: dict[str, str] = {}
        self.parked: dict[str, Callable[[HttpResponse], None]] = {}
        self.owed: dict[str, int] = {}
        self.got: dict[str, int] = {}

    def _state(self, name: str) -> ExtensionState:
        return {e.name: e.state for e in self.session.extensions}[name]

    def _call(self, method: str, tail: str, body: bytes = b"{}", **headers: str) -> HttpResponse:
        answers: list[HttpResponse] = []
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        path = f"/2020-01-01/extension/{tail}"
        request = HttpRequest(method=method, path=path, headers=sent, body=body)
        self.session.handle(request, answers.append)
        (answer,) = answers
        return answer

    @rule(name=st.sampled_from("ab"))
    def register(self, name: str) -> None:
        body = json.dumps({"events": ["INVOKE"]}).encode()
        answer = self._call("POST", "register", body, lambda_extension_name=name)
        assert (answer.status == 200) is (name not in self.known)
        if answer.status == 200:
            self.known[name] = answer.headers["Lambda-Extension-Identifier"]

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def next(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.known)))
        before = self._state(name)
        refused = before not in (ExtensionState.REGISTERED, ExtensionState.RUNNING)
        refused = refused and not (before is ExtensionState.READY and name not in self.parked)
        statuses: list[int] = []

        def reply(response: HttpResponse) -> None:
            statuses.append(response.status)
            if response.status == 200:
                self.parked.pop(name, None)
                self.got[name] = self.got.get(name, 0) + 1

        headers = {"lambda-extension-identifier": self.known[name]}
        path = "/2020-01-01/extension/event/next"
        request = HttpRequest(method="GET", path=path, headers=headers)
        self.session.handle(request, reply)
        assert (403 in statuses) is refused
        if not statuses:
            self.parked[name] = reply

    @precondition(lambda self: self.parked)
    @rule(data=st.data())
    def lose_the_connection(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.parked)))
        self.session.forget(self.parked.pop(name))

    @precondition(lambda self: len(self.known) == 2 and self.session.waiting)
    @rule()
    def invoke(self) -> None:
        for name in self.known:
            self.owed[name] = self.owed.get(name, 0) + 1
        self.session.invoke(INVOKE)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def fail(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.known)))
        answer = self._call(
            "POST",
            "exit/error",
            lambda_extension_identifier=self.known[name],
            lambda_extension_function_error_type="Extension.X",
        )
        assert answer.status == 202
        assert self._state(name) is ExtensionState.EXIT_ERROR

    @invariant()
    def an_event_is_late_only_where_nobody_was_there_to_take_it(self) -> None:
        for name, owed in self.owed.items():
            late = owed - self.got.get(name, 0)
            assert late in ((0, 1) if name not in self.parked else (0,))

    @invariant()
    def all_wait_only_when_each_is_ready_and_owed_nothing(self) -> None:
        if self.session.waiting:
            assert all(e.state is ExtensionState.READY for e in self.session.extensions)
            assert self.got == self.owed


TestLife = Life.TestCase
