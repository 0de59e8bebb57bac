"""Which function a caller means by a name, a partial ARN or an ARN, with or without a qualifier.

Whether that function exists is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lambdad.domain.arns import FunctionKey, parse_function_reference
from lambdad.domain.errors import (
    AccessDeniedException,
    InvalidParameterValueException,
    ResourceNotFoundException,
    ValidationException,
)

NAME_LENGTH_MAX = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A function and, if the caller gave one, a qualifier."""

    key: FunctionKey
    qualifier: str | None

    @property
    def arn(self) -> str:
        """The ARN, qualified as the caller did."""
        return self.key.arn(self.qualifier)


# Takes the target, the caller's account and the action; raises AccessDeniedException to refuse.
Authorize = Callable[[Target, str, str], None]


def resolve(
    text: str,
    qualifier: str | None = None,
    *,
    account_id: str,
    region: str,
    action: str,
    authorize: Authorize | None = None,
) -> Target:
    """Return the function that `text` names for a caller in this account and region.

    `action` is the operation's name as policies spell it. Without `authorize` the functions of
    other accounts are refused.

    Raises:
        ValidationException: `text` is no function name.
        InvalidParameterValueException: the name is too long or the qualifiers contradict.
        ResourceNotFoundException: the ARN is another region's.
        AccessDeniedException: the caller may not do this with the function.
    """
    reference = parse_function_reference(text)
    if reference is None:
        raise ValidationException(
            f"1 validation error detected: Value '{text}' at 'functionName' failed to satisfy "
            "constraint: Member must be a function name, a partial ARN or a function ARN"
        )
    if len(reference.name) > NAME_LENGTH_MAX:
        raise InvalidParameterValueException(
            f"1 validation error detected: Value '{reference.name}' at 'functionName' failed to "
            f"satisfy constraint: Member must have length less than or equal to {NAME_LENGTH_MAX}"
        )
    if reference.region is not None and reference.region != region:
        raise ResourceNotFoundException(
            f"Functions from '{reference.region}' are not reachable in this region ('{region}')"
        )
    if qualifier and reference.qualifier and qualifier != reference.qualifier:
        raise InvalidParameterValueException(
            "The derived qualifier from the function name does not match the specified qualifier."
        )
    target = Target(
        key=FunctionKey(
            account_id=reference.account_id or account_id, region=region, name=reference.name
        ),
        qualifier=qualifier or reference.qualifier,
    )
    if authorize is not None:
        authorize(target, account_id, action)
    elif target.key.account_id != account_id:
        raise denied(target, f"arn:aws:iam::{account_id}:root", action)
    return target


def denied(
    target: Target,
    arn: str | None,
    action: str,
    *,
    explicitly: bool = False,
    by: str = "resource",
) -> AccessDeniedException:
    """The error that says that an identity may not do this: no policy allows it, or one denies.

    `by` is whose policies say so: `resource` or `identity`.
    """
    reason = (
        f"with an explicit deny in {'an' if by == 'identity' else 'a'} {by}-based policy"
        if explicitly
        else f"because no {by}-based policy allows the lambda:{action} action"
    )
    return AccessDeniedException(
        f"User: {arn} is not authorized to perform: lambda:{action} "
        f"on resource: {target.arn} {reason}"
    )


def not_found(target: Target) -> ResourceNotFoundException:
    """The error that says that this function or version does not exist."""
    return ResourceNotFoundException(f"Function not found: {target.arn}")
