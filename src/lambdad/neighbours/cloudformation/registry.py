"""The types that stacks can have here, as the registry lists them; and what is not offered.

There is nothing to register: types are tables of lambdad's own.
"""

from __future__ import annotations

import json
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.cloudformation.errors import TypeNotFoundException, ValidationError
from lambdad.neighbours.cloudformation.schemas import schema_of
from lambdad.neighbours.cloudformation.service import CLOUDFORMATION, Context
from lambdad.neighbours.cloudformation.types import TYPES
from lambdad.neighbours.paging import InvalidToken, page

_PAGE = 100

CLOUDFORMATION.refuse(
    "stacks are of one account and region each. Create a stack in every one instead.",
    "CreateStackInstances",
    "CreateStackSet",
    "DeleteStackInstances",
    "DeleteStackSet",
    "DescribeStackInstance",
    "DescribeStackSet",
    "DescribeStackSetOperation",
    "DetectStackSetDrift",
    "ImportStacksToStackSet",
    "ListStackInstanceResourceDrifts",
    "ListStackInstances",
    "ListStackSetAutoDeploymentTargets",
    "ListStackSetOperationResults",
    "ListStackSetOperations",
    "ListStackSets",
    "StopStackSetOperation",
    "UpdateStackInstances",
    "UpdateStackSet",
)
CLOUDFORMATION.refuse(
    "the types of resources are lambdad's own, and code of others is not run for them. Use a "
    "custom resource or a macro with a function instead.",
    "ActivateType",
    "BatchDescribeTypeConfigurations",
    "DeactivateType",
    "DeregisterType",
    "DescribePublisher",
    "DescribeTypeRegistration",
    "ListTypeRegistrations",
    "ListTypeVersions",
    "PublishType",
    "RecordHandlerProgress",
    "RegisterPublisher",
    "RegisterType",
    "SetTypeConfiguration",
    "SetTypeDefaultVersion",
    "TestType",
)
CLOUDFORMATION.refuse(
    "hooks are not run. Check templates before they are deployed.",
    "DescribeChangeSetHooks",
    "GetHookResult",
    "ListHookResults",
)
CLOUDFORMATION.refuse(
    "resources outside of stacks are not scanned. Write the template and import them by a change "
    "set of type IMPORT.",
    "CreateGeneratedTemplate",
    "DeleteGeneratedTemplate",
    "DescribeGeneratedTemplate",
    "DescribeResourceScan",
    "GetGeneratedTemplate",
    "ListGeneratedTemplates",
    "ListResourceScanRelatedResources",
    "ListResourceScanResources",
    "ListResourceScans",
    "StartResourceScan",
    "UpdateGeneratedTemplate",
)
CLOUDFORMATION.refuse(
    "resources move between stacks by DeletionPolicy Retain in the one, and a change set of type "
    "IMPORT for the other.",
    "CreateStackRefactor",
    "DescribeStackRefactor",
    "ExecuteStackRefactor",
    "ListStackRefactorActions",
    "ListStackRefactors",
)
CLOUDFORMATION.refuse("what runs here has no price.", "EstimateTemplateCost")
CLOUDFORMATION.refuse(
    "there are no organizations.",
    "ActivateOrganizationsAccess",
    "DeactivateOrganizationsAccess",
    "DescribeOrganizationsAccess",
)


def _arn(context: Context, name: str) -> str:
    return f"arn:aws:cloudformation:{context.region}::type/resource/{name.replace('::', '-')}"


@CLOUDFORMATION.operation("ListTypes")
async def list_types(context: Context, params: Params) -> Result:
    """Return the types of resources, all of them public."""
    filters = params.get("Filters") or {}
    prefix = filters.get("TypeNamePrefix") or ""
    there = (
        params.get("Visibility") == "PUBLIC"
        and params.get("Type", "RESOURCE") == "RESOURCE"
        and filters.get("Category", "AWS_TYPES") == "AWS_TYPES"
        and params.get("DeprecatedStatus", "LIVE") == "LIVE"
    )
    names = [name for name in TYPES if there and name.startswith(prefix)]
    kind = params.get("ProvisioningType")
    try:
        found, token = page(
            [name for name in names if kind in (None, _provisioning(name))],
            lambda name: name,
            limit=int(params.get("MaxResults") or _PAGE),
            token=params.get("NextToken"),
        )
    except InvalidToken:
        raise ValidationError("The NextToken is not valid.") from None
    return {
        "TypeSummaries": [
            {"Type": "RESOURCE", "TypeName": name, "TypeArn": _arn(context, name)} for name in found
        ],
        "NextToken": token,
    }


def _provisioning(name: str) -> str:
    return "IMMUTABLE" if TYPES[name].update is None else "FULLY_MUTABLE"


@CLOUDFORMATION.operation("DescribeType")
async def describe_type(context: Context, params: Params) -> Result:
    """Return a type, with its schema where one is installed."""
    arn = params.get("Arn") or ""
    name = params.get("TypeName") or arn.rpartition("/")[2].replace("-", "::")
    if name not in TYPES or params.get("Type", "RESOURCE") != "RESOURCE":
        raise TypeNotFoundException(f"The type '{name}' cannot be found.")
    schema = await context.services.off_loop(lambda: schema_of(name))
    found: dict[str, Any] = {
        "Arn": _arn(context, name),
        "Type": "RESOURCE",
        "TypeName": name,
        "ProvisioningType": _provisioning(name),
        "DeprecatedStatus": "LIVE",
        "Visibility": "PUBLIC",
        "IsActivated": True,
    }
    return found if schema is None else {**found, "Schema": json.dumps(schema)}
