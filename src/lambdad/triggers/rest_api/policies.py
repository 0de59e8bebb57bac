"""Resource policies of REST APIs: what they say of a caller. Pure."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from lambdad.authz.policies import Decision, Principal, Request, evaluate, listed, statements_of
from lambdad.triggers.authorizers.lambda_results import INVOKE
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.gateway_responses import Refused, misconfigured

_SHORT = "execute-api:/"


def decide(call: Call, principal: Principal) -> Decision | None:
    """Return what the API's policy says; None where it has none.

    Raises:
        Refused: it cannot be read.
    """
    text = call.snapshot.document.get("policy")
    if not text:
        return None
    api = call.api
    document = _document(
        str(text), f"arn:aws:execute-api:{api.region}:{api.account_id}", api.api_id
    )
    if document is None:
        raise misconfigured()
    context = {
        "aws:SourceIp": call.arrival.source_ip,
        "aws:CurrentTime": call.arrival.moment.isoformat(),
        "aws:EpochTime": str(int(call.arrival.moment.timestamp())),
        "aws:UserAgent": call.header("user-agent") or "",
        "aws:Referer": call.header("referer") or "",
    }
    request = Request(principal=principal, action=INVOKE, resource=call.method_arn, context=context)
    try:
        return evaluate([document], request)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise misconfigured() from error


def refusal(call: Call, principal: Principal, decision: Decision) -> Refused:
    """Return what a caller sees whom the policy keeps out."""
    who = principal.arn or "anonymous"
    hidden = call.method_arn.replace(call.api.account_id, f"********{call.api.account_id[-4:]}")
    why = " with an explicit deny" if decision is Decision.DENIED else ""
    text = f"User: {who} is not authorized to perform: {INVOKE} on resource: {hidden}{why}"
    return Refused("ACCESS_DENIED", text, member="Message")


@lru_cache(maxsize=256)
def _document(text: str, prefix: str, api_id: str) -> Any:
    """Return a policy with whole ARNs; None if it is none.

    GetRestApi answers the text with its quotes escaped, and so it may be stored.
    """
    try:
        found = json.loads(text)
    except ValueError:
        try:
            found = json.loads(json.loads(f'"{text}"'))
        except ValueError:
            return None
    if not isinstance(found, dict):
        return None
    statements = []
    for statement in statements_of(found):
        if not isinstance(statement, dict):
            return None
        own = dict(statement)
        for element in ("Resource", "NotResource"):
            if element in own:
                own[element] = [_whole(each, prefix, api_id) for each in listed(own[element])]
        statements.append(own)
    return {**found, "Statement": statements}


def _whole(resource: str, prefix: str, api_id: str) -> str:
    if resource.startswith(_SHORT):
        return f"{prefix}:{api_id}/{resource.removeprefix(_SHORT)}"
    return resource
