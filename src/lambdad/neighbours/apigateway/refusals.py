"""Operations that are refused with the reason, so that nobody takes silence for success."""

from __future__ import annotations

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import NotFoundException, refused
from lambdad.neighbours.apigateway.service import REST_APIS, Context, changes_api
from lambdad.neighbours.apigateway.stages import stage_of
from lambdad.triggers.rest_api.model import RestApi

_REFUSED = {
    "CreateDomainNameAccessAssociation": (
        "Private domain names are",
        "Use a domain name of type REGIONAL.",
    ),
    "CreateVpcLink": ("VPC links are", "Let integrations reach their addresses directly."),
    "GenerateClientCertificate": ("Client certificates are", "Use a secret header instead."),
    "GetSdk": ("Generated SDKs are", "Export the API with GetExport and generate from that."),
    "TestInvokeAuthorizer": ("Trials of authorizers are", "Invoke the authorizer's function."),
    "UpdateUsage": ("Extensions of a quota are", "Change the quota with UpdateUsagePlan."),
}
_EMPTY = (
    "GetClientCertificates",
    "GetDomainNameAccessAssociations",
    "GetSdkTypes",
    "GetVpcLinks",
)
_MISSING = {
    "DeleteClientCertificate": "Client certificate",
    "DeleteDomainNameAccessAssociation": "Association",
    "DeleteVpcLink": "VPC link",
    "GetClientCertificate": "Client certificate",
    "GetSdkType": "SDK type",
    "GetVpcLink": "VPC link",
    "RejectDomainNameAccessAssociation": "Association",
    "UpdateClientCertificate": "Client certificate",
    "UpdateVpcLink": "VPC link",
}


def _refuse(name: str, what: str, instead: str) -> None:
    @REST_APIS.operation(name)
    async def refuse(context: Context, params: Params) -> Result:
        del context, params
        raise refused(what, instead)


def _none(name: str) -> None:
    @REST_APIS.operation(name)
    async def none(context: Context, params: Params) -> Result:
        del context, params
        return {"items": []}


def _missing(name: str, what: str) -> None:
    @REST_APIS.operation(name)
    async def missing(context: Context, params: Params) -> Result:
        del context, params
        raise NotFoundException(f"{what} not found")


for _name, (_what, _instead) in _REFUSED.items():
    _refuse(_name, _what, _instead)
for _name in _EMPTY:
    _none(_name)
for _name, _what in _MISSING.items():
    _missing(_name, _what)


@changes_api("FlushStageCache")
async def flush_cache(context: Context, params: Params, api: RestApi) -> Result:
    """Nothing is kept of answers, so there is nothing to forget."""
    del context
    stage_of(api, params["stageName"])
    return {}


@changes_api("FlushStageAuthorizersCache")
async def flush_authorizers(context: Context, params: Params, api: RestApi) -> Result:
    """Forget what authorizers answered."""
    del context
    stage_of(api, params["stageName"])
    api.authorizers_epoch += 1
    return {}
