"""AWS::Lambda: functions and what belongs to them."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work
from lambdad.neighbours.cloudformation.types.response_modules import response_module

_SERVICE = "lambda"
_CODE = ("Code", "Architectures")
_APART = (
    "Code",
    "Architectures",
    "Tags",
    "ReservedConcurrentExecutions",
    "RecursiveLoop",
    "RuntimeManagementConfig",
    "CodeSigningConfigArn",
)
# What a property that is taken away falls back to.
_DEFAULTS: Mapping[str, Any] = {
    "DeadLetterConfig": {"TargetArn": ""},
    "Description": "",
    "Environment": {"Variables": {}},
    "EphemeralStorage": {"Size": 512},
    "FileSystemConfigs": [],
    "KmsKeyArn": "",
    "Layers": [],
    "MemorySize": 128,
    "SnapStart": {"ApplyOn": "None"},
    "Timeout": 3,
    "TracingConfig": {"Mode": "PassThrough"},
    "VpcConfig": {"SubnetIds": [], "SecurityGroupIds": []},
}


def _code(work: Work) -> dict[str, Any]:
    """Return a function's code as the API takes it: source in the template becomes an archive."""
    code = dict(work.get("Code") or {})
    source = code.get("ZipFile")
    if source is not None:
        node = str(work.get("Runtime", "")).startswith("nodejs")
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as package:
            files = {f"index.{'js' if node else 'py'}": str(source), **response_module(node=node)}
            for name, text in files.items():
                # A fixed date: the same source is the same package.
                entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
                entry.external_attr = 0o100644 << 16
                package.writestr(entry, text)
        code["ZipFile"] = buffer.getvalue()
    return code


def _create_function(work: Work) -> Made:
    work.create(
        _SERVICE,
        "CreateFunction",
        **{**work.without("Code", "Tags"), "FunctionName": work.name},
        Code=_code(work),
        Tags=work.tags(),
    )
    work.wait(_SERVICE, "function_active_v2", FunctionName=work.name)
    _set_extras(work, work.name)
    return _function(work, work.name)


def _function(work: Work, name: str) -> Made:
    return Made(physical_id=name, attributes={"Arn": work.arn("lambda", f"function:{name}")})


def _set_extras(work: Work, name: str) -> None:
    """Set what CreateFunction does not take; `previous` is empty for a new function."""
    reserved = "ReservedConcurrentExecutions"
    if work.changed(reserved):
        if work.get(reserved) is not None:
            work.call(
                _SERVICE,
                "PutFunctionConcurrency",
                FunctionName=name,
                ReservedConcurrentExecutions=work.get(reserved),
            )
        else:
            work.call(_SERVICE, "DeleteFunctionConcurrency", FunctionName=name)
    if work.changed("RecursiveLoop"):
        work.call(
            _SERVICE,
            "PutFunctionRecursionConfig",
            FunctionName=name,
            RecursiveLoop=work.get("RecursiveLoop", "Terminate"),
        )
    if work.changed("RuntimeManagementConfig"):
        work.call(
            _SERVICE,
            "PutRuntimeManagementConfig",
            FunctionName=name,
            **(work.get("RuntimeManagementConfig") or {"UpdateRuntimeOn": "Auto"}),
        )


def _update_function(work: Work) -> Made:
    name = work.physical_id
    if work.changed(*_CODE):
        work.call(
            _SERVICE,
            "UpdateFunctionCode",
            FunctionName=name,
            **_code(work),
            Architectures=work.get("Architectures") or ["x86_64"],
        )
        work.wait(_SERVICE, "function_updated_v2", FunctionName=name)
    changed = {
        key: work.get(key, _DEFAULTS.get(key))
        for key in {*work.properties, *work.previous} - set(_APART)
        if work.changed(key)
    }
    if changed:
        work.call(_SERVICE, "UpdateFunctionConfiguration", **{**changed, "FunctionName": name})
        work.wait(_SERVICE, "function_updated_v2", FunctionName=name)
    if work.changed("CodeSigningConfigArn"):
        if work.get("CodeSigningConfigArn"):
            work.call(
                _SERVICE,
                "PutFunctionCodeSigningConfig",
                FunctionName=name,
                CodeSigningConfigArn=work.get("CodeSigningConfigArn"),
            )
        else:
            work.call(_SERVICE, "DeleteFunctionCodeSigningConfig", FunctionName=name)
    _set_extras(work, name)
    arn = work.arn("lambda", f"function:{name}")
    set_tags(work, arn)
    return _function(work, name)


def set_tags(work: Work, arn: str) -> None:
    """Make a function's or mapping's tags those of the template."""
    before, after = work.tags(work.previous), work.tags()
    removed = [each for each in before if each not in after]
    if removed:
        work.call(_SERVICE, "UntagResource", Resource=arn, TagKeys=removed)
    if after and after != before:
        work.call(_SERVICE, "TagResource", Resource=arn, Tags=after)


def _delete_function(work: Work) -> None:
    work.remove(_SERVICE, "DeleteFunction", FunctionName=work.physical_id)


def _create_version(work: Work) -> Made:
    found = work.call(_SERVICE, "PublishVersion", **work.properties)
    arn = str(found["FunctionArn"])
    if found["State"] != "Active":
        # It is restored from a snapshot, which is being made.
        work.wait(
            _SERVICE,
            "published_version_active",
            FunctionName=found["FunctionName"],
            Qualifier=found["Version"],
        )
    _set_provisioned(work, arn.rpartition(":")[0], str(found["Version"]))
    return Made(physical_id=arn, attributes={"Version": found["Version"], "FunctionArn": arn})


def _delete_version(work: Work) -> None:
    name, _, version = work.physical_id.rpartition(":")
    work.remove(_SERVICE, "DeleteFunction", FunctionName=name, Qualifier=version)


def _set_provisioned(work: Work, name: str, qualifier: str) -> None:
    if not work.changed("ProvisionedConcurrencyConfig"):
        return
    config = work.get("ProvisionedConcurrencyConfig")
    if config:
        work.call(
            _SERVICE,
            "PutProvisionedConcurrencyConfig",
            FunctionName=name,
            Qualifier=qualifier,
            **config,
        )
    else:
        work.remove(
            _SERVICE, "DeleteProvisionedConcurrencyConfig", FunctionName=name, Qualifier=qualifier
        )


def _routing(work: Work) -> dict[str, Any]:
    found = (work.get("RoutingConfig") or {}).get("AdditionalVersionWeights") or []
    weights = {each["FunctionVersion"]: each["FunctionWeight"] for each in found}
    return {"AdditionalVersionWeights": weights}


def _create_alias(work: Work) -> Made:
    name = str(work.get("Name"))
    found = work.create(
        _SERVICE, "CreateAlias", **work.without("RoutingConfig"), RoutingConfig=_routing(work)
    )
    if found is None:
        found = work.call(_SERVICE, "GetAlias", FunctionName=work.get("FunctionName"), Name=name)
    _set_provisioned(work, str(work.get("FunctionName")), name)
    return Made(physical_id=found["AliasArn"], attributes={"AliasArn": found["AliasArn"]})


def _update_alias(work: Work) -> Made:
    found = work.call(
        _SERVICE,
        "UpdateAlias",
        **{"Description": "", **work.without("RoutingConfig")},
        RoutingConfig=_routing(work),
    )
    _set_provisioned(work, str(work.get("FunctionName")), str(work.get("Name")))
    return Made(physical_id=work.physical_id, attributes={"AliasArn": found["AliasArn"]})


def _delete_alias(work: Work) -> None:
    work.remove(
        _SERVICE,
        "DeleteAlias",
        FunctionName=work.get("FunctionName"),
        Name=work.physical_id.rpartition(":")[2],
    )


def _create_layer(work: Work) -> Made:
    found = work.call(
        _SERVICE, "PublishLayerVersion", **work.without("LayerName"), LayerName=work.name
    )
    arn = found["LayerVersionArn"]
    return Made(physical_id=arn, attributes={"LayerVersionArn": arn})


def _delete_layer(work: Work) -> None:
    name, _, version = work.physical_id.rpartition(":")
    work.remove(_SERVICE, "DeleteLayerVersion", LayerName=name, VersionNumber=version)


def _signing(found: Mapping[str, Any]) -> Made:
    config = found["CodeSigningConfig"]
    return Made(
        physical_id=config["CodeSigningConfigArn"],
        attributes={
            "CodeSigningConfigArn": config["CodeSigningConfigArn"],
            "CodeSigningConfigId": config["CodeSigningConfigId"],
        },
    )


def _create_signing(work: Work) -> Made:
    return _signing(
        work.call(_SERVICE, "CreateCodeSigningConfig", **work.without("Tags"), Tags=work.tags())
    )


def _update_signing(work: Work) -> Made:
    return _signing(
        work.call(
            _SERVICE,
            "UpdateCodeSigningConfig",
            **work.properties,
            CodeSigningConfigArn=work.physical_id,
        )
    )


def _delete_signing(work: Work) -> None:
    work.remove(_SERVICE, "DeleteCodeSigningConfig", CodeSigningConfigArn=work.physical_id)


TYPES = (
    ResourceType(
        name="AWS::Lambda::Function",
        by_name=True,
        create=_create_function,
        update=_update_function,
        delete=_delete_function,
        naming=Naming(property="FunctionName", length=64),
        fixed=frozenset({"PackageType", "TenancyConfig"}),
        required=("Code",),
    ),
    ResourceType(
        name="AWS::Lambda::Version",
        create=_create_version,
        delete=_delete_version,
        required=("FunctionName",),
    ),
    ResourceType(
        name="AWS::Lambda::Alias",
        create=_create_alias,
        update=_update_alias,
        delete=_delete_alias,
        fixed=frozenset({"FunctionName", "Name"}),
        required=("FunctionName", "FunctionVersion", "Name"),
    ),
    ResourceType(
        name="AWS::Lambda::LayerVersion",
        create=_create_layer,
        delete=_delete_layer,
        naming=Naming(property="LayerName", length=140),
        required=("Content",),
    ),
    ResourceType(
        name="AWS::Lambda::CodeSigningConfig",
        create=_create_signing,
        update=_update_signing,
        delete=_delete_signing,
        required=("AllowedPublishers",),
    ),
)
