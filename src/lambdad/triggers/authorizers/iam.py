"""Callers who sign their requests, as events tell functions of them. Pure."""

from __future__ import annotations

from lambdad.authz.callers import Caller


def event_identity(caller: Caller) -> dict[str, str | None]:
    """Return `requestContext.authorizer.iam` of payload format 2.0."""
    return {
        "accessKey": caller.access_key,
        "accountId": caller.account_id,
        "callerId": caller.user_id,
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": caller.arn,
        "userId": caller.user_id,
    }
