"""CloudFormation's errors, by the names of their shapes; further ones as the API has them."""

from __future__ import annotations

from lambdad.domain.errors import ServiceException


class ValidationError(ServiceException):
    """A template, a parameter or a name is not acceptable, or a stack is not in the state."""


class AlreadyExistsException(ServiceException):
    """There is a stack or change set of that name."""


class ChangeSetNotFoundException(ServiceException):
    """There is no such change set."""


class InsufficientCapabilitiesException(ServiceException):
    """The template makes what the caller did not acknowledge."""


class InvalidChangeSetStatusException(ServiceException):
    """The change set cannot be executed as it is."""


class TypeNotFoundException(ServiceException):
    """There is no such type of resources."""


class TokenAlreadyExistsException(ServiceException):
    """Another operation has this client request token."""


def no_stack(name: str) -> ValidationError:
    """Return what calls by the name or id of a stack that is not there get."""
    return ValidationError(f"Stack with id {name} does not exist")


def no_change_set(name: str) -> ChangeSetNotFoundException:
    """Return what calls for a change set that is not there get."""
    return ChangeSetNotFoundException(f"ChangeSet [{name}] does not exist")
