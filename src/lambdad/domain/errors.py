"""Every error that lambdad raises on purpose, sorted by who is to blame.

* LambdadError
  + ServiceException        the caller erred; on the wire under its AWS name
  + FunctionError           the customer's code erred; the invocation is still HTTP 200
  + VersionFailed           the customer's code erred while its version was made
  + PlatformError           we or the host erred; the caller sees an opaque ServiceException

HTTP status and body layout of a `ServiceException` are read from the service model
(`lambdad.protocol.serializer`), so these classes carry only what the model cannot know.
"""

from __future__ import annotations

from typing import Any, ClassVar


class LambdadError(Exception):
    """Base of everything raised on purpose."""


class ServiceException(LambdadError):
    """An error the caller sees, named exactly as in the AWS service model.

    Attributes:
        message: the text on the wire.
        members: further members of the error shape, for example `{"Reason": "..."}`; structured
            ones as results of operations have them.
    """

    code: ClassVar[str] = "ServiceException"

    def __init__(self, message: str, **members: Any) -> None:
        super().__init__(message)
        self.message = message
        self.members = members

    def __init_subclass__(cls) -> None:
        cls.code = cls.__name__


class ValidationException(ServiceException):
    """A request member breaks a constraint of the model."""


class InvalidParameterValueException(ServiceException):
    """A parameter is well formed but not acceptable."""


class InvalidRequestContentException(ServiceException):
    """The payload of an invocation is not JSON."""


class ResourceNotFoundException(ServiceException):
    """The named resource does not exist."""


class ResourceConflictException(ServiceException):
    """The resource exists already or is busy."""


class ResourceInUseException(ServiceException):
    """The resource is being changed or others depend on it."""


class CodeVerificationFailedException(ServiceException):
    """A package is not signed as the code signing configuration demands."""


class EFSMountFailureException(ServiceException):
    """A file system of the function cannot be mounted."""


class PreconditionFailedException(ServiceException):
    """The given RevisionId is not the latest."""


class ProvisionedConcurrencyConfigNotFoundException(ServiceException):
    """The named version or alias has no provisioned concurrency."""


class TooManyRequestsException(ServiceException):
    """A concurrency or rate limit was reached; `Reason` says which."""


class SnapStartException(ServiceException):
    """What a function wants done after it was restored from a snapshot failed."""


class SnapStartTimeoutException(ServiceException):
    """A function was not restored from a snapshot in time."""


class SnapStartNotReadyException(ServiceException):
    """The snapshot of a version is still being made."""


class RecursiveInvocationException(ServiceException):
    """The function invokes itself, by others perhaps, over and over."""


class RequestTooLargeException(ServiceException):
    """The payload of an invocation exceeds its limit."""


class RequestEntityTooLargeException(ServiceException):
    """A control plane request exceeds its limit (413); not in the service model."""


class CodeStorageExceededException(ServiceException):
    """The account's code storage is full."""


class CodeSigningConfigNotFoundException(ServiceException):
    """The named code signing configuration does not exist."""


class AccessDeniedException(ServiceException):
    """The caller may not do this."""


class PolicyLengthExceededException(ServiceException):
    """A resource policy exceeds its limit."""


class PublicPolicyException(ServiceException):
    """A resource policy would let everybody do more than invoke."""


class NotImplementedException(ServiceException):
    """An AWS operation that lambdad does not serve yet; the message names it."""


class FunctionError(LambdadError):
    """The customer's code failed.

    Attributes:
        error_type: for example `Runtime.ExitError`; goes to the payload and to metrics.
        payload: the JSON document the caller receives.
    """

    def __init__(self, error_type: str, payload: bytes) -> None:
        super().__init__(error_type)
        self.error_type = error_type
        self.payload = payload


class VersionFailed(LambdadError):
    """A version cannot be brought into service, by its own fault.

    Attributes:
        reason_code: its `StateReasonCode`; the text is the `StateReason`.
    """

    def __init__(self, reason: str, reason_code: str) -> None:
        super().__init__(reason)
        self.reason_code = reason_code


class PlatformError(LambdadError):
    """The platform failed: logged in full, opaque on the wire."""


class HostUnfit(PlatformError):
    """This host cannot do what was asked.

    Attributes:
        cause: one line: what is missing.
        remedy: one line: what the operator can do about it.
    """

    def __init__(self, cause: str, remedy: str) -> None:
        super().__init__(f"{cause} {remedy}")
        self.cause = cause
        self.remedy = remedy
