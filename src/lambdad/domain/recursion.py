"""Loops of invocations that feed themselves: how `RecursiveLoop` is stored."""

from __future__ import annotations

from lambdad.domain.arns import FunctionKey
from lambdad.domain.resources import Resource, ResourceKey

RECURSION_CONFIG_KIND = "recursion-config"

TERMINATE = "Terminate"
ALLOW = "Allow"


def recursion_config_key(function: FunctionKey) -> ResourceKey:
    """Where a function's configuration is stored."""
    return ResourceKey(
        kind=RECURSION_CONFIG_KIND,
        account_id=function.account_id,
        region=function.region,
        name=function.name,
    )


def recursive_loop(stored: Resource | None) -> str:
    """Return `Terminate` or `Allow`; nothing is stored of a function that was never asked about."""
    return TERMINATE if stored is None else str(stored.document["recursive_loop"])
