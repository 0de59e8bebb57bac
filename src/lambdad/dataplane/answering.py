"""The work that an environment has in hand, and what its runtime answers."""

from __future__ import annotations

from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.occupant import Occupant
from lambdad.dataplane.streaming import Flow
from lambdad.dataplane.work import Work


class Answering(Occupant):
    """Base of environments: brings answers to the work. Mutable: the work in hand."""

    def __init__(self, host: EnvironmentHost) -> None:
        super().__init__(host)
        self._work: Work | None = None
        self._monotonic = host.clock.monotonic

    @property
    def _request_id(self) -> str:
        return self._work.invocation.request_id if self._work is not None else ""

    def _elapsed(self, work: Work) -> float:
        return 0.0 if work.begun is None else self._monotonic() - work.begun

    def invocation_responded(self, payload: bytes) -> None:
        """See `RuntimeObserver`."""
        if self._work is not None:
            self._work.respond(payload, self._monotonic())

    def invocation_failed(self, error_type: str, payload: bytes) -> None:
        """See `RuntimeObserver`."""
        if self._work is not None:
            self._work.respond_error(error_type, payload, self._monotonic())

    def response_began(self, content_type: str, flow: Flow) -> None:
        """See `RuntimeObserver`."""
        if self._work is not None:
            self._work.begin_stream(content_type, flow, self._monotonic())

    def response_piece(self, piece: bytes) -> None:
        """See `RuntimeObserver`."""
        if self._work is not None:
            self._work.add_piece(piece)

    def response_ended(self, error: tuple[str, bytes] | None) -> None:
        """See `RuntimeObserver`."""
        if self._work is not None:
            self._work.end_stream(error, self._monotonic())
