"""Who may call a route of an HTTP API: whoever signs, has a token, or pleases a function."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lambdad.authz.authentication import Authenticator
from lambdad.authz.policies import Decision
from lambdad.domain.clock import Clock
from lambdad.protocol.sigv4_refusals import SignatureRefused
from lambdad.triggers.authorizers.iam import event_identity
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
from lambdad.triggers.http_api.calls import Call, Unanswerable
from lambdad.triggers.http_api.integrations import event_of
from lambdad.triggers.http_api.model import Document
from lambdad.triggers.http_api.parameter_mapping import request_variables
from lambdad.triggers.invoking import CallFailed, FunctionCall, FunctionCalls

_LIMIT_S = 10.0
_NOT_TOLD = ("body", "isBase64Encoded", "multiValueHeaders", "multiValueQueryStringParameters")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Verdict:
    """What a function said of a caller; `policy` is None where it said yes or no."""

    allowed: bool
    policy: LambdaResult | None
    context: Mapping[str, Any]


class Authorization:
    """Decides about calls. Mutable: what authorizers answered lately."""

    def __init__(
        self,
        *,
        authenticator: Authenticator,
        functions: FunctionCalls,
        keys: IssuerKeys,
        clock: Clock,
    ) -> None:
        self._authenticator = authenticator
        self._functions = functions
        self._keys = keys
        self._clock = clock
        self._verdicts: ResultCache[_Verdict] = ResultCache(clock)

    async def check(self, call: Call) -> None:
        """Let a call pass, and note at it who calls.

        Raises:
            Unanswerable: its caller may not call this, or that cannot be found out.
        """
        if self.check_signer(call):
            return
        kind = call.route["AuthorizationType"]
        authorizer = call.served["authorizer"].get(str(call.route.get("AuthorizerId")))
        if authorizer is None:
            raise Unanswerable(500, "Internal Server Error")
        if kind == "JWT":
            call.authorizer = {"jwt": await self._token(call, authorizer)}
        else:
            call.authorizer = await self._function(call, authorizer)

    def check_signer(self, call: Call) -> bool:
        """Like :meth:`check`, of a route for everybody or for who signs; False of all others."""
        kind = call.route.get("AuthorizationType", "NONE")
        if kind == "AWS_IAM":
            call.authorizer = {"iam": self._signer(call)}
        return kind in ("NONE", "AWS_IAM")

    def _signer(self, call: Call) -> Mapping[str, Any]:
        try:
            caller = self._authenticator.authenticate_signed(
                call.request, service="execute-api", region=call.api.region, guest=call.guest
            )
        except SignatureRefused as refused:
            raise Unanswerable(403, "Forbidden") from refused
        # AWS: HTTP APIs have no policy that could let another account in.
        if caller.account_id != call.api.account_id:
            raise Unanswerable(403, "Forbidden")
        return event_identity(caller)

    async def _token(self, call: Call, authorizer: Document) -> Mapping[str, Any]:
        wanted: Sequence[str] = call.route.get("AuthorizationScopes") or ()
        sources = _identity(call, authorizer)
        if not sources:
            raise Unanswerable(401, "Unauthorized", {"www-authenticate": "Bearer"})
        scheme, _, rest = sources[0].partition(" ")
        token = rest.strip() if scheme.lower() == "bearer" else sources[0]
        try:
            claims = await claims_of(
                token, authorizer["JwtConfiguration"], self._keys, now_s=self._clock.time()
            )
            check_scopes(claims, wanted)
        except TokenRefused as refused:
            raise _refused(refused) from refused
        return {"claims": event_claims(claims), "scopes": list(wanted) or None}

    async def _function(self, call: Call, authorizer: Document) -> Mapping[str, Any]:
        identity = _identity(call, authorizer)
        if identity is None:
            raise Unanswerable(401, "Unauthorized")
        key = _cache_key(call, authorizer, identity)
        verdict = self._verdicts.get(key) if identity else None
        if verdict is None:
            verdict = await self._ask(call, authorizer, identity)
            if identity:
                ttl_s = float(authorizer.get("AuthorizerResultTtlInSeconds") or 0)
                self._verdicts.put(key, verdict, ttl_s)
        allowed = verdict.allowed
        if verdict.policy is not None:
            conditions = {"aws:SourceIp": call.arrival.source_ip}
            allowed = verdict.policy.decide(call.arn, conditions) is Decision.ALLOWED
        if not allowed:
            raise Unanswerable(403, "Forbidden")
        return {"lambda": verdict.context or None}

    async def _ask(self, call: Call, authorizer: Document, identity: Sequence[str]) -> _Verdict:
        event = _event(call, authorizer, identity)
        source_arn = f"{call.api.execute_arn}/authorizers/{authorizer['AuthorizerId']}"
        try:
            payload = await self._functions.call(
                FunctionCall(
                    uri=str(authorizer["AuthorizerUri"]),
                    source_arn=source_arn,
                    account_id=call.api.account_id,
                    request_id=call.arrival.request_id,
                    payload=json.dumps(event, separators=(",", ":")).encode(),
                    trace_header=call.arrival.trace_header,
                    limit_s=_LIMIT_S,
                )
            )
            return _verdict(payload, simple=bool(authorizer.get("EnableSimpleResponses")))
        except (CallFailed, InvalidResult) as error:
            raise Unanswerable(500, "Internal Server Error") from error


def _identity(call: Call, authorizer: Document) -> list[str] | None:
    """Return what identifies the caller, in the order of the sources; None if one is missing."""
    resolve = request_variables(call)
    found = [resolve(str(each).removeprefix("$")) for each in authorizer.get("IdentitySource", ())]
    return None if any(not each for each in found) else [each for each in found if each]


def _cache_key(call: Call, authorizer: Document, identity: Sequence[str] | None) -> tuple[Any, ...]:
    return (
        call.api.api_id,
        call.api.authorizers_epoch,
        authorizer["AuthorizerId"],
        authorizer["AuthorizerUri"],
        authorizer.get("AuthorizerPayloadFormatVersion"),
        authorizer.get("EnableSimpleResponses"),
        tuple(authorizer.get("IdentitySource", ())),
        call.stage,
        tuple(identity or ()),
    )


def _event(call: Call, authorizer: Document, identity: Sequence[str]) -> dict[str, Any]:
    first = authorizer.get("AuthorizerPayloadFormatVersion") == "1.0"
    event = event_of(call, replace(call.request, body=b""), first=first)
    for member in _NOT_TOLD:
        event.pop(member, None)
    if first:
        text = ",".join(identity)
        own: dict[str, Any] = {
            "methodArn": call.arn,
            "identitySource": text,
            "authorizationToken": text,
        }
    else:
        own = {"routeArn": call.arn, "identitySource": list(identity) or None}
    return {"version": event.pop("version"), "type": "REQUEST", **own, **event}


def _verdict(payload: bytes, *, simple: bool) -> _Verdict:
    try:
        answer = json.loads(payload)
    except (ValueError, RecursionError) as error:
        raise InvalidResult("the answer is no JSON") from error
    if not isinstance(answer, dict):
        raise InvalidResult("the answer is no object")
    context = answer.pop("context", None) or {}
    if not isinstance(context, dict):
        raise InvalidResult("context is no object")
    if simple:
        allowed = answer.get("isAuthorized")
        if not isinstance(allowed, bool):
            raise InvalidResult("isAuthorized is missing")
        return _Verdict(allowed=allowed, policy=None, context=context)
    # Unlike a REST API's, the context may hold lists and objects.
    policy = parse_result(json.dumps(answer).encode())
    return _Verdict(allowed=False, policy=policy, context=context)


def _refused(refused: TokenRefused) -> Unanswerable:
    status, message, error = 401, "Unauthorized", "invalid_token"
    if refused.scopes:
        status, message, error = 403, "Forbidden", "insufficient_scope"
    told = f'Bearer scope="{" ".join(refused.scopes)}" error="{error}" '
    told += f'error_description="{refused}"'
    return Unanswerable(status, message, {"www-authenticate": told})
