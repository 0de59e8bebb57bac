"""An extension: what is known of it, and which of its states may follow which."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from lambdad.protocol.http import HttpResponse

Reply = Callable[[HttpResponse], None]

INVOKE = "INVOKE"
SHUTDOWN = "SHUTDOWN"


class ExtensionState(StrEnum):
    """Where an extension stands."""

    STARTED = "Started"
    REGISTERED = "Registered"
    READY = "Ready"
    RUNNING = "Running"
    INIT_ERROR = "InitError"
    EXIT_ERROR = "ExitError"
    LAUNCH_ERROR = "LaunchError"


_S = ExtensionState
TRANSITIONS: Mapping[ExtensionState, frozenset[ExtensionState]] = {
    _S.STARTED: frozenset({_S.REGISTERED, _S.LAUNCH_ERROR}),
    _S.REGISTERED: frozenset({_S.READY, _S.INIT_ERROR, _S.EXIT_ERROR}),
    _S.READY: frozenset({_S.RUNNING, _S.EXIT_ERROR}),
    _S.RUNNING: frozenset({_S.READY, _S.EXIT_ERROR}),
    # AWS: an error may be reported again; the first one counts.
    _S.INIT_ERROR: frozenset({_S.INIT_ERROR}),
    _S.EXIT_ERROR: frozenset({_S.EXIT_ERROR}),
    _S.LAUNCH_ERROR: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtensionFailure:
    """An extension that ends its environment.

    Attributes:
        error_type: `Extension.Crash`, `.ExitError`, `.InitError` or `.LaunchError`.
        reason: how it ended, or the error type it reported.
    """

    error_type: str
    reason: str


@dataclass(slots=True, kw_only=True, eq=False)
class Extension:
    """One extension of an environment.

    Mutable: all but its name, its identifier and whether it is external.

    Attributes:
        external: whether it is a process of its own; internal ones live in the runtime's.
        events: what it subscribed to, in the order of its registration.
        error_type: why it failed, as the log says it; None as long as it has not.
        parked: its `next` that waits for an event.
        pending: an event that nobody was there to take, None if there is none.
    """

    name: str
    identifier: str
    external: bool
    state: ExtensionState = ExtensionState.STARTED
    events: tuple[str, ...] = ()
    error_type: str | None = None
    parked: Reply | None = None
    pending: HttpResponse | None = None

    @property
    def listens(self) -> bool:
        """Whether it has asked for an event at least once and can take others."""
        return self.state in (ExtensionState.READY, ExtensionState.RUNNING)

    def may_enter(self, state: ExtensionState) -> bool:
        """Whether a state may follow its own."""
        return state in TRANSITIONS[self.state]

    def wait(self, reply: Reply) -> None:
        """Take the event that is pending, or wait for the next one."""
        if self.pending is not None:
            response, self.pending = self.pending, None
            self.state = ExtensionState.RUNNING
            reply(response)
        else:
            self.parked = reply

    def hand(self, response: HttpResponse) -> None:
        """Give it an event, or keep it until it asks."""
        if self.parked is None:
            self.pending = response
            return
        reply, self.parked = self.parked, None
        self.state = ExtensionState.RUNNING
        reply(response)
