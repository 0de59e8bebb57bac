"""Requests that cannot be understood or break the service model, before any handler runs.

* ProtocolError
  + UnknownOperation      no operation has this method and path, target or action
  + MalformedRequest      the body or a parameter cannot be read as its type
  + ValidationError       a member breaks a constraint of the model

Decides code, text and status of these errors. Refuses to know the errors of the services
themselves, which come from their models.
"""

from __future__ import annotations


class ProtocolError(Exception):
    """A request that is refused before its operation runs.

    Attributes:
        code: AWS's name of the error, as on the wire.
        message: the text on the wire.
        status: HTTP status, or None to take the one that goes with the code.
    """

    def __init__(self, code: str, message: str, status: int | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


class UnknownOperation(ProtocolError):
    """The service has no such operation.

    REST and JSON services answer `UnknownOperationException`, 404; query services answer
    `InvalidAction`, 400.
    """

    def __init__(
        self, message: str, *, code: str = "UnknownOperationException", status: int = 404
    ) -> None:
        super().__init__(code, message, status)


class MalformedRequest(ProtocolError):
    """A body or parameter cannot be read: `SerializationException`, 400."""

    def __init__(self, message: str) -> None:
        super().__init__("SerializationException", message, 400)


class ValidationError(ProtocolError):
    """A member breaks a constraint of the model: `ValidationException`, 400."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message, 400)
