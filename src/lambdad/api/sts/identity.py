"""Who the caller is, and temporary credentials.

Credentials that are issued here are always checked when they come back. Trust policies of roles
are not stored: a role may be assumed by its own account, and by strangers where they are taken at
their word.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.sts.service import STS
from lambdad.authz.role_credentials import role_id
from lambdad.authz.sessions import Session
from lambdad.domain.errors import ValidationException
from lambdad.protocol.errors import ProtocolError

_ASSUME_ROLE_S = 3_600
_SESSION_S = 43_200


@STS.operation("GetCallerIdentity")
async def get_caller_identity(context: RequestContext, params: Params) -> Result:
    """Return who calls."""
    caller = context.caller
    return {"UserId": caller.user_id, "Account": caller.account_id, "Arn": caller.arn}


@STS.operation("AssumeRole")
async def assume_role(context: RequestContext, params: Params) -> Result:
    """Return credentials of a session of the role, if the caller may assume it."""
    role_arn = str(params["RoleArn"])
    parts = role_arn.split(":", 5)
    if len(parts) != 6 or not (parts[4].isdigit() and len(parts[4]) == 12):
        raise ValidationException(f"{role_arn} is invalid")
    account_id, role = parts[4], parts[5].rpartition("/")[2]
    if context.caller.proven and context.caller.account_id != account_id:
        raise _denied(
            f"User: {context.caller.arn} is not authorized to perform: sts:AssumeRole on "
            f"resource: {role_arn}"
        )
    name = params["RoleSessionName"]
    arn = f"arn:aws:sts::{account_id}:assumed-role/{role}/{name}"
    user_id = f"{role_id(account_id, role)}:{name}"
    session = context.services.sessions.issue(
        account_id=account_id,
        arn=arn,
        user_id=user_id,
        role_arn=role_arn,
        expires_s=_expiry(context, params.get("DurationSeconds") or _ASSUME_ROLE_S),
    )
    return {
        "Credentials": _credentials(session),
        "AssumedRoleUser": {"AssumedRoleId": user_id, "Arn": arn},
    }


@STS.operation("GetSessionToken")
async def get_session_token(context: RequestContext, params: Params) -> Result:
    """Return temporary credentials of the caller; a session gets no further one."""
    caller = context.caller
    if caller.role_arn is not None:
        raise _denied("Cannot call GetSessionToken with session credentials")
    session = context.services.sessions.issue(
        account_id=caller.account_id,
        arn=caller.arn,
        user_id=caller.user_id,
        expires_s=_expiry(context, params.get("DurationSeconds") or _SESSION_S),
    )
    return {"Credentials": _credentials(session)}


def _denied(text: str) -> ProtocolError:
    return ProtocolError("AccessDenied", text, 403)


def _expiry(context: RequestContext, seconds: int) -> int:
    return int(context.services.clock.time()) + seconds


def _credentials(session: Session) -> dict[str, Any]:
    return {
        "AccessKeyId": session.claims.access_key,
        "SecretAccessKey": session.secret,
        "SessionToken": session.token,
        "Expiration": datetime.fromtimestamp(session.claims.expires_s, UTC),
    }
