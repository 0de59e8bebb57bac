"""Domain names, and which API answers below which path of them."""

from __future__ import annotations

from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.apis import endpoint_configuration
from lambdad.neighbours.apigateway.errors import (
    BadRequestException,
    ConflictException,
    NotFoundException,
)
from lambdad.neighbours.apigateway.parts import Change
from lambdad.neighbours.apigateway.patches import EDIT, REPLACE, Rules, patched
from lambdad.neighbours.apigateway.service import (
    Context,
    account_of,
    answered,
    arn,
    by,
    changes_account,
    given,
    listed,
    of_account,
    shape,
)
from lambdad.triggers.rest_api.model import Account, Document

NO_PATH = "(none)"
# Hosted zones of CloudFront, and of regional endpoints in us-east-1.
_EDGE_ZONE = "Z2FDTNDATAQYW2"
_REGIONAL_ZONE = "Z1UJRXOUMOOFQ8"
_PRIVATE_KEYS = ("certificateBody", "certificatePrivateKey", "certificateChain")

_RULES = Rules(
    shape=shape("DomainName"),
    paths={
        "/certificateArn": EDIT,
        "/certificateName": EDIT,
        "/endpointAccessMode": REPLACE,
        "/endpointConfiguration/ipAddressType": REPLACE,
        "/endpointConfiguration/types/*": EDIT,
        "/mutualTlsAuthentication/truststoreUri": EDIT,
        "/mutualTlsAuthentication/truststoreVersion": EDIT,
        "/ownershipVerificationCertificateArn": EDIT,
        "/policy": EDIT,
        "/regionalCertificateArn": EDIT,
        "/regionalCertificateName": EDIT,
        "/routingMode": REPLACE,
        "/securityPolicy": REPLACE,
    },
)
_MAPPING_RULES = Rules(
    shape=shape("BasePathMapping"),
    paths={"/basePath": REPLACE, "/restApiId": REPLACE, "/stage": EDIT},
)


def domain_of(account: Account, name: str) -> Document:
    """Return a domain name.

    Raises:
        NotFoundException: the account has none of this name.
    """
    found = account.domain_names.get(name)
    if found is None:
        raise NotFoundException("Invalid domain name identifier specified")
    return found


@changes_account("CreateDomainName")
async def create(context: Context, params: Params, account: Account) -> Result:
    """Take a domain name for the account's APIs."""
    apis, name = context.services, params["domainName"]
    if not name:
        raise BadRequestException("No Domain Name specified")
    taken = any(name in each.domain_names for each in apis.directory.accounts.values())
    if taken:
        raise ConflictException("The domain name you provided already exists.")
    members = given(params, *_PRIVATE_KEYS)
    endpoint = endpoint_configuration(members.get("endpointConfiguration"))
    document = {
        "domainNameArn": arn(context.region, f"/domainnames/{name}"),
        "domainNameStatus": "AVAILABLE",
        "securityPolicy": "TLS_1_2",
        **members,
        "endpointConfiguration": endpoint,
    }
    if endpoint["types"] == ["EDGE"]:
        document["distributionDomainName"] = f"{apis.new_id(13)}.cloudfront.net"
        document["distributionHostedZoneId"] = _EDGE_ZONE
    else:
        target = f"d-{apis.new_id(10)}.execute-api.{context.region}.amazonaws.com"
        document["regionalDomainName"] = target
        document["regionalHostedZoneId"] = _REGIONAL_ZONE
    if members.get("certificateArn") or members.get("certificateName"):
        document["certificateUploadDate"] = apis.now()
    await apis.put(account, "domain_names", name, document)
    return answered(document)


@of_account("GetDomainName")
async def get(context: Context, params: Params, account: Account) -> Result:
    """Return a domain name."""
    del context
    return answered({"tags": {}, **domain_of(account, params["domainName"])})


@of_account("GetDomainNames")
async def get_all(context: Context, params: Params, account: Account) -> Result:
    """Return all domain names, a page at a time."""
    del context
    return listed(account.domain_names.values(), params, by("domainName"))


@changes_account("UpdateDomainName")
async def update(context: Context, params: Params, account: Account) -> Result:
    """Change what the patches say of a domain name."""
    name = params["domainName"]
    document = patched(domain_of(account, name), params.get("patchOperations"), _RULES)
    await context.services.put(account, "domain_names", name, document)
    return answered({"tags": {}, **document})


@changes_account("DeleteDomainName")
async def delete(context: Context, params: Params, account: Account) -> Result:
    """Give a domain name up, and all its mappings."""
    name = params["domainName"]
    domain_of(account, name)
    paths = account.base_paths.get(name, {})
    gone = [Change("base_paths", f"{name}/{path}", None) for path in paths]
    await context.services.apply(account, [Change("domain_names", name, None), *gone])
    return {}


# --- Mappings -------------------------------------------------------------------------------


def _mapping(account: Account, params: Params) -> Document:
    paths = account.base_paths.get(params["domainName"], {})
    found = paths.get(params["basePath"] or NO_PATH)
    if found is None:
        raise NotFoundException("Invalid base path mapping identifier specified")
    return found


def _check(context: Context, mapping: Document) -> None:
    if "//" in mapping["basePath"] or mapping["basePath"].startswith("/"):
        raise BadRequestException(
            "API Gateway V1 doesn't support the slash character (/) in base path mappings. "
            "To create a multi-level base path mapping, use API Gateway V2."
        )
    api = context.services.directory.apis.get(mapping["restApiId"])
    if api is None or (api.account_id, api.region) != (context.account_id, context.region):
        raise BadRequestException("Invalid REST API identifier specified")
    if mapping.get("stage") and mapping["stage"] not in api.stages:
        raise BadRequestException("Invalid stage identifier specified")


@changes_account("CreateBasePathMapping")
async def create_mapping(context: Context, params: Params, account: Account) -> Result:
    """Let an API answer below a path of a domain name."""
    name, path = params["domainName"], params.get("basePath") or NO_PATH
    domain_of(account, name)
    document = {**given(params, "domainName", "domainNameId"), "basePath": path}
    _check(context, document)
    if path in account.base_paths.get(name, {}):
        raise ConflictException("Base path already exists for this domain name")
    await context.services.put(account, "base_paths", f"{name}/{path}", document)
    return document


@of_account("GetBasePathMapping")
async def get_mapping(context: Context, params: Params, account: Account) -> Result:
    """Return what a path of a domain name leads to."""
    del context
    domain_of(account, params["domainName"])
    return _mapping(account, params)


@of_account("GetBasePathMappings")
async def get_mappings(context: Context, params: Params, account: Account) -> Result:
    """Return all mappings of a domain name."""
    del context
    domain_of(account, params["domainName"])
    found = account.base_paths.get(params["domainName"], {})
    return listed(found.values(), params, by("basePath"))


@changes_account("UpdateBasePathMapping")
async def update_mapping(context: Context, params: Params, account: Account) -> Result:
    """Change where a path of a domain name leads, or the path."""
    name = params["domainName"]
    before = _mapping(account, params)
    document: dict[str, Any] = patched(before, params.get("patchOperations"), _MAPPING_RULES)
    document["basePath"] = document.get("basePath") or NO_PATH
    _check(context, document)
    changes = [Change("base_paths", f"{name}/{document['basePath']}", document)]
    if document["basePath"] != before["basePath"]:
        if document["basePath"] in account_of(context).base_paths[name]:
            raise ConflictException("Base path already exists for this domain name")
        changes.append(Change("base_paths", f"{name}/{before['basePath']}", None))
    await context.services.apply(account, changes)
    return document


@changes_account("DeleteBasePathMapping")
async def delete_mapping(context: Context, params: Params, account: Account) -> Result:
    """Let a path of a domain name lead nowhere."""
    found = _mapping(account, params)
    key = f"{params['domainName']}/{found['basePath']}"
    await context.services.take(account, "base_paths", key)
    return {}
