"""The Lambda service: where its operations register, and how they read what all of them read."""

from __future__ import annotations

import base64
import binascii

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Service
from lambdad.controlplane import references
from lambdad.controlplane.references import Target
from lambdad.domain.errors import InvalidParameterValueException

LAMBDA = Service("lambda")


def target_of(context: RequestContext, params: Params, action: str) -> Target:
    """Return the function that `FunctionName` and `Qualifier` name.

    Raises:
        ServiceException: see :func:`lambdad.controlplane.references.resolve`.
    """
    return references.resolve(
        params["FunctionName"],
        params.get("Qualifier"),
        account_id=context.account_id,
        region=context.region,
        action=action,
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
        raise InvalidParameterValueException("The provided Marker is invalid.") from error
