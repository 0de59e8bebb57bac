"""EventBridge's errors, by their names in the service model."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class IllegalStatusException(ServiceException):
    """A replay or archive is in a state in which this cannot be done."""


class InvalidEventPatternException(ServiceException):
    """A text is no event pattern."""


class LimitExceededException(ServiceException):
    """There would be too many."""


class ManagedRuleException(ServiceException):
    """A rule belongs to a service of AWS."""


class ResourceAlreadyExistsException(ServiceException):
    """There is one of that name."""


class ResourceNotFoundException(ServiceException):
    """There is none of that name."""


class ValidationException(ServiceException):
    """A parameter is not acceptable."""


def no_bus(name: str) -> ResourceNotFoundException:
    """The error for a bus that is not there."""
    return ResourceNotFoundException(f"Event bus {name} does not exist.")


def no_rule(name: str, bus: str) -> ResourceNotFoundException:
    """The error for a rule that is not there."""
    return ResourceNotFoundException(f"Rule {name} does not exist on EventBus {bus}.")


def invalid_pattern(reason: object) -> InvalidEventPatternException:
    """The error for a text that is no pattern."""
    return InvalidEventPatternException(f"Event pattern is not valid. Reason: {reason}")


def too_many() -> LimitExceededException:
    """The error for one more than there may be."""
    return LimitExceededException("The requested resource exceeds the maximum number allowed.")
