"""Functions in wire form and back; the only place that knows both spellings. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from lambdad.controlplane.code import CodeSource
from lambdad.controlplane.configuration import ConfigurationChange, LoggingChange
from lambdad.domain.functions import Function, LoggingConfig, PackageType, Status
from lambdad.domain.images import ImageConfig

Wire = dict[str, Any]

# Members of a request that are stored and read back as they are; empty values remove them.
_ECHOED_AS_GIVEN = ("DeadLetterConfig", "FileSystemConfigs", "KMSKeyArn", "TenancyConfig")


def configuration_change(
    params: Mapping[str, Any], *, account_id: str, region: str
) -> ConfigurationChange:
    """Read the configuration members of CreateFunction or UpdateFunctionConfiguration."""
    environment = params.get("Environment")
    layers = params.get("Layers")
    return ConfigurationChange(
        role=params.get("Role"),
        runtime=params.get("Runtime"),
        handler=params.get("Handler"),
        description=params.get("Description"),
        timeout_s=params.get("Timeout"),
        memory_mb=params.get("MemorySize"),
        ephemeral_storage_mb=(params.get("EphemeralStorage") or {}).get("Size"),
        environment=None if environment is None else environment.get("Variables") or {},
        tracing_mode=(params.get("TracingConfig") or {}).get("Mode"),
        layers=None if layers is None else tuple(layers),
        image_config=_image_config(params.get("ImageConfig")),
        logging=_logging_change(params.get("LoggingConfig")),
        echoed=_echoed(params, account_id=account_id, region=region),
    )


def code_source(code: Mapping[str, Any]) -> CodeSource:
    """Read `Code` of CreateFunction or the like members of UpdateFunctionCode."""
    unsupported = []
    if code.get("S3ObjectStorageMode", "COPY") != "COPY":
        unsupported.append("S3ObjectStorageMode REFERENCE")
    if code.get("SourceKMSKeyArn"):
        unsupported.append("SourceKMSKeyArn")
    return CodeSource(
        zip_file=code.get("ZipFile"),
        s3_bucket=code.get("S3Bucket"),
        s3_key=code.get("S3Key"),
        s3_version=code.get("S3ObjectVersion"),
        image_uri=code.get("ImageUri"),
        unsupported=tuple(unsupported),
    )


def function_configuration(function: Function, *, arn: str | None = None) -> Wire:
    """Return the `FunctionConfiguration` of a version, under the ARN that the caller used."""
    return {**listed_configuration(function, arn=arn), **_state(function)}


def listed_version(function: Function) -> Wire:
    """Return a version as listings of versions have it: every ARN is qualified."""
    return listed_configuration(function, arn=function.key.arn(function.version))


def listed_configuration(function: Function, *, arn: str | None = None) -> Wire:
    """Return a `FunctionConfiguration` as listings have it: without state and runtime version."""
    wire: Wire = {
        "FunctionName": function.key.name,
        "FunctionArn": arn or function.arn,
        "Role": function.role,
        "CodeSize": function.code.size_bytes,
        "Description": function.description,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "LastModified": function.last_modified,
        "CodeSha256": function.code.sha256,
        "Version": function.version,
        "TracingConfig": {"Mode": function.tracing_mode},
        "RevisionId": function.revision_id,
        "PackageType": function.package_type.value,
        "Architectures": list(function.architectures),
        "EphemeralStorage": {"Size": function.ephemeral_storage_mb},
        "SnapStart": {"ApplyOn": "None", "OptimizationStatus": "Off"},
        "LoggingConfig": _logging(function.logging),
    }
    if function.package_type is PackageType.ZIP:
        wire.update(Runtime=function.runtime, Handler=function.handler)
    elif (image_config := function.image_config) is not None:
        wire["ImageConfigResponse"] = {"ImageConfig": _image_config_shape(image_config)}
    if function.environment is not None:
        wire["Environment"] = {"Variables": dict(function.environment)}
    if function.layers:
        wire["Layers"] = [
            {"Arn": arn, "CodeSize": package.size_bytes}
            for arn, package in zip(function.layers, function.layer_packages, strict=False)
        ]
    wire.update(function.echoed)
    return wire


def runtime_version_arn(runtime: str, region: str) -> str:
    """Return an ARN that stands for the host's version of a runtime; the same for ever."""
    digest = hashlib.sha256(f"lambdad runtime {runtime}".encode()).hexdigest()
    return f"arn:aws:lambda:{region}::runtime:{digest}"


def _state(function: Function) -> Wire:
    status: Status = function.status
    members = {
        "State": status.state.value,
        "StateReason": status.state_reason,
        "StateReasonCode": status.state_reason_code,
        "LastUpdateStatus": None if status.last_update is None else status.last_update.value,
        "LastUpdateStatusReason": status.last_update_reason,
        "LastUpdateStatusReasonCode": status.last_update_reason_code,
    }
    wire: Wire = {name: value for name, value in members.items() if value is not None}
    if function.package_type is PackageType.ZIP:
        wire["RuntimeVersionConfig"] = {
            "RuntimeVersionArn": runtime_version_arn(function.runtime, function.key.region)
        }
    return wire


def _logging(logging: LoggingConfig) -> Wire:
    members = {
        "LogFormat": logging.log_format,
        "ApplicationLogLevel": logging.application_log_level,
        "SystemLogLevel": logging.system_log_level,
        "LogGroup": logging.log_group,
    }
    return {name: value for name, value in members.items() if value is not None}


def _image_config(given: Mapping[str, Any] | None) -> ImageConfig | None:
    """Read an `ImageConfig`; an empty list is as if it was left out, as at AWS."""
    if given is None:
        return None
    return ImageConfig(
        entry_point=tuple(given.get("EntryPoint") or ()) or None,
        command=tuple(given.get("Command") or ()) or None,
        working_directory=given.get("WorkingDirectory") or None,
    )


def _image_config_shape(config: ImageConfig) -> Wire:
    members = {
        "EntryPoint": None if config.entry_point is None else list(config.entry_point),
        "Command": None if config.command is None else list(config.command),
        "WorkingDirectory": config.working_directory,
    }
    return {name: value for name, value in members.items() if value is not None}


def _logging_change(given: Mapping[str, Any] | None) -> LoggingChange | None:
    if given is None:
        return None
    return LoggingChange(
        log_group=given.get("LogGroup"),
        log_format=given.get("LogFormat"),
        application_log_level=given.get("ApplicationLogLevel"),
        system_log_level=given.get("SystemLogLevel"),
    )


def _echoed(params: Mapping[str, Any], *, account_id: str, region: str) -> Wire:
    echoed: Wire = {
        name: params[name] or None for name in _ECHOED_AS_GIVEN if params.get(name) is not None
    }
    if (target := params.get("DeadLetterConfig")) is not None and not target.get("TargetArn"):
        echoed["DeadLetterConfig"] = None
    if (vpc := params.get("VpcConfig")) is not None:
        echoed["VpcConfig"] = _vpc_config(vpc, account_id=account_id, region=region)
    if (snap_start := params.get("SnapStart")) is not None:
        echoed["SnapStart"] = {
            "ApplyOn": snap_start.get("ApplyOn", "None"),
            "OptimizationStatus": "Off",
        }
    return echoed


def _vpc_config(given: Mapping[str, Any], *, account_id: str, region: str) -> Wire:
    """Echo a `VpcConfig`; subnets are taken to lie in the one VPC of the account and region."""
    subnets = list(given.get("SubnetIds") or ())
    vpc = hashlib.sha256(f"{account_id} {region}".encode()).hexdigest()[:17]
    return {
        "SubnetIds": subnets,
        "SecurityGroupIds": list(given.get("SecurityGroupIds") or ()),
        "VpcId": f"vpc-{vpc}" if subnets else "",
        "Ipv6AllowedForDualStack": bool(given.get("Ipv6AllowedForDualStack", False)),
    }
