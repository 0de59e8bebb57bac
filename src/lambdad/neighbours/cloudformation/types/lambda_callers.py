"""AWS::Lambda: who may call functions, and what calls them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.neighbours.cloudformation.types.base import Made, Naming, ResourceType, Work
from lambdad.neighbours.cloudformation.types.lambda_ import set_tags

_SERVICE = "lambda"


def _create_permission(work: Work) -> Made:
    work.create(_SERVICE, "AddPermission", **work.properties, StatementId=work.name)
    return Made(physical_id=work.name, attributes={"Id": work.name})


def _delete_permission(work: Work) -> None:
    work.remove(
        _SERVICE,
        "RemovePermission",
        FunctionName=work.get("FunctionName"),
        StatementId=work.physical_id,
    )


def _mapping(work: Work, uuid: str) -> Made:
    arn = work.arn("lambda", f"event-source-mapping:{uuid}")
    return Made(physical_id=uuid, attributes={"Id": uuid, "EventSourceMappingArn": arn})


def _create_mapping(work: Work) -> Made:
    found: Mapping[str, Any] | None = work.create(
        _SERVICE, "CreateEventSourceMapping", **_mapping_settings(work), Tags=work.tags()
    )
    if found is None:
        found = _made_before(work)
    return _mapping(work, str(found["UUID"]))


def _made_before(work: Work) -> Mapping[str, Any]:
    """Return the mapping that an earlier attempt has made of the same source."""
    given = _mapping_settings(work)
    listed = work.call(
        _SERVICE,
        "ListEventSourceMappings",
        EventSourceArn=given.get("EventSourceArn"),
        FunctionName=given.get("FunctionName"),
    )
    source = ("SelfManagedEventSource", "Topics")
    return next(
        found
        for found in listed["EventSourceMappings"]
        if all(found.get(name) == given.get(name) for name in source)
    )


def _mapping_settings(work: Work) -> dict[str, Any]:
    """Return the properties as the API has them, which calls Kafka's endpoints otherwise."""
    given = work.without("Tags")
    endpoints = (given.get("SelfManagedEventSource") or {}).get("Endpoints") or {}
    if servers := endpoints.get("KafkaBootstrapServers"):
        given["SelfManagedEventSource"] = {"Endpoints": {"KAFKA_BOOTSTRAP_SERVERS": servers}}
    return given


def _update_mapping(work: Work) -> Made:
    arn = work.arn("lambda", f"event-source-mapping:{work.physical_id}")
    given = _mapping_settings(work)
    work.call(_SERVICE, "UpdateEventSourceMapping", **given, UUID=work.physical_id)
    set_tags(work, arn)
    return _mapping(work, work.physical_id)


def _delete_mapping(work: Work) -> None:
    work.remove(_SERVICE, "DeleteEventSourceMapping", UUID=work.physical_id)


def _create_layer_permission(work: Work) -> Made:
    name, _, version = str(work.get("LayerVersionArn")).rpartition(":")
    work.create(
        _SERVICE,
        "AddLayerVersionPermission",
        **work.properties,
        LayerName=name,
        VersionNumber=version,
        StatementId=work.name,
    )
    identifier = f"{work.get('LayerVersionArn')}#{work.name}"
    return Made(physical_id=identifier, attributes={"Id": identifier})


def _delete_layer_permission(work: Work) -> None:
    arn, _, statement = work.physical_id.partition("#")
    name, _, version = arn.rpartition(":")
    work.remove(
        _SERVICE,
        "RemoveLayerVersionPermission",
        LayerName=name,
        VersionNumber=version,
        StatementId=statement,
    )


def _url(work: Work, found: Mapping[str, Any]) -> Made:
    return Made(
        physical_id=found["FunctionArn"],
        attributes={"FunctionArn": found["FunctionArn"], "FunctionUrl": found["FunctionUrl"]},
    )


def _url_params(work: Work) -> dict[str, Any]:
    return {**work.without("TargetFunctionArn"), "FunctionName": work.get("TargetFunctionArn")}


def _create_url(work: Work) -> Made:
    params = _url_params(work)
    found = work.create(_SERVICE, "CreateFunctionUrlConfig", **params)
    return _url(work, found or work.call(_SERVICE, "GetFunctionUrlConfig", **params))


def _update_url(work: Work) -> Made:
    params = {"InvokeMode": "BUFFERED", "Cors": {}, **_url_params(work)}
    return _url(work, work.call(_SERVICE, "UpdateFunctionUrlConfig", **params))


def _delete_url(work: Work) -> None:
    work.remove(_SERVICE, "DeleteFunctionUrlConfig", **_url_params(work))


def _put_invoke_config(work: Work) -> Made:
    work.call(_SERVICE, "PutFunctionEventInvokeConfig", **work.properties)
    name = work.physical_id or f"{work.get('FunctionName')}|{work.get('Qualifier')}"
    return Made(physical_id=name)


def _delete_invoke_config(work: Work) -> None:
    work.remove(_SERVICE, "DeleteFunctionEventInvokeConfig", **work.properties)


TYPES = (
    ResourceType(
        name="AWS::Lambda::Permission",
        create=_create_permission,
        delete=_delete_permission,
        naming=Naming(property="", length=100),
        required=("Action", "FunctionName", "Principal"),
    ),
    ResourceType(
        name="AWS::Lambda::EventSourceMapping",
        create=_create_mapping,
        update=_update_mapping,
        delete=_delete_mapping,
        fixed=frozenset(
            {
                "EventSourceArn",
                "StartingPosition",
                "StartingPositionTimestamp",
                "SelfManagedEventSource",
                "AmazonManagedKafkaEventSourceConfig",
                "SelfManagedKafkaEventSourceConfig",
            }
        ),
        required=("FunctionName",),
    ),
    ResourceType(
        name="AWS::Lambda::LayerVersionPermission",
        create=_create_layer_permission,
        delete=_delete_layer_permission,
        naming=Naming(property="", length=100),
        required=("Action", "LayerVersionArn", "Principal"),
    ),
    ResourceType(
        name="AWS::Lambda::Url",
        create=_create_url,
        update=_update_url,
        delete=_delete_url,
        fixed=frozenset({"TargetFunctionArn", "Qualifier"}),
        required=("AuthType", "TargetFunctionArn"),
    ),
    ResourceType(
        name="AWS::Lambda::EventInvokeConfig",
        create=_put_invoke_config,
        update=_put_invoke_config,
        delete=_delete_invoke_config,
        fixed=frozenset({"FunctionName", "Qualifier"}),
        required=("FunctionName", "Qualifier"),
    ),
)
