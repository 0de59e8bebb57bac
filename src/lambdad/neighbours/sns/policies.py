"""Statements of topics' policies."""

from __future__ import annotations

import json

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.sns.errors import invalid
from lambdad.neighbours.sns.parts import with_attributes
from lambdad.neighbours.sns.service import Context, check_topic_arn, operation


@operation("AddPermission")
async def add_permission(context: Context, params: Params) -> Result:
    """Allow accounts some actions on a topic."""
    topic, label = context.services.topic(check_topic_arn(params["TopicArn"])), params["Label"]
    policy = topic.policy
    if any(each.get("Sid") == label for each in policy["Statement"]):
        raise invalid("Statement already exists")
    principals = [f"arn:aws:iam::{account}:root" for account in params["AWSAccountId"]]
    actions = [f"SNS:{action}" for action in params["ActionName"]]
    policy["Statement"].append(
        {
            "Sid": label,
            "Effect": "Allow",
            "Principal": {"AWS": principals[0] if len(principals) == 1 else principals},
            "Action": actions[0] if len(actions) == 1 else actions,
            "Resource": topic.arn,
        }
    )
    await context.services.put(with_attributes(topic, {"Policy": json.dumps(policy)}))
    return {}


@operation("RemovePermission")
async def remove_permission(context: Context, params: Params) -> Result:
    """Take back what AddPermission allowed."""
    topic, label = context.services.topic(check_topic_arn(params["TopicArn"])), params["Label"]
    policy = topic.policy
    kept = [each for each in policy["Statement"] if each.get("Sid") != label]
    changed = {"Policy": json.dumps({**policy, "Statement": kept})}
    await context.services.put(with_attributes(topic, changed))
    return {}
