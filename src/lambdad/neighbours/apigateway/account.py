"""What an account has set for all its APIs in a region."""

from __future__ import annotations

from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigateway.errors import BadRequestException
from lambdad.neighbours.apigateway.patches import EDIT, Rules, patched
from lambdad.neighbours.apigateway.service import (
    Context,
    changes_account,
    of_account,
    shape,
)
from lambdad.triggers.rest_api.model import Account

_ROLE = "/cloudwatchRoleArn"
_RULES = Rules(shape=shape("Account"), paths={_ROLE: EDIT, "/features": EDIT})
_DEFAULTS: dict[str, Any] = {
    "apiKeyVersion": "4",
    "features": ["UsagePlans"],
    "throttleSettings": {"burstLimit": 5_000, "rateLimit": 10_000.0},
}


def _shown(context: Context) -> dict[str, Any]:
    set_before = context.services.settings(context.account_id, context.region)
    return {**_DEFAULTS, **set_before}


@of_account("GetAccount")
async def get(context: Context, params: Params, account: Account) -> Result:
    """Return the account's settings."""
    del params, account
    return _shown(context)


@changes_account("UpdateAccount")
async def update(context: Context, params: Params, account: Account) -> Result:
    """Say with which role APIs may write logs."""
    del account
    document = patched(_shown(context), params.get("patchOperations"), _RULES)
    role = document.get("cloudwatchRoleArn")
    if role and not role.startswith("arn:"):
        raise BadRequestException("Invalid ARN specified in the request")
    settings = {"features": document["features"], **({"cloudwatchRoleArn": role} if role else {})}
    await context.services.put_settings(context.account_id, context.region, settings)
    return _shown(context)
