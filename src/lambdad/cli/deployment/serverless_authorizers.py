"""Authorizers of a `serverless.yml`, as SAM's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.cli.errors import Failure

_IAM = "aws_iam"
_SOURCES = {
    "method.request.header.": "Headers",
    "method.request.querystring.": "QueryStrings",
    "context.": "Context",
    "stageVariables.": "StageVariables",
    "$request.header.": "Headers",
    "$request.querystring.": "QueryStrings",
    "$context.": "Context",
    "$stageVariables.": "StageVariables",
}
_DEFAULT_TTL_S = 300


def of_rest_event(authorizer: Any, functions: Mapping[str, str]) -> tuple[str, dict[str, Any]]:
    """Return the name and the definition of what an `http` event asks for.

    Args:
        authorizer: a function, an ARN, `aws_iam`, or the long form.
        functions: logical identifiers by the names in the file.

    Raises:
        Failure: there is no such function.
    """
    given = authorizer
    if isinstance(authorizer, str):
        given = {"arn" if authorizer.startswith("arn:") else "name": authorizer}
    kind = str(given.get("type", "token")).lower()
    if _IAM in (kind, str(given.get("name", "")).lower()):
        return "AWS_IAM", {}
    target = given.get("arn", given.get("name", ""))
    name = str(given.get("name") or str(target).rpartition("/")[2].rpartition(":")[2])
    if kind == "cognito_user_pools" or ":cognito-idp:" in str(target):
        return name, {"UserPoolArn": target}
    ttl = given.get("resultTtlInSeconds", _DEFAULT_TTL_S)
    identity: dict[str, Any] = {"ReauthorizeEvery": ttl}
    sources = str(given.get("identitySource", "method.request.header.Authorization")).split(",")
    if kind == "request":
        identity |= _identity(sources)
    else:
        identity["Header"] = sources[0].rpartition(".")[2]
        if "identityValidationExpression" in given:
            identity["ValidationExpression"] = given["identityValidationExpression"]
    return name, {
        "FunctionArn": _function(target, functions),
        "FunctionPayloadType": kind.upper(),
        "Identity": identity,
    }


def of_http_api(given: Mapping[str, Any], functions: Mapping[str, str]) -> dict[str, Any]:
    """Return `provider.httpApi.authorizers`, by name; raises as :func:`of_rest_event`."""
    return {
        name: _request(authorizer, functions)
        if authorizer.get("type", "jwt") == "request"
        else _jwt(authorizer)
        for name, authorizer in given.items()
    }


def _jwt(given: Mapping[str, Any]) -> dict[str, Any]:
    audience = given["audience"]
    return {
        "IdentitySource": given.get("identitySource", "$request.header.Authorization"),
        "JwtConfiguration": {
            "issuer": given["issuerUrl"],
            "audience": audience if isinstance(audience, list) else [audience],
        },
    }


def _request(given: Mapping[str, Any], functions: Mapping[str, str]) -> dict[str, Any]:
    sources = given.get("identitySource", [])
    identity = _identity([sources] if isinstance(sources, str) else sources)
    if "resultTtlInSeconds" in given:
        identity["ReauthorizeEvery"] = given["resultTtlInSeconds"]
    return {
        "FunctionArn": given.get("functionArn")
        or _function(given.get("functionName", ""), functions),
        "AuthorizerPayloadFormatVersion": str(given.get("payloadVersion", "2.0")),
        "EnableSimpleResponses": bool(given.get("enableSimpleResponses")),
        "EnableFunctionDefaultPermissions": True,
        **({"Identity": identity} if identity else {}),
    }


def _identity(sources: list[str]) -> dict[str, Any]:
    identity: dict[str, list[str]] = {}
    for source in sources:
        for prefix, member in _SOURCES.items():
            if source.strip().startswith(prefix):
                identity.setdefault(member, []).append(source.strip().removeprefix(prefix))
    return dict(identity)


def _function(target: Any, functions: Mapping[str, str]) -> Any:
    if not isinstance(target, str) or target.startswith("arn:"):
        return target
    if target not in functions:
        raise Failure(f"The authorizer {target!r} is no function of this file.")
    return {"Fn::GetAtt": [functions[target], "Arn"]}
