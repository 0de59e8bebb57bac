"""Tenant isolation: a function may keep the environments of its callers' tenants apart. Pure.

Decides which functions do and what that excludes. Keeping environments apart is the data plane's.
"""

from __future__ import annotations

from lambdad.domain.errors import InvalidParameterValueException
from lambdad.domain.functions import Function


def isolates_tenants(function: Function) -> bool:
    """Whether every invocation of this function is of a tenant."""
    mode = function.echoed.get("TenancyConfig", {}).get("TenantIsolationMode")
    return bool(mode == "PER_TENANT")


def check_tenant(function: Function, tenant_id: str | None) -> None:
    """Refuse an invocation without its tenant, or with one where there are none.

    Raises:
        InvalidParameterValueException: see the texts.
    """
    if isolates_tenants(function):
        if tenant_id is None:
            raise InvalidParameterValueException(
                "The invoked function is enabled with tenancy configuration. Add a valid tenant "
                "ID in your request and try again."
            )
    elif tenant_id is not None:
        raise InvalidParameterValueException(
            "The invoked function is not enabled with tenancy configuration. Remove the tenant ID "
            "from your request and try again."
        )


def refuse_tenants(function: Function, feature: str) -> None:
    """Refuse to combine tenant isolation with a feature that knows no tenants.

    Raises:
        InvalidParameterValueException: the function isolates tenants.
    """
    if isolates_tenants(function):
        raise InvalidParameterValueException(
            f"{feature} is not supported for functions that are enabled with tenancy configuration."
        )
