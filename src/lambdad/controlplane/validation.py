"""What a function may be configured to, beyond the constraints of the service model. Pure.

Every refusal is a `ServiceException` with AWS's own text where one is known.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from lambdad.controlplane.configuration import ConfigurationChange
from lambdad.controlplane.ports import RuntimeCatalogue
from lambdad.domain import limits
from lambdad.domain.errors import InvalidParameterValueException, ValidationException
from lambdad.domain.runtimes import RESERVED_KEYS, RETIRED_RUNTIMES, SUPPORTED_RUNTIMES


def check_configuration(change: ConfigurationChange) -> None:
    """Refuse a configuration that no function may have; runtime and layers are not looked at.

    Raises:
        InvalidParameterValueException: environment or logging.
        ValidationException: a number is out of range.
    """
    _check_ranges(change)
    if change.environment is not None:
        check_environment(change.environment)
    _check_logging(change)
    _check_tenancy(change)


def check_runtime(identifier: str, runtimes: RuntimeCatalogue) -> None:
    """Refuse an identifier that AWS or this host does not have.

    A runtime that is past its deprecation date is accepted as long as the host has it.
    """
    if runtimes.known(identifier):
        problem = runtimes.unavailable(identifier)
        if problem is None:
            return
        if identifier not in RETIRED_RUNTIMES:
            raise InvalidParameterValueException(
                f"The runtime {identifier} is not available on this host. {problem}"
            )
    if identifier in RETIRED_RUNTIMES:
        raise InvalidParameterValueException(
            f"The runtime parameter of {identifier} is no longer supported for creating or "
            "updating AWS Lambda functions. We recommend you use a supported runtime while "
            "creating or updating functions."
        )
    offered = ", ".join(name for name in SUPPORTED_RUNTIMES if runtimes.known(name))
    raise InvalidParameterValueException(
        f"Value {identifier} at 'runtime' failed to satisfy constraint: Member must satisfy enum "
        f"value set: [{offered}] or be a valid ARN"
    )


def check_environment(variables: Mapping[str, str]) -> None:
    """Refuse reserved names and more than 4 KB of variables, measured as JSON."""
    reserved = [name for name in variables if name in RESERVED_KEYS]
    if reserved:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported "
            f"for modification. Reserved keys used in this request: {', '.join(reserved)}"
        )
    measured = json.dumps(variables, separators=(",", ":"), ensure_ascii=False)
    if len(measured.encode("utf-8", "surrogatepass")) > limits.ENVIRONMENT_BYTES_MAX:
        raise InvalidParameterValueException(
            "Lambda was unable to configure your environment variables because the environment "
            "variables you have provided exceeded the 4KB limit. "
            f"String measured: {measured}"
        )


def check_tag_count(tags: Mapping[str, str]) -> None:
    """Refuse more tags than a resource may have."""
    if len(tags) > limits.TAGS_MAX:
        raise InvalidParameterValueException("Number of tags exceeds resource tag limit.")


def _check_ranges(change: ConfigurationChange) -> None:
    # The model's own maxima are those of Managed Instances; ordinary functions have these.
    ceilings = (
        ("timeout", change.timeout_s, limits.TIMEOUT_S_MAX),
        ("memorySize", change.memory_mb, limits.MEMORY_MB_MAX),
        (
            "ephemeralStorage.size",
            change.ephemeral_storage_mb,
            limits.EPHEMERAL_STORAGE_MB_MAX,
        ),
    )
    breaches = [
        f"Value '{value}' at '{member}' failed to satisfy constraint: Member must have value less "
        f"than or equal to {ceiling}"
        for member, value, ceiling in ceilings
        if value is not None and value > ceiling
    ]
    if breaches:
        plural = "s" if len(breaches) > 1 else ""
        raise ValidationException(
            f"{len(breaches)} validation error{plural} detected: {'; '.join(breaches)}"
        )


def _check_logging(change: ConfigurationChange) -> None:
    logging = change.logging
    if logging is None or logging.log_format != "Text":
        return
    if logging.application_log_level or logging.system_log_level:
        raise InvalidParameterValueException(
            "ApplicationLogLevel and SystemLogLevel need LogFormat JSON; the Text format has no "
            "levels."
        )


def _check_tenancy(change: ConfigurationChange) -> None:
    snap_start = (change.echoed.get("SnapStart") or {}).get("ApplyOn", "None")
    if change.echoed.get("TenancyConfig") and snap_start != "None":
        raise InvalidParameterValueException(
            "SnapStart is not supported for functions that are enabled with tenancy configuration."
        )
