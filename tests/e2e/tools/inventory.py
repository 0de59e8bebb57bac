"""All that an account has, in every service that deploy tools make things in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

# Service, operation, member of the answer, what tells one from the next.
_LISTS = (
    ("lambda", "list_functions", "Functions", "FunctionName"),
    ("lambda", "list_layers", "Layers", "LayerName"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "EventSourceArn"),
    ("lambda", "list_code_signing_configs", "CodeSigningConfigs", "CodeSigningConfigId"),
    ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("sqs", "list_queues", "QueueUrls", None),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("dynamodb", "list_tables", "TableNames", None),
    ("kinesis", "list_streams", "StreamNames", None),
    ("events", "list_rules", "Rules", "Name"),
    ("scheduler", "list_schedules", "Schedules", "Name"),
    ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    ("apigatewayv2", "get_apis", "Items", "Name"),
    ("apigateway", "get_rest_apis", "items", "name"),
    ("iam", "list_roles", "Roles", "RoleName"),
    ("iam", "list_users", "Users", "UserName"),
    ("ssm", "describe_parameters", "Parameters", "Name"),
    ("ecr", "describe_repositories", "repositories", "repositoryName"),
    ("secretsmanager", "list_secrets", "SecretList", "Name"),
)


def everything(client: Callable[[str], Any]) -> Iterator[str]:
    """Yield `service: name` of each thing; `client` makes one for a service."""
    for service, operation, member, name in _LISTS:
        answer = getattr(client(service), operation)()
        for each in answer.get(member, ()):
            yield f"{service}: {each if name is None else each[name]}"
    for policy in client("iam").list_policies(Scope="Local")["Policies"]:
        yield f"iam: {policy['PolicyName']}"
    for stack in client("cloudformation").list_stacks()["StackSummaries"]:
        if stack["StackStatus"] != "DELETE_COMPLETE":
            yield f"cloudformation: {stack['StackName']} {stack['StackStatus']}"
