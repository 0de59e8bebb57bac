"""Limits and usage of an account in a region."""

from __future__ import annotations

from lambdad.api.context import RequestContext
from lambdad.api.dispatch import Params, Result
from lambdad.api.lambda_.service import LAMBDA
from lambdad.domain import limits


@LAMBDA.operation("GetAccountSettings")
async def get_account_settings(context: RequestContext, params: Params) -> Result:
    """Return limits and usage."""
    account_id, region = context.account_id, context.region
    functions = context.services.functions
    usage = functions.listing.usage(account_id, region)
    code_bytes = usage.code_bytes + functions.layers.code_bytes(account_id, region)
    concurrency = context.services.attachments.account_concurrency
    unreserved = concurrency.unreserved(account_id, region)
    return {
        "AccountLimit": {
            "TotalCodeSize": limits.CODE_STORAGE_BYTES,
            "CodeSizeUnzipped": limits.UNZIPPED_BYTES_MAX,
            "CodeSizeZipped": limits.ZIP_BYTES_MAX,
            "ConcurrentExecutions": concurrency.limit,
            "UnreservedConcurrentExecutions": max(0, unreserved),
        },
        "AccountUsage": {"TotalCodeSize": code_bytes, "FunctionCount": usage.functions},
    }
