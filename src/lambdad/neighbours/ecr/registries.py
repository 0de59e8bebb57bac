"""The registry as a whole: passwords for its clients, and settings that are as they are."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.ecr.access import PASSWORD_LIFE_S, Grant
from lambdad.neighbours.ecr.errors import RegistryPolicyNotFoundException
from lambdad.neighbours.ecr.service import ECR, Context, registry_host


@ECR.operation("GetAuthorizationToken")
async def get_authorization_token(context: Context, params: Params) -> Result:
    """Return a password for the registry; it speaks for the caller for twelve hours."""
    expires_s = int(context.services.clock.time()) + PASSWORD_LIFE_S
    password = context.services.password(
        Grant(
            account_id=context.account_id,
            region=context.region,
            arn=context.caller.arn,
            role_arn=context.caller.role_arn,
            expires_s=expires_s,
        )
    )
    data = [
        {
            "authorizationToken": base64.b64encode(f"AWS:{password}".encode()).decode(),
            "expiresAt": datetime.fromtimestamp(expires_s, UTC),
            "proxyEndpoint": (
                f"{context.base_url.partition('://')[0]}://"
                f"{registry_host(context.base_url, account_id, context.region)}"
            ),
        }
        for account_id in params.get("registryIds") or [context.account_id]
    ]
    return {"authorizationData": data}


@ECR.operation("DescribeRegistry")
async def describe_registry(context: Context, params: Params) -> Result:
    """Return the account's registry, which is replicated nowhere."""
    del params
    return {"registryId": context.account_id, "replicationConfiguration": {"rules": []}}


@ECR.operation("GetRegistryPolicy")
async def get_registry_policy(context: Context, params: Params) -> Result:
    """Say that there is none."""
    del params
    raise RegistryPolicyNotFoundException(
        f"Registry policy does not exist in the registry with id '{context.account_id}'"
    )


@ECR.operation("GetRegistryScanningConfiguration")
async def get_registry_scanning_configuration(context: Context, params: Params) -> Result:
    """Return that nothing is scanned."""
    del params
    scanning = {"scanType": "BASIC", "rules": []}
    return {"registryId": context.account_id, "scanningConfiguration": scanning}


@ECR.operation("DescribePullThroughCacheRules")
async def describe_pull_through_cache_rules(context: Context, params: Params) -> Result:
    """Return that there are none."""
    del context, params
    return {"pullThroughCacheRules": []}
