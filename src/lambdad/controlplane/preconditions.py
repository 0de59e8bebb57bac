"""What must hold before something is changed, and the errors that say what does not. Pure."""

from __future__ import annotations

from lambdad.controlplane import configuration
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import PreconditionFailedException, ResourceConflictException
from lambdad.domain.functions import Function


def check_revision(expected: str | None, current: str) -> None:
    """Refuse a change of what is not as the caller last saw it; without `expected`, none is.

    Raises:
        PreconditionFailedException: the revisions differ.
    """
    if expected and expected != current:
        raise PreconditionFailedException(
            "The Revision Id provided does not match the latest Revision Id. Call the "
            "GetFunction/GetAlias API to retrieve the latest Revision Id"
        )


def check_changeable(function: Function, revision_id: str | None) -> None:
    """Refuse to change a version that is being created or updated, or is of another revision.

    Raises:
        ResourceConflictException: it is being created or updated.
        PreconditionFailedException: the revisions differ.
    """
    if configuration.is_unfinished(function):
        raise busy(function.key)
    check_revision(revision_id, function.revision_id)


def busy(key: FunctionKey) -> ResourceConflictException:
    """The error that says that an update of this function is under way."""
    return ResourceConflictException(
        "The operation cannot be performed at this time. An update is in progress for resource: "
        f"{key.arn()}"
    )
