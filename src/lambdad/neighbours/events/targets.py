"""Targets of rules."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.events import inputs
from lambdad.neighbours.events.errors import ValidationException, too_many
from lambdad.neighbours.events.service import EVENTS, Context, paged, rule_of

_TARGETS_MAX = 5
_ARN = re.compile(r"arn:[\w-]+:[\w-]+:[\w-]*:(?:\d{12})?:.+", re.ASCII | re.DOTALL)
_PLACEHOLDER_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)


@EVENTS.operation("PutTargets")
async def put_targets(context: Context, params: Params) -> Result:
    """Add targets to a rule, or change them; a target is known by its id."""
    rule = rule_of(context, params, "Rule")
    targets = {each["Id"]: each for each in rule.targets}
    failed = []
    for target in params["Targets"]:
        _check(target)
        if _ARN.fullmatch(target["Arn"]) is None:
            failed.append(
                {
                    "TargetId": target["Id"],
                    "ErrorCode": "ValidationException",
                    "ErrorMessage": f"Parameter {target['Arn']} is not valid. Reason: Provided Arn "
                    "is not in correct format.",
                }
            )
            continue
        targets[target["Id"]] = {name: each for name, each in target.items() if each is not None}
    if len(targets) > _TARGETS_MAX:
        raise too_many()
    await context.services.put(replace(rule, targets=list(targets.values())))
    return {"FailedEntryCount": len(failed), "FailedEntries": failed}


@EVENTS.operation("RemoveTargets")
async def remove_targets(context: Context, params: Params) -> Result:
    """Take targets from a rule; those that it has not are passed over."""
    rule = rule_of(context, params, "Rule")
    gone = set(params["Ids"])
    kept = [each for each in rule.targets if each["Id"] not in gone]
    await context.services.put(replace(rule, targets=kept))
    return {"FailedEntryCount": 0, "FailedEntries": []}


@EVENTS.operation("ListTargetsByRule")
async def list_targets_by_rule(context: Context, params: Params) -> Result:
    """Return the targets of a rule."""
    targets = rule_of(context, params, "Rule").targets
    page, token = paged(params, targets, lambda target: str(target["Id"]))
    return {"Targets": page, "NextToken": token}


def _check(target: dict[str, Any]) -> None:
    """Refuse a target whose input cannot be made.

    Raises:
        ValidationException: says why.
    """
    name = target["Id"]
    given = [each for each in ("Input", "InputPath", "InputTransformer") if target.get(each)]
    if len(given) > 1:
        raise ValidationException(
            f"Only one of Input, InputPath, or InputTransformer must be provided for target {name}."
        )
    fifo = target["Arn"].endswith(".fifo") and ":sqs:" in target["Arn"]
    if fifo and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise ValidationException(
            f"Parameter(s) SqsParameters must be specified for target: {name}."
        )
    if (constant := target.get("Input")) is not None:
        try:
            json.loads(constant)
        except ValueError as error:
            raise ValidationException(
                f"JSON syntax error in input for target {name} : [Source: (String)"
                f'"{constant}"; {error}]'
            ) from error
    if (path := target.get("InputPath")) is not None and not inputs.is_path(path):
        raise _invalid_path("InputPath", name, path)
    if (transformer := target.get("InputTransformer")) is not None:
        _check_transformer(name, transformer)


def _check_transformer(name: str, transformer: dict[str, Any]) -> None:
    paths = transformer.get("InputPathsMap") or {}
    for key, path in paths.items():
        if _PLACEHOLDER_NAME.fullmatch(key) is None or key.lower().startswith("aws"):
            raise ValidationException(f"Invalid InputPathsMap key {key} for target {name}.")
        if not inputs.is_path(path):
            raise _invalid_path("InputTransformer", name, path)
    for used in sorted(inputs.placeholders(transformer["InputTemplate"])):
        if used not in paths and not used.startswith("aws.events."):
            raise ValidationException(
                f"InputTemplate for target {name} contains placeholder <{used}> that is not in "
                "InputPathsMap."
            )


def _invalid_path(member: str, target: str, path: str) -> ValidationException:
    return ValidationException(f"{member} for target {target} is invalid: {path} is no JSON path.")
