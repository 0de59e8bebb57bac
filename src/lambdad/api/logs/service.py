"""The CloudWatch Logs service: where its operations register, and how they name things."""

from __future__ import annotations

import re

from lambdad.api.context import RequestContext, Services
from lambdad.api.dispatch import Params, Service
from lambdad.domain.arns import PARTITION
from lambdad.domain.errors import ResourceNotFoundException, ServiceException
from lambdad.domain.logs import LogGroup, LogGroupKey

LOGS = Service[Services]("logs", invalid="InvalidParameterException")

_GROUP_ARN = re.compile(
    r"arn:aws[a-z-]*:logs:(?P<region>[a-z0-9-]+):(?P<account>\d{12}):log-group:"
    r"(?P<name>[.\-_/#A-Za-z0-9]{1,512})(:\*)?"
)
_GROUP_NAME = re.compile(r"[.\-_/#A-Za-z0-9]{1,512}")


class InvalidParameterException(ServiceException):
    """A parameter is not acceptable."""


class ResourceAlreadyExistsException(ServiceException):
    """The name is taken."""


def group_absent() -> ResourceNotFoundException:
    """There is no such group, in AWS's words."""
    return ResourceNotFoundException("The specified log group does not exist.")


def stream_absent() -> ResourceNotFoundException:
    """There is no such stream, in AWS's words."""
    return ResourceNotFoundException("The specified log stream does not exist.")


def group_arn(key: LogGroupKey) -> str:
    """The ARN without the `:*` that AWS appends in some places."""
    return f"arn:{PARTITION}:logs:{key.region}:{key.account_id}:log-group:{key.name}"


def key_of_name(context: RequestContext, name: str) -> LogGroupKey:
    """Return the identity of the caller's group of this name."""
    return LogGroupKey(account_id=context.account_id, region=context.region, name=name)


def key_of_arn(context: RequestContext, arn: str) -> LogGroupKey:
    """Return the identity that the ARN of a group names.

    Raises:
        ServiceException: it is no group's ARN, or that of another account or region.
    """
    match = _GROUP_ARN.fullmatch(arn)
    if match is None:
        raise InvalidParameterException("The specified resource ARN is invalid.")
    # Regions and accounts are separate worlds: what is elsewhere does not exist here.
    if (match["account"], match["region"]) != (context.account_id, context.region):
        raise ResourceNotFoundException("The specified resource does not exist.")
    return key_of_name(context, match["name"])


def key_of(context: RequestContext, params: Params) -> LogGroupKey:
    """Return the identity that `logGroupName` or `logGroupIdentifier` names.

    Raises:
        InvalidParameterException: none or both are given, or it is no name.
    """
    name, identifier = params.get("logGroupName"), params.get("logGroupIdentifier")
    if (name is None) is (identifier is None):
        raise InvalidParameterException(
            "Exactly one of the parameters logGroupName and logGroupIdentifier must be specified."
        )
    if name is not None:
        return key_of_name(context, name)
    if str(identifier).startswith("arn:"):
        return key_of_arn(context, str(identifier))
    if not _GROUP_NAME.fullmatch(str(identifier)):
        raise InvalidParameterException("The specified log group identifier is invalid.")
    return key_of_name(context, str(identifier))


async def existing_group(context: RequestContext, key: LogGroupKey) -> LogGroup:
    """Return the group.

    Raises:
        ResourceNotFoundException: there is none.
    """
    group = await context.services.log_store.group(key)
    if group is None:
        raise group_absent()
    return group


def now_ms(context: RequestContext) -> int:
    """Epoch milliseconds."""
    return int(context.services.clock.time() * 1000)
