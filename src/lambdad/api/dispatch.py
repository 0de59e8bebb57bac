"""Which function serves which operation of a service.

A resource's module registers its operations with `@SERVICE.operation("GetFunction")`. Names come
from the service model and nothing else; wire forms are none of this module's business.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from botocore.model import ServiceModel

from lambdad.api.context import ServiceContext
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.model import load_service, protocols_of
from lambdad.protocol.router import Router

S = TypeVar("S")
Params = Mapping[str, Any]
Result = Mapping[str, Any]
Handler = Callable[[ServiceContext[S], Params], Awaitable["Result | Answer"]]
RequestCheck = Callable[[HttpRequest], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A result with what the service model does not describe.

    Attributes:
        headers: of HTTP, beside those of the result.
        pieces: the body, when it comes bit by bit.
        length: of the body in pieces, or of the one that HEAD does not get, in bytes.
        status: of HTTP, where it is another than the model's.
    """

    result: Result
    headers: Mapping[str, str]
    pieces: AsyncGenerator[bytes, None] | None = None
    length: int | None = None
    status: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation(Generic[S]):
    """A served operation.

    Attributes:
        lenient: top-level members whose constraints the model states and the service does not
            hold: the handler checks them itself.
        check: looks at the raw request before its body is parsed; raises to refuse it.
    """

    name: str
    handler: Handler[S]
    lenient: frozenset[str] = frozenset()
    check: RequestCheck | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """One of the protocols that a service speaks; `model.metadata` names it."""

    model: ServiceModel
    router: Router


class Service(Generic[S]):
    """A service and the operations of it that are served; `S` is what they call."""

    def __init__(self, name: str, *, invalid: str = "ValidationException") -> None:
        """`name` is botocore's, for example `lambda`.

        `invalid` is what the service calls a request that breaks a constraint of its model.
        """
        self.name = name
        self.invalid = invalid
        self.model = load_service(name)
        models = [load_service(name, protocol) for protocol in protocols_of(name)]
        self._wires = tuple(Wire(model=each, router=Router(each)) for each in models)
        self._operations: dict[str, Operation[S]] = {}
        self._refused: dict[str, str] = {}

    def wire(self, request: HttpRequest) -> Wire:
        """Return the protocol that a request uses: JSON has a target, the query protocol none."""
        if len(self._wires) == 1 or "x-amz-target" in request.headers:
            return self._wires[0]
        return self._wires[-1]

    def refuse(self, why: str, *names: str) -> None:
        """Say why operations are not offered, and what to do instead.

        Raises:
            ValueError: the model has no such operation.
        """
        for name in names:
            if name not in self.model.operation_names:
                raise ValueError(f"The service model of {self.name} has no operation {name}.")
            self._refused[name] = f"{self.name}:{name} is not offered by lambdad: {why}"

    def why_refused(self, name: str) -> str | None:
        """Return what callers of an operation are told, if there is more to say than no."""
        return self._refused.get(name)

    def operation(
        self, name: str, *, lenient: Sequence[str] = (), check: RequestCheck | None = None
    ) -> Callable[[Handler[S]], Handler[S]]:
        """Register the decorated function for an operation.

        Raises:
            ValueError: the model has no such operation, or it has a handler already.
        """
        if name not in self.model.operation_names:
            raise ValueError(f"The service model of {self.name} has no operation {name}.")
        if name in self._operations:
            raise ValueError(f"{self.name}.{name} has a handler already.")

        def register(handler: Handler[S]) -> Handler[S]:
            self._operations[name] = Operation(
                name=name, handler=handler, lenient=frozenset(lenient), check=check
            )
            return handler

        return register

    def find(self, name: str) -> Operation[S] | None:
        """Return the served operation of this name, or None."""
        return self._operations.get(name)

    def served(self) -> Sequence[str]:
        """Names of the operations that are served, sorted."""
        return sorted(self._operations)

    def missing(self) -> Sequence[str]:
        """Names of the operations of the model that are not served, sorted."""
        return sorted(set(self.model.operation_names) - self._operations.keys())
