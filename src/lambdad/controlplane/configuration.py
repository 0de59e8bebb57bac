"""How a function's configuration begins and changes: defaults, merging, status. Pure.

Whether a value is acceptable is decided in `validation`; when a change is written, in `functions`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from lambdad.domain import limits, snapstart
from lambdad.domain.arns import FunctionKey
from lambdad.domain.clock import lambda_timestamp
from lambdad.domain.functions import Code, Function, LoggingConfig, State, Status, UpdateStatus
from lambdad.domain.images import ImageConfig

LEVEL_DEFAULT = "INFO"

# AWS quirk: an update in progress carries the reason of a creation, whatever it updates.
_CREATING_REASON = "The function is being created."
_CREATING_CODE = "Creating"

_BEGUN = Status(
    state=State.PENDING, state_reason=_CREATING_REASON, state_reason_code=_CREATING_CODE
)
_SERVING = Status(state=State.ACTIVE, last_update=UpdateStatus.SUCCESSFUL)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggingChange:
    """Given members of a `LoggingConfig`; None leaves what is."""

    log_group: str | None = None
    log_format: str | None = None
    application_log_level: str | None = None
    system_log_level: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationChange:
    """What a caller configures; None leaves what is, or its default on creation.

    Attributes:
        environment: replaces all variables.
        layers: ARNs of layer versions; replaces all layers.
        layer_packages: content of `layers`, once they have been looked up.
        echoed: members in wire form, replaced one by one; None removes a member.
    """

    role: str | None = None
    runtime: str | None = None
    handler: str | None = None
    description: str | None = None
    timeout_s: int | None = None
    memory_mb: int | None = None
    ephemeral_storage_mb: int | None = None
    environment: Mapping[str, str] | None = None
    tracing_mode: str | None = None
    layers: tuple[str, ...] | None = None
    layer_packages: tuple[Code, ...] | None = None
    image_config: ImageConfig | None = None
    logging: LoggingChange | None = None
    echoed: Mapping[str, Any] = field(default_factory=dict)


_PLAIN_FIELDS = (
    "role",
    "runtime",
    "handler",
    "description",
    "timeout_s",
    "memory_mb",
    "ephemeral_storage_mb",
    "environment",
    "tracing_mode",
    "layers",
    "layer_packages",
    "image_config",
)


def new_revision() -> str:
    """A fresh `RevisionId`."""
    return str(uuid.uuid4())


def initial(
    key: FunctionKey,
    change: ConfigurationChange,
    *,
    code: Code,
    architectures: tuple[str, ...],
    tags: Mapping[str, str],
    now: datetime,
) -> Function:
    """Return a function as it is right after its creation: defaults filled in, Pending."""
    begun = Function(
        key=key,
        runtime=change.runtime or "",
        handler=change.handler or "",
        role=change.role or "",
        code=code,
        timeout_s=limits.TIMEOUT_S_DEFAULT,
        architectures=architectures,
        logging=LoggingConfig(log_group=f"/aws/lambda/{key.name}"),
        status=_BEGUN,
        revision_id=new_revision(),
        last_modified=lambda_timestamp(now),
        tags=dict(tags),
    )
    return _merged(begun, change)


def reconfigured(function: Function, change: ConfigurationChange, *, now: datetime) -> Function:
    """Return the function with changed configuration, its update in progress."""
    return _updating(function, _merged(function, change), now)


def recoded(
    function: Function, code: Code, *, architectures: tuple[str, ...] | None, now: datetime
) -> Function:
    """Return the function with other code, its update in progress."""
    changed = replace(function, code=code, architectures=architectures or function.architectures)
    return _updating(function, changed, now)


def in_service(function: Function, prepared: Mapping[str, Any]) -> Function:
    """Return the function after its creation or update has come through.

    `prepared` are members in wire form that are others now.
    """
    return replace(
        function,
        echoed={**function.echoed, **prepared},
        status=_SERVING,
        revision_id=new_revision(),
        in_service=None,
    )


def failed(function: Function, *, reason: str, code: str) -> Function:
    """Return the function after its creation or update has failed.

    What served before an update goes on to serve.
    """
    if function.status.state is State.PENDING:
        status = Status(
            state=State.FAILED,
            state_reason=reason,
            state_reason_code=code,
            last_update=UpdateStatus.FAILED,
            last_update_reason=reason,
            last_update_reason_code=code,
        )
    else:
        status = replace(
            function.status,
            last_update=UpdateStatus.FAILED,
            last_update_reason=reason,
            last_update_reason_code=code,
        )
    return replace(function, status=status, revision_id=new_revision())


def published(function: Function, number: int, *, description: str | None) -> Function:
    """Return a version that is a copy of `$LATEST`, in the same state of creation or update.

    One of which there is to be a snapshot is created anew.
    """
    return replace(
        function,
        version=str(number),
        status=_BEGUN if snapstart.wanted(function) else function.status,
        description=function.description if description is None else description,
        revision_id=new_revision(),
        tags={},
        in_service=None,
    )


def is_unfinished(function: Function) -> bool:
    """Whether a creation or an update of this version is still going on."""
    status = function.status
    return status.state is State.PENDING or status.last_update is UpdateStatus.IN_PROGRESS


def _updating(function: Function, changed: Function, now: datetime) -> Function:
    status = replace(
        changed.status,
        last_update=UpdateStatus.IN_PROGRESS,
        last_update_reason=_CREATING_REASON,
        last_update_reason_code=_CREATING_CODE,
    )
    return replace(
        changed,
        status=status,
        revision_id=new_revision(),
        last_modified=lambda_timestamp(now),
        in_service=function.serving,
    )


def _merged(function: Function, change: ConfigurationChange) -> Function:
    given = {name: value for name in _PLAIN_FIELDS if (value := getattr(change, name)) is not None}
    echoed = {**function.echoed, **change.echoed}
    return replace(
        function,
        **given,
        logging=_logging(function.logging, change.logging),
        echoed={name: value for name, value in echoed.items() if value is not None},
    )


def _logging(current: LoggingConfig, change: LoggingChange | None) -> LoggingConfig:
    """Merge; the JSON format has levels, the text format has none."""
    if change is None:
        return current
    log_format = change.log_format or current.log_format
    log_group = change.log_group or current.log_group
    if log_format != "JSON":
        return LoggingConfig(log_group=log_group, log_format=log_format)
    return LoggingConfig(
        log_group=log_group,
        log_format=log_format,
        application_log_level=change.application_log_level
        or current.application_log_level
        or LEVEL_DEFAULT,
        system_log_level=change.system_log_level or current.system_log_level or LEVEL_DEFAULT,
    )
