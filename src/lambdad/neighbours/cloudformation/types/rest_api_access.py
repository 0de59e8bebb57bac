"""AWS::ApiGateway: keys and usage plans, domain names, the account's role."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.calls import text_of
from lambdad.neighbours.cloudformation.types.base import (
    Made,
    Naming,
    ResourceType,
    Work,
    nothing,
)
from lambdad.neighbours.cloudformation.types.rest_api_calls import (
    SERVICE,
    Patch,
    arn_of,
    made_before,
    marked,
    patches,
    retag,
)
from lambdad.neighbours.cloudformation.types.rest_api_stages import group

_KEY_PATHS = {
    "CustomerId": "/customerId",
    "Description": "/description",
    "Enabled": "/enabled",
}
_DOMAIN_PATHS = {
    "CertificateArn": "/certificateArn",
    "OwnershipVerificationCertificateArn": "/ownershipVerificationCertificateArn",
    "RegionalCertificateArn": "/regionalCertificateArn",
    "RoutingMode": "/routingMode",
    "SecurityPolicy": "/securityPolicy",
}


# --- Keys and plans -------------------------------------------------------------------------


def _key(key_id: str) -> Made:
    return Made(physical_id=key_id, attributes={"APIKeyId": key_id})


def _create_key(work: Work) -> Made:
    wanted = {"value": work.get("Value")} if work.get("Value") else {}
    if made_id := made_before(work, "GetApiKeys", name=work.name, **wanted):
        return _key(made_id)
    made = work.call(
        SERVICE, "CreateApiKey", **{**work.properties, "Name": work.name}, Tags=marked(work)
    )
    return _key(made["id"])


def _update_key(work: Work) -> Made:
    changes = patches(work, _KEY_PATHS, {"Enabled": "false"})
    stages = {_stage_key(each) for each in work.get("StageKeys") or ()}
    before = {_stage_key(each) for each in work.previous.get("StageKeys") or ()}
    for op, keys in (("remove", before - stages), ("add", stages - before)):
        changes += [{"op": op, "path": "/stages", "value": each} for each in sorted(keys)]
    if changes:
        work.call(SERVICE, "UpdateApiKey", ApiKey=work.physical_id, PatchOperations=changes)
    retag(work, arn_of(work, f"/apikeys/{work.physical_id}"))
    return _key(work.physical_id)


def _stage_key(each: Mapping[str, Any]) -> str:
    return f"{each.get('RestApiId')}/{each.get('StageName')}"


def _delete_key(work: Work) -> None:
    work.remove(SERVICE, "DeleteApiKey", ApiKey=work.physical_id)


def _plan(plan_id: str) -> Made:
    return Made(physical_id=plan_id, attributes={"Id": plan_id})


def _create_plan(work: Work) -> Made:
    if made_id := made_before(work, "GetUsagePlans"):
        return _plan(made_id)
    given = {
        **work.without("UsagePlanName", "Tags"),
        "Name": work.get("UsagePlanName") or work.name,
    }
    return _plan(work.call(SERVICE, "CreateUsagePlan", **given, Tags=marked(work))["id"])


def _update_plan(work: Work) -> Made:
    paths = {"Description": "/description", "UsagePlanName": "/name"}
    changes = patches(work, paths, {"UsagePlanName": work.name})
    throttle, quota = work.get("Throttle"), work.get("Quota")
    members = {"BurstLimit": "burstLimit", "RateLimit": "rateLimit"}
    changes += group("throttle", members, throttle, work.previous.get("Throttle"))
    members = {"Limit": "limit", "Offset": "offset", "Period": "period"}
    changes += group("quota", members, quota, work.previous.get("Quota"))
    if work.changed("ApiStages"):
        changes += _plan_stages(work)
    if changes:
        named = {"UsagePlanId": work.physical_id}
        work.call(SERVICE, "UpdateUsagePlan", **named, PatchOperations=changes)
    retag(work, arn_of(work, f"/usageplans/{work.physical_id}"))
    return _plan(work.physical_id)


def _plan_stages(work: Work) -> Iterator[Patch]:
    """Yield what takes all stages of a plan away and adds those of the template."""
    found = work.call(SERVICE, "GetUsagePlan", UsagePlanId=work.physical_id)
    for each in found.get("apiStages") or ():
        value = f"{each['apiId']}:{each['stage']}"
        yield {"op": "remove", "path": "/apiStages", "value": value}
    for each in work.get("ApiStages") or ():
        value = f"{each.get('ApiId')}:{each.get('Stage')}"
        yield {"op": "add", "path": "/apiStages", "value": value}
        for method, limits in (each.get("Throttle") or {}).items():
            place = f"/apiStages/{value}/throttle/{str(method).replace('/', '~1')}"
            for member, name in (("BurstLimit", "burstLimit"), ("RateLimit", "rateLimit")):
                if limits.get(member) is not None:
                    path = f"{place}/{name}"
                    yield {"op": "replace", "path": path, "value": text_of(limits[member])}


def _delete_plan(work: Work) -> None:
    work.remove(SERVICE, "DeleteUsagePlan", UsagePlanId=work.physical_id)


def _create_plan_key(work: Work) -> Made:
    work.create(SERVICE, "CreateUsagePlanKey", **work.properties)
    name = f"{work.get('KeyId')}:{work.get('UsagePlanId')}"
    return Made(physical_id=name, attributes={"Id": name})


def _delete_plan_key(work: Work) -> None:
    named = {"KeyId": work.get("KeyId"), "UsagePlanId": work.get("UsagePlanId")}
    work.remove(SERVICE, "DeleteUsagePlanKey", **named)


# --- The account, domain names --------------------------------------------------------------


def _put_account(work: Work) -> Made:
    role = str(work.get("CloudWatchRoleArn") or "")
    change = {"op": "replace", "path": "/cloudwatchRoleArn", "value": role}
    work.call(SERVICE, "UpdateAccount", PatchOperations=[change])
    name = work.physical_id or work.name
    return Made(physical_id=name, attributes={"Id": name})


def _domain(work: Work, found: Mapping[str, Any]) -> Made:
    names = (
        "DistributionDomainName",
        "DistributionHostedZoneId",
        "DomainNameArn",
        "RegionalDomainName",
        "RegionalHostedZoneId",
    )
    attributes = {name: found.get(name[0].lower() + name[1:], "") for name in names}
    return Made(physical_id=str(work.get("DomainName")), attributes=attributes)


def _create_domain(work: Work) -> Made:
    made = work.create(SERVICE, "CreateDomainName", **work.without("Tags"), Tags=work.tags())
    name = {"DomainName": work.get("DomainName")}
    return _domain(work, made or work.call(SERVICE, "GetDomainName", **name))


def _update_domain(work: Work) -> Made:
    changes = patches(work, _DOMAIN_PATHS, {})
    kinds = (work.get("EndpointConfiguration") or {}).get("Types")
    if work.changed("EndpointConfiguration") and kinds:
        path = "/endpointConfiguration/types/0"
        changes.append({"op": "replace", "path": path, "value": text_of(kinds[0])})
    name = {"DomainName": work.physical_id}
    if changes:
        work.call(SERVICE, "UpdateDomainName", **name, PatchOperations=changes)
    retag(work, arn_of(work, f"/domainnames/{work.physical_id}"))
    return _domain(work, work.call(SERVICE, "GetDomainName", **name))


def _delete_domain(work: Work) -> None:
    work.remove(SERVICE, "DeleteDomainName", DomainName=work.physical_id)


def _create_mapping(work: Work) -> Made:
    work.create(SERVICE, "CreateBasePathMapping", **work.properties)
    return Made(physical_id=f"{work.get('DomainName')}|{work.get('BasePath') or '(none)'}")


def _update_mapping(work: Work) -> Made:
    changes = patches(work, {"RestApiId": "/restApiId", "Stage": "/stage"}, {})
    named = {"DomainName": work.get("DomainName"), "BasePath": work.get("BasePath") or "(none)"}
    if changes:
        work.call(SERVICE, "UpdateBasePathMapping", **named, PatchOperations=changes)
    return Made(physical_id=work.physical_id)


def _delete_mapping(work: Work) -> None:
    named = {"DomainName": work.get("DomainName"), "BasePath": work.get("BasePath") or "(none)"}
    work.remove(SERVICE, "DeleteBasePathMapping", **named)


TYPES = (
    ResourceType(
        name="AWS::ApiGateway::ApiKey",
        create=_create_key,
        update=_update_key,
        delete=_delete_key,
        fixed=frozenset({"GenerateDistinctId", "Value"}),
        naming=Naming(property="Name"),
    ),
    ResourceType(
        name="AWS::ApiGateway::UsagePlan",
        create=_create_plan,
        update=_update_plan,
        delete=_delete_plan,
    ),
    ResourceType(
        name="AWS::ApiGateway::UsagePlanKey",
        create=_create_plan_key,
        delete=_delete_plan_key,
        required=("KeyId", "KeyType", "UsagePlanId"),
    ),
    ResourceType(
        name="AWS::ApiGateway::Account",
        create=_put_account,
        update=_put_account,
        delete=nothing,
    ),
    ResourceType(
        name="AWS::ApiGateway::DomainName",
        create=_create_domain,
        update=_update_domain,
        delete=_delete_domain,
        fixed=frozenset({"DomainName"}),
        required=("DomainName",),
    ),
    ResourceType(
        name="AWS::ApiGateway::BasePathMapping",
        create=_create_mapping,
        update=_update_mapping,
        delete=_delete_mapping,
        fixed=frozenset({"DomainName", "BasePath"}),
        required=("DomainName",),
    ),
)
