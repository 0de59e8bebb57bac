"""The types of resources that stacks can have, a table for each."""

from __future__ import annotations

from collections.abc import Mapping

from lambdad.neighbours.cloudformation.types import (
    attachments,
    buckets,
    http_apis,
    identity,
    keys,
    lambda_,
    lambda_callers,
    messaging,
    operations,
    own,
    repositories,
    rest_api_access,
    rest_api_stages,
    rest_apis,
    tables,
    workflows,
)
from lambdad.neighbours.cloudformation.types.base import ResourceType

_MODULES = (
    attachments,
    buckets,
    http_apis,
    identity,
    keys,
    lambda_,
    lambda_callers,
    messaging,
    operations,
    own,
    repositories,
    rest_api_access,
    rest_api_stages,
    rest_apis,
    tables,
    workflows,
)
TYPES: Mapping[str, ResourceType] = {
    each.name: each for module in _MODULES for each in module.TYPES
}


def is_custom(name: str) -> bool:
    """Whether resources of a type are made by somebody's own code."""
    return name.startswith("Custom::") or name == "AWS::CloudFormation::CustomResource"


def is_known(name: str) -> bool:
    """Whether there is such a type here."""
    return name in TYPES or is_custom(name)
