"""Who the caller is, and temporary credentials.

Credentials carry their account and no rights: signatures and policies are not evaluated yet.
"""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.sts.service import STS
from lambdad.authz.principals import temporary_access_key
from lambdad.domain.errors import ValidationException

_ASSUME_ROLE_S = 3_600
_SESSION_S = 43_200


@STS.operation("GetCallerIdentity")
async def get_caller_identity(context: RequestContext, params: Params) -> Result:
    """Return the account of the caller, as its root."""
    account_id = context.account_id
    return {
        "UserId": account_id,
        "Account": account_id,
        "Arn": f"arn:aws:iam::{account_id}:root",
    }


@STS.operation("AssumeRole")
async def assume_role(context: RequestContext, params: Params) -> Result:
    """Return credentials in the account of the role. Any role may be assumed."""
    parts = str(params["RoleArn"]).split(":", 5)
    if len(parts) != 6 or not (parts[4].isdigit() and len(parts[4]) == 12):
        raise ValidationException(f"{params['RoleArn']} is invalid")
    account_id, role = parts[4], parts[5].rpartition("/")[2]
    session = params["RoleSessionName"]
    seconds = params.get("DurationSeconds") or _ASSUME_ROLE_S
    return {
        "Credentials": _credentials(context, account_id, seconds),
        "AssumedRoleUser": {
            "AssumedRoleId": f"AROA{account_id}:{session}",
            "Arn": f"arn:aws:sts::{account_id}:assumed-role/{role}/{session}",
        },
    }


@STS.operation("GetSessionToken")
async def get_session_token(context: RequestContext, params: Params) -> Result:
    """Return temporary credentials of the caller's own account."""
    seconds = params.get("DurationSeconds") or _SESSION_S
    return {"Credentials": _credentials(context, context.account_id, seconds)}


def _credentials(context: RequestContext, account_id: str, seconds: int) -> dict[str, Any]:
    return {
        "AccessKeyId": temporary_access_key(account_id),
        "SecretAccessKey": secrets.token_urlsafe(30),
        "SessionToken": secrets.token_urlsafe(96),
        "Expiration": context.services.clock.now() + timedelta(seconds=seconds),
    }
