"""Domain names of an account's own, and which API each path below them leads to.

Names are served by the `Host` of a request; certificates and mutual TLS are not looked at, since
whatever ends TLS stands before lambdad.
"""

from __future__ import annotations

import re
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.apis import listed
from lambdad.neighbours.apigatewayv2.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from lambdad.neighbours.apigatewayv2.parts import Domain
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, answered, changed

_NAME = re.compile(
    r"(?:\*\.)?[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+"
)
_KEY = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]+(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
# The hosted zone of regional domain names in us-east-1: what tools put into records of Route 53.
_ZONE = "Z1UJRXOUMOOFQ8"


@HTTP_APIS.operation("CreateDomainName")
async def create_domain_name(context: Context, params: Params) -> Result:
    """Take a name; nobody else may have it."""
    name = params["DomainName"]
    if _NAME.fullmatch(name) is None:
        raise BadRequestException("The domain name provided is not valid.")
    if name in context.services.domains:
        raise ConflictException("The domain name you provided already exists.")
    document = {
        "ApiMappingSelectionExpression": "$request.basepath",
        "DomainName": name,
        "DomainNameArn": f"arn:aws:apigateway:{context.region}::/domainnames/{name}",
        "DomainNameConfigurations": _configurations(context, params, name),
        "RoutingMode": params.get("RoutingMode") or "API_MAPPING_ONLY",
        "Tags": params.get("Tags") or {},
    }
    domain = Domain(context.account_id, context.region, document)
    await context.services.put_domain(domain)
    return answered(domain.document)


def _configurations(context: Context, params: Params, name: str) -> list[dict[str, Any]]:
    given = params.get("DomainNameConfigurations") or [{}]
    own = {
        "ApiGatewayDomainName": f"d-{context.services.new_id()}.execute-api.{context.region}"
        ".amazonaws.com",
        "DomainNameStatus": "AVAILABLE",
        "EndpointType": "REGIONAL",
        "HostedZoneId": _ZONE,
        "IpAddressType": "ipv4",
        "SecurityPolicy": "TLS_1_2",
    }
    return [{**own, **each} for each in given]


@HTTP_APIS.operation("GetDomainName")
async def get_domain_name(context: Context, params: Params) -> Result:
    """Return a name."""
    return answered(_domain(context, params).document)


@HTTP_APIS.operation("GetDomainNames")
async def get_domain_names(context: Context, params: Params) -> Result:
    """Return all names, a page at a time."""
    found = [
        each.document for each in context.services.domains_of(context.account_id, context.region)
    ]
    return listed(found, "DomainName", params)


@HTTP_APIS.operation("UpdateDomainName")
async def update_domain_name(context: Context, params: Params) -> Result:
    """Change certificates and the like."""
    domain = _domain(context, params)
    given = dict(params)
    if params.get("DomainNameConfigurations"):
        before = domain.document["DomainNameConfigurations"][0]
        given["DomainNameConfigurations"] = [
            {**before, **each} for each in params["DomainNameConfigurations"]
        ]
    domain.document = changed(domain.document, given)
    await context.services.put_domain(domain)
    return answered(domain.document)


@HTTP_APIS.operation("DeleteDomainName")
async def delete_domain_name(context: Context, params: Params) -> Result:
    """Give a name up, with its mappings."""
    await context.services.remove_domain(_domain(context, params))
    return {}


@HTTP_APIS.operation("CreateApiMapping")
async def create_api_mapping(context: Context, params: Params) -> Result:
    """Lead a path of a name to a stage of an API."""
    domain = _domain(context, params)
    mapping_id = context.services.new_id(6)
    mapping = {
        "ApiId": params["ApiId"],
        "ApiMappingId": mapping_id,
        "ApiMappingKey": params.get("ApiMappingKey") or "",
        "Stage": params["Stage"],
    }
    return await _put_mapping(context, domain, mapping)


async def _put_mapping(context: Context, domain: Domain, mapping: dict[str, Any]) -> Result:
    api = context.services.find(context.account_id, context.region, mapping["ApiId"])
    if mapping["Stage"] not in api.parts["stage"]:
        raise BadRequestException(f"Invalid stage identifier specified {mapping['Stage']}")
    key = mapping["ApiMappingKey"]
    if key and _KEY.fullmatch(key) is None:
        raise BadRequestException(f"Invalid api mapping key specified {key}")
    for other in domain.mappings.values():
        same = other["ApiMappingId"] == mapping["ApiMappingId"]
        if other["ApiMappingKey"] == key and not same:
            raise ConflictException("ApiMapping key already exists for this domain name")
    await context.services.put_domain(domain, {**domain.mappings, mapping["ApiMappingId"]: mapping})
    return dict(mapping)


@HTTP_APIS.operation("GetApiMapping")
async def get_api_mapping(context: Context, params: Params) -> Result:
    """Return a mapping."""
    return dict(_mapping(_domain(context, params), params))


@HTTP_APIS.operation("GetApiMappings")
async def get_api_mappings(context: Context, params: Params) -> Result:
    """Return a name's mappings, a page at a time."""
    return listed(list(_domain(context, params).mappings.values()), "ApiMappingId", params)


@HTTP_APIS.operation("UpdateApiMapping")
async def update_api_mapping(context: Context, params: Params) -> Result:
    """Let a mapping lead elsewhere."""
    domain = _domain(context, params)
    given = {name: value for name, value in params.items() if name != "DomainName"}
    mapping = dict(changed(_mapping(domain, params), given))
    return await _put_mapping(context, domain, mapping)


@HTTP_APIS.operation("DeleteApiMapping")
async def delete_api_mapping(context: Context, params: Params) -> Result:
    """Take a mapping away."""
    domain = _domain(context, params)
    gone = _mapping(domain, params)["ApiMappingId"]
    kept = {key: value for key, value in domain.mappings.items() if key != gone}
    await context.services.put_domain(domain, kept)
    return {}


def _domain(context: Context, params: Params) -> Domain:
    domain = context.services.domains.get(params["DomainName"])
    owner = (context.account_id, context.region)
    if domain is None or (domain.account_id, domain.region) != owner:
        raise NotFoundException("Invalid domain name identifier specified")
    return domain


def _mapping(domain: Domain, params: Params) -> Any:
    found = domain.mappings.get(params["ApiMappingId"])
    if found is None:
        raise NotFoundException("Invalid API mapping identifier specified")
    return found
