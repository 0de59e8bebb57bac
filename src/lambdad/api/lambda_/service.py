"""The Lambda service: where its operations register, and how they read what all of them read."""

from __future__ import annotations

import base64
import binascii

from lambdad.api.context import RequestContext, Services
from lambdad.api.dispatch import Params, Service
from lambdad.controlplane import references
from lambdad.controlplane.references import Target
from lambdad.domain.arns import LATEST
from lambdad.domain.errors import InvalidParameterValueException

LAMBDA = Service[Services]("lambda")


def target_of(context: RequestContext, params: Params, action: str) -> Target:
    """Return the function that `FunctionName` and `Qualifier` name, if the caller may do this.

    Raises:
        ServiceException: see :func:`lambdad.controlplane.references.resolve`.
    """
    return named_target(context, params["FunctionName"], action, qualifier=params.get("Qualifier"))


def named_target(
    context: RequestContext, text: str, action: str, *, qualifier: str | None = None
) -> Target:
    """Return the function that a name or an ARN means, if the caller may do this with it.

    Raises:
        ServiceException: see :func:`lambdad.controlplane.references.resolve`.
    """
    return references.resolve(
        text,
        qualifier,
        account_id=context.account_id,
        region=context.region,
        action=action,
        authorize=context.services.functions.permissions.checker(context.caller.principal),
    )


def marker_of(name: str) -> str:
    """Return the opaque `NextMarker` that continues a listing behind `name`."""
    return base64.urlsafe_b64encode(name.encode()).decode()


def name_of(marker: str | None) -> str | None:
    """Return the name behind which a `Marker` continues; None at the beginning.

    Raises:
        InvalidParameterValueException: no listing gave this marker.
    """
    if not marker:
        return None
    try:
        return base64.b64decode(marker, altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise _invalid_marker() from error


def version_behind(text: str) -> tuple[str, str]:
    """Return the name and version behind which a listing of versions continues.

    Raises:
        InvalidParameterValueException: no listing of versions gave it.
    """
    name, _, version = text.rpartition(":")
    if version != LATEST and not (version.isascii() and version.isdigit()):
        raise _invalid_marker()
    return name, version


def page_size(params: Params, most: int) -> int:
    """Return how many items a page has: `MaxItems`, but never more than AWS gives."""
    return min(params.get("MaxItems") or most, most)


def _invalid_marker() -> InvalidParameterValueException:
    return InvalidParameterValueException("The provided Marker is invalid.")
