"""Invocations whose outcome a front door waits for so long, and is told of by a call: no task."""

from __future__ import annotations

from collections.abc import Callable

from lambdad.controlplane.references import Target
from lambdad.dataplane.invoker import Invoker
from lambdad.dataplane.timing import Deadlines, Due
from lambdad.domain.errors import LambdadError
from lambdad.domain.invocations import Invocation, InvocationResult

Outcome = InvocationResult | LambdadError | TimeoutError
Told = Callable[[Outcome], None]


class _Waiting:
    """See `domain.invocations.Waiter`, and `dataplane.timing.Timed`. Mutable: who is still told."""

    __slots__ = ("_told", "due")

    def __init__(self, told: Told) -> None:
        self._told: Told | None = told
        self.due: Due | None = None

    def done(self) -> bool:
        """Whether the outcome came, or came too late."""
        return self._told is None

    def set_result(self, result: InvocationResult, /) -> None:
        """It ran."""
        self._tell(result)

    def set_exception(self, exception: LambdadError, /) -> None:
        """It did not."""
        self._tell(exception)

    def timed_out(self) -> None:
        """It takes too long; it goes on for nobody."""
        self._tell(TimeoutError())

    def _tell(self, outcome: Outcome) -> None:
        if self.due is not None:
            self.due.pop(self, None)
        told, self._told = self._told, None
        if told is not None:
            told(outcome)


class Waits:
    """Begins invocations. Mutable: for which of them the time runs."""

    def __init__(self, invoker: Invoker) -> None:
        self._begin = invoker.begin
        self._deadlines = Deadlines()

    def begin(self, target: Target, invocation: Invocation, limit_s: float, told: Told) -> None:
        """Run a function; `told` gets the outcome once, perhaps now.

        A LambdadError says why it did not run, TimeoutError that it took longer than `limit_s`.
        """
        waiting = _Waiting(told)
        try:
            self._begin(target.key, target.qualifier, invocation, waiting)
        except LambdadError as error:
            waiting.set_exception(error)
            return
        if not waiting.done():
            waiting.due = self._deadlines.arm(waiting, limit_s)
