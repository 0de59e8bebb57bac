"""The Extensions API's rules for the extensions of one init: which call may follow which.

Decides and answers; knows nothing of sockets, sandboxes, processes or time. Requests come from
the guest and are hostile.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from lambdad.dataplane.extensions_api import messages
from lambdad.dataplane.extensions_api.extension import (
    INVOKE,
    SHUTDOWN,
    Extension,
    ExtensionFailure,
    ExtensionState,
    Reply,
)
from lambdad.dataplane.runtime_api.messages import ACCEPTED, NOT_FOUND
from lambdad.dataplane.telemetry_api.subscription import Api
from lambdad.domain import limits
from lambdad.protocol.http import HttpRequest, HttpResponse

PREFIX = "/2020-01-01/extension/"
TELEMETRY_PATH = "/2022-07-01/telemetry"
LOGS_PATH = "/2020-08-15/logs"
_SUBSCRIPTIONS = {TELEMETRY_PATH: Api.TELEMETRY, LOGS_PATH: Api.LOGS}
_REGISTRATION_BYTES_MAX = 64 * 1024


# Answers a subscription to telemetry: which API, the extension's name, the request's body.
Subscribe = Callable[[Api, str, bytes], HttpResponse]


class ExtensionObserver(Protocol):
    """Who is told what extensions did; called from within the request that did it."""

    def extension_registered(self) -> None:
        """One more has registered."""
        ...

    def extension_ready(self) -> None:
        """One asks for the next event and none is pending."""
        ...

    def extension_failed(self, failure: ExtensionFailure) -> None:
        """One could not initialise, or cannot go on, and said why."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionMetadata:
    """What extensions are told of the function."""

    name: str
    version: str
    handler: str
    account_id: str

    def document(self, *, with_account: bool) -> dict[str, str]:
        """Return it as a registration is answered."""
        document = {
            "functionName": self.name,
            "functionVersion": self.version,
            "handler": self.handler,
        }
        if with_account:
            document["accountId"] = self.account_id
        return document


class ExtensionsSession:
    """The calls of all extensions of one init.

    Mutable: the extensions, and whether internal ones may still register.

    Attributes:
        present: whether there are any.
    """

    def __init__(
        self,
        observer: ExtensionObserver,
        metadata: FunctionMetadata,
        names: Sequence[str] = (),
        *,
        subscribe: Subscribe,
    ) -> None:
        """`names` are those of the external extensions: the names of their files."""
        self._subscribe_to = subscribe
        self._observer = observer
        self._metadata = metadata
        self._open = True
        self.present = False
        self._by_name: dict[str, Extension] = {}
        self._by_identifier: dict[str, Extension] = {}
        for name in names:
            self._add(name, external=True)

    @property
    def extensions(self) -> Sequence[Extension]:
        """All of them, external ones first."""
        return tuple(self._by_name.values())

    @property
    def registered(self) -> bool:
        """Whether every external extension has registered."""
        return all(e.state is not ExtensionState.STARTED for e in self._by_name.values())

    @property
    def waiting(self) -> bool:
        """Whether every extension waits for an event."""
        # Most functions have none, and are asked at every invocation.
        return not self._by_name or all(
            e.state is ExtensionState.READY and e.pending is None for e in self._by_name.values()
        )

    def close_registration(self) -> None:
        """The runtime is ready: nobody may register any more."""
        self._open = False

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        """Answer one request now, or park it when it is a `next` without an event."""
        route = (request.method, request.path.removeprefix(PREFIX))
        if route == ("POST", "register"):
            reply(self._register(request))
            if self.registered:
                self._observer.extension_registered()
        elif route == ("GET", "event/next"):
            self._next(request, reply)
        elif route in (("POST", "init/error"), ("POST", "exit/error")):
            self._report(route[1].partition("/")[0], request, reply)
        elif request.path.rstrip("/") in _SUBSCRIPTIONS and request.method == "PUT":
            self._subscribe(request, reply)
        else:
            reply(NOT_FOUND)

    def invoke(self, event: HttpResponse) -> None:
        """Hand an INVOKE event to all that subscribed."""
        for extension in self._by_name.values():
            if INVOKE in extension.events and extension.listens:
                extension.hand(event)

    def shut_down(self, event: HttpResponse) -> None:
        """Hand a SHUTDOWN event to all that subscribed; those at work get it when they ask."""
        for extension in self._by_name.values():
            if SHUTDOWN in extension.events and extension.listens:
                extension.hand(event)

    def forget(self, reply: Reply) -> None:
        """A connection ended: if it held a parked `next`, nobody waits there any more."""
        for extension in self._by_name.values():
            if extension.parked == reply:
                extension.parked = None

    def _add(self, name: str, *, external: bool) -> Extension:
        extension = Extension(name=name, identifier=str(uuid.uuid4()), external=external)
        self._by_name[name] = extension
        self.present = True
        self._by_identifier[extension.identifier] = extension
        return extension

    def _register(self, request: HttpRequest) -> HttpResponse:
        name = request.headers.get("lambda-extension-name", "")
        if not name:
            return messages.NO_NAME
        try:
            events = _events(request.body)
        except ValueError as problem:
            return messages.invalid_format(str(problem))
        extension = self._by_name.get(name)
        external = extension is not None and extension.external
        for event in events:
            if event not in ((INVOKE, SHUTDOWN) if external else (INVOKE,)):
                return messages.invalid_event(event, external=external)
        if extension is not None and external:
            if not extension.may_enter(ExtensionState.REGISTERED):
                after = ExtensionState.REGISTERED
                return messages.invalid_transition(extension, after, named=name)
        elif (refusal := self._internal_refusal(extension)) is not None:
            return refusal
        else:
            extension = self._add(name, external=False)
        extension.state = ExtensionState.REGISTERED
        extension.events = tuple(dict.fromkeys(events))
        features = request.headers.get("lambda-extension-accept-feature", "").split(",")
        with_account = "accountId" in [feature.strip() for feature in features]
        document = self._metadata.document(with_account=with_account)
        return messages.registered(extension.identifier, document)

    def _internal_refusal(self, known: Extension | None) -> HttpResponse | None:
        if not self._open:
            return messages.CLOSED
        if known is not None:
            return messages.NAME_TAKEN
        if len(self._by_name) >= limits.EXTENSIONS:
            return messages.TOO_MANY
        return None

    def _identified(self, request: HttpRequest) -> Extension | HttpResponse | str:
        """The extension that asks, the refusal, or the identifier that nobody has."""
        given = request.headers.get("lambda-extension-identifier", "")
        if not given:
            return messages.NO_IDENTIFIER
        try:
            identifier = str(uuid.UUID(given))
        except ValueError:
            return messages.INVALID_IDENTIFIER
        return self._by_identifier.get(identifier, identifier)

    def _next(self, request: HttpRequest, reply: Reply) -> None:
        extension = self._identified(request)
        if isinstance(extension, HttpResponse):
            reply(extension)
            return
        if isinstance(extension, str):
            reply(messages.unknown_extension(extension))
            return
        # One whose connection broke while it waited may ask again.
        lost = extension.state is ExtensionState.READY and extension.parked is None
        if not lost and not extension.may_enter(ExtensionState.READY):
            after = ExtensionState.READY
            reply(messages.invalid_transition(extension, after, named=extension.identifier))
            return
        extension.state = ExtensionState.READY
        extension.wait(reply)
        if extension.state is ExtensionState.READY:
            self._observer.extension_ready()

    def _subscribe(self, request: HttpRequest, reply: Reply) -> None:
        extension = self._identified(request)
        if isinstance(extension, HttpResponse):
            reply(extension)
        elif isinstance(extension, str):
            reply(messages.unknown_extension(extension))
        else:
            api = _SUBSCRIPTIONS[request.path.rstrip("/")]
            reply(self._subscribe_to(api, extension.name, request.body))

    def _report(self, phase: str, request: HttpRequest, reply: Reply) -> None:
        extension = self._identified(request)
        if isinstance(extension, str):
            extension = messages.UNKNOWN_IDENTIFIER
        if isinstance(extension, HttpResponse):
            reply(extension)
            return
        error_type = request.headers.get(messages.ERROR_TYPE_HEADER.lower(), "")
        if not error_type:
            reply(messages.NO_ERROR_TYPE)
            return
        state = ExtensionState.INIT_ERROR if phase == "init" else ExtensionState.EXIT_ERROR
        if not extension.may_enter(state):
            # AWS quirk: of the state after `/exit/error` it says Exited here.
            after = "Exited" if state is ExtensionState.EXIT_ERROR else str(state)
            reply(messages.invalid_transition(extension, after, named=extension.identifier))
            return
        reply(ACCEPTED)
        if extension.state is state:
            return
        extension.state, extension.error_type = state, error_type
        self._observer.extension_failed(
            ExtensionFailure(error_type=f"Extension.{state}", reason=error_type)
        )


def _events(body: bytes) -> Sequence[str]:
    """The events of a registration. Raises ValueError when it cannot be read."""
    if len(body) > _REGISTRATION_BYTES_MAX:
        raise ValueError("the registration is too long")
    if not body:
        raise ValueError("unexpected end of JSON input")
    try:
        document = json.loads(body)
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    if not isinstance(document, dict):
        raise ValueError("the registration is no JSON object")
    if document.get("configurationKeys"):
        raise ValueError("configurationKeys are deprecated; use environment variables instead")
    events = document.get("events")
    if events is None:
        return ()
    if not isinstance(events, list) or not all(isinstance(event, str) for event in events):
        raise ValueError("events: a list of strings is expected")
    return events
