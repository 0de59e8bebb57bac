"""What the policy of a queue, a topic or a bus says to a service and to another account. Pure.

Whoever belongs to the resource's own account is not asked: what an account's identities may do is
nobody's business here. A service always needs a statement, as at AWS, and so does another account.
A policy that cannot be read allows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from lambdad.authz.policies import Decision, Principal, Request, evaluate

# What reaches lambdad reaches it on this host: policies that want TLS do not mean that.
_SECURE = {"aws:SecureTransport": "true"}

_ALARMS = "cloudwatch.amazonaws.com"

Policy = Mapping[str, Any] | str | None


def lets_service(
    policy: Policy, *, action: str, resource: str, source: tuple[str, str, str]
) -> bool:
    """Whether a service may do something on behalf of one of its resources.

    `source` are its principal, the ARN of that resource and the account that owns it.
    """
    service, arn, account_id = source
    context = {"aws:SourceArn": arn, "aws:SourceAccount": account_id, **_SECURE}
    if service == _ALARMS:
        # AWS: so the policy that a topic has from the beginning lets the alarms of its account.
        context["aws:SourceOwner"] = account_id
    return _allows(
        policy,
        Request(
            principal=Principal(service=service), action=action, resource=resource, context=context
        ),
    )


def lets_account(
    policy: Policy, *, owner: str, principal: Principal, account_id: str, action: str, resource: str
) -> bool:
    """Whether somebody of an account may do something with a resource of `owner`."""
    if account_id == owner:
        return True
    return _allows(
        policy, Request(principal=principal, action=action, resource=resource, context=_SECURE)
    )


def _allows(policy: Policy, request: Request) -> bool:
    try:
        document = json.loads(policy) if isinstance(policy, str) else policy
        if not document:
            return False
        return evaluate([document], request) is Decision.ALLOWED
    except (ValueError, KeyError, TypeError, AttributeError):
        return False
