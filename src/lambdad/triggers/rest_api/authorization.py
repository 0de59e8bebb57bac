"""Who may call a method: anybody, whoever signs, has a token, or pleases a function."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from lambdad.authz.authentication import Authenticator
from lambdad.authz.policies import ANONYMOUS, Decision
from lambdad.domain.clock import Clock
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.triggers.authorizers.jwt import (
    IssuerKeys,
    TokenRefused,
    check_scopes,
    claims_of,
    event_claims,
)
from lambdad.triggers.authorizers.lambda_results import (
    InvalidResult,
    LambdaResult,
    ResultCache,
    parse_result,
)
from lambdad.triggers.invoking import target_of
from lambdad.triggers.rest_api import policies
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.functions import ApiFunctions
from lambdad.triggers.rest_api.gateway_responses import Refused
from lambdad.triggers.rest_api.integrations import error_message
from lambdad.triggers.rest_api.model import Document
from lambdad.triggers.rest_api.parameters import request_value, with_stage_variables
from lambdad.triggers.vtl.patterns import PatternRefused, compiled

_LIMIT_S = 29.0
_TTL_S = 300
AT_ONCE = frozenset({"NONE", "AWS_IAM"})
"""Types of authorization that nobody has to be asked for."""


class Authorization:
    """Decides about calls. Mutable: what authorizers answered lately."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        functions: ApiFunctions,
        keys: IssuerKeys,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._functions = functions
        self._keys = keys
        self._clock = clock
        self._results: ResultCache[LambdaResult] = ResultCache(clock)

    async def check(self, call: Call) -> None:
        """Let a call pass, and note at it who calls.

        Raises:
            Refused: its caller may not call this, or that cannot be found out.
        """
        kind = self.check_policy(call)
        if kind in AT_ONCE:
            return
        authorizer = call.snapshot.authorizers.get(str(call.method.get("authorizerId")))
        if authorizer is None:
            raise _misconfigured()
        if kind == "COGNITO_USER_POOLS":
            await self._check_token(call, authorizer)
        else:
            await self._check_function(call, authorizer)

    def check_policy(self, call: Call) -> str:
        """Do what :meth:`check` does before it asks anybody; returns the type of authorization."""
        kind = str(call.method.get("authorizationType") or "NONE")
        if kind == "AWS_IAM":
            self._check_signer(call)
            return kind
        decision = policies.decide(call, ANONYMOUS)
        # Whom an authorizer lets in need not be let in by the policy, too.
        if decision is Decision.DENIED or (decision is Decision.SILENT and kind != "CUSTOM"):
            raise policies.refusal(call, ANONYMOUS, decision)
        return kind

    def _check_signer(self, call: Call) -> None:
        try:
            caller = self._authenticator.authenticate_signed(
                call.request, service="execute-api", region=call.api.region, guest=call.guest
            )
        except SignatureRefused as refused:
            raise _not_accepted(refused) from refused
        call.identity |= {
            "accessKey": caller.access_key,
            "accountId": caller.account_id,
            "caller": caller.user_id,
            "user": caller.user_id,
            "userArn": caller.arn,
        }
        decision = policies.decide(call, caller.principal)
        owner = caller.account_id == call.api.account_id
        if decision is Decision.DENIED or (decision is not Decision.ALLOWED and not owner):
            raise policies.refusal(call, caller.principal, decision or Decision.SILENT)

    async def _check_token(self, call: Call, authorizer: Document) -> None:
        source = authorizer.get("identitySource") or "method.request.header.Authorization"
        given = request_value(source, call)
        if not given or not _is_valid(authorizer, given):
            raise _unauthorized()
        scheme, _, rest = given.partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else given
        wanted: Sequence[str] = call.method.get("authorizationScopes") or ()
        for arn in authorizer.get("providerARNs") or ():
            try:
                claims = await claims_of(
                    token,
                    {"Issuer": _issuer(arn), "AnyAudience": True},
                    self._keys,
                    now_s=self._clock.time(),
                )
                check_scopes(claims, wanted)
            except TokenRefused:
                continue
            # AWS: identity tokens where nothing is asked of scopes, access tokens where it is.
            if claims.get("token_use") == ("access" if wanted else "id"):
                call.authorizer = {"claims": event_claims(claims)}
                return
        raise _unauthorized()

    async def _check_function(self, call: Call, authorizer: Document) -> None:
        identity = _identity(call, authorizer)
        if any(not each for each in identity):
            raise _unauthorized()
        if authorizer["type"] == "TOKEN" and not _is_valid(authorizer, str(identity[0])):
            raise _unauthorized()
        given = authorizer.get("authorizerResultTtlInSeconds")
        ttl_s = _TTL_S if given is None else int(given)
        key = (
            call.api.api_id,
            call.api.authorizers_epoch,
            call.stage_name,
            call.snapshot.deployment_id,
            authorizer["id"],
            identity,
        )
        result = self._results.get(key) if identity else None
        latency_ms = 0
        if result is None:
            began = self._clock.monotonic()
            result = await self._ask(call, authorizer, identity)
            latency_ms = int((self._clock.monotonic() - began) * 1000)
            if identity:
                self._results.put(key, result, ttl_s)
        decision = result.decide(call.method_arn, {"aws:SourceIp": call.arrival.source_ip})
        if decision is not Decision.ALLOWED:
            why = " with an explicit deny" if decision is Decision.DENIED else ""
            text = f"User is not authorized to access this resource{why}"
            raise Refused("ACCESS_DENIED", text, member="Message")
        context = {name: _text(value) for name, value in result.context.items()}
        call.authorizer = {
            **context,
            "principalId": result.principal_id,
            "integrationLatency": latency_ms,
        }
        call.usage_key = result.usage_key

    async def _ask(
        self, call: Call, authorizer: Document, identity: Sequence[str | None]
    ) -> LambdaResult:
        uri = with_stage_variables(authorizer.get("authorizerUri") or "", call.stage_variables)
        target = target_of(uri)
        if target is None:
            raise _misconfigured()
        api = call.api
        if not authorizer.get("authorizerCredentials"):
            source_arn = (
                f"arn:aws:execute-api:{api.region}:{api.account_id}:{api.api_id}"
                f"/authorizers/{authorizer['id']}"
            )
            try:
                self._functions.check(call, target, source_arn)
            except Refused as refused:
                raise _misconfigured() from refused
        event = (
            _token_event(call, str(identity[0]))
            if authorizer["type"] == "TOKEN"
            else _request_event(call)
        )
        payload = json.dumps(event, separators=(",", ":")).encode()
        try:
            outcome = await self._functions.invoke(call, target, payload, timeout_s=_LIMIT_S)
        except Refused as refused:
            raise _failed() from refused
        if outcome.function_error is not None:
            # A function says so by an error of this very text.
            if error_message(outcome.payload) == "Unauthorized":
                raise _unauthorized()
            raise _failed()
        try:
            return parse_result(outcome.payload)
        except InvalidResult as error:
            raise _misconfigured() from error


def _identity(call: Call, authorizer: Document) -> tuple[str | None, ...]:
    """Return what identifies the caller, in the order of the sources."""
    sources = authorizer.get("identitySource") or (
        "method.request.header.Authorization" if authorizer["type"] == "TOKEN" else ""
    )
    names = [name.strip() for name in sources.split(",")]
    return tuple(request_value(name, call) for name in names if name)


def _is_valid(authorizer: Document, token: str) -> bool:
    pattern = authorizer.get("identityValidationExpression")
    if not pattern:
        return True
    try:
        return compiled(pattern, token, whole=True).fullmatch(token) is not None
    except PatternRefused as error:
        raise _misconfigured() from error


def _token_event(call: Call, token: str) -> dict[str, Any]:
    return {"type": "TOKEN", "methodArn": call.method_arn, "authorizationToken": token}


def _request_event(call: Call) -> dict[str, Any]:
    return {
        "type": "REQUEST",
        "methodArn": call.method_arn,
        "resource": call.resource_path,
        "path": call.path,
        "httpMethod": call.request.method,
        "headers": call.last_headers,
        "multiValueHeaders": call.headers,
        "queryStringParameters": call.last_query,
        "multiValueQueryStringParameters": call.query,
        "pathParameters": dict(call.path_parameters),
        "stageVariables": dict(call.stage_variables),
        "requestContext": call.context(),
    }


def _issuer(arn: str) -> str:
    """Return who issues the tokens of a user pool."""
    parts = arn.split(":", 5)
    pool = parts[-1].partition("/")[2]
    return f"https://cognito-idp.{parts[3] if len(parts) > 3 else ''}.amazonaws.com/{pool}"


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


def _unauthorized() -> Refused:
    return Refused("UNAUTHORIZED", "Unauthorized")


def _misconfigured() -> Refused:
    return Refused("AUTHORIZER_CONFIGURATION_ERROR", None)


def _failed() -> Refused:
    return Refused("AUTHORIZER_FAILURE", None)


def _not_accepted(refused: SignatureRefused) -> Refused:
    if refused.fault is Fault.MISSING:
        return Refused("MISSING_AUTHENTICATION_TOKEN", "Missing Authentication Token")
    message = str(refused.as_error("rest-json").message)
    if refused.fault is Fault.EXPIRED_TOKEN:
        return Refused("EXPIRED_TOKEN", message)
    return Refused("INVALID_SIGNATURE", message)
