"""Events of a function in a `serverless.yml`, as events of SAM and resources beside them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from lambdad.cli.deployment.serverless_authorizers import of_rest_event
from lambdad.cli.errors import Failure

REST_API, HTTP_API = "ApiGatewayRestApi", "HttpApi"
_NOT_WORD = re.compile(r"[^A-Za-z0-9]+")

Event = dict[str, Any]


class Additions:
    """What events of all functions add to a template. Mutable.

    Attributes:
        resources: by logical identifier.
        statements: policy statements that the functions' role needs.
        apis: which of the two APIs there must be.
        authorizers: of the REST API, by name.
        cors: whether the REST API answers preflights.

    Args:
        provider: of the file.
        functions: logical identifiers by the names in the file.
    """

    def __init__(self, provider: Mapping[str, Any], functions: Mapping[str, str]) -> None:
        self.provider = provider
        self.functions = functions
        self.resources: dict[str, Any] = {}
        self.statements: list[dict[str, Any]] = []
        self.apis: set[str] = set()
        self.authorizers: dict[str, Any] = {}
        self.cors = False

    def allow(self, actions: list[str], resource: Any) -> None:
        """Let the functions' role do something."""
        self.statements.append({"Effect": "Allow", "Action": actions, "Resource": resource})


def logical(text: str) -> str:
    """Return a text as part of a logical identifier: its words, each with a capital."""
    return "".join(word[:1].upper() + word[1:] for word in _NOT_WORD.split(text) if word)


def compiled(kind: str, value: Any, additions: Additions, where: str) -> Event:
    """Return one event of `serverless.yml` as SAM's.

    Raises:
        Failure: it is of a kind that is not known here.
    """
    compile_one = _KINDS.get(kind)
    if compile_one is None:
        raise Failure(
            f"{where}: the event {kind} is not known to `lambdad deploy`.",
            f"Known are {', '.join(sorted(_KINDS))}. The Framework itself can deploy it.",
        )
    return compile_one(value, additions)


def _route(value: Any) -> tuple[str, str, dict[str, Any]]:
    """Method, path and the other members of `GET /path` or its long form."""
    if isinstance(value, str):
        method, _, path = value.strip().partition(" ")
        rest: dict[str, Any] = {}
    else:
        rest = {key: item for key, item in value.items() if key not in ("method", "path")}
        method, path = str(value.get("method", "*")), str(value.get("path", "*"))
    path = path.strip()
    if path != "*" and not path.startswith("/"):
        path = f"/{path}"
    return method.lower(), path, rest


def _http_api(value: Any, additions: Additions) -> Event:
    additions.apis.add(HTTP_API)
    method, path, rest = _route(value)
    properties: dict[str, Any] = {"ApiId": {"Ref": HTTP_API}}
    if method != "*" or path not in ("*", ""):
        properties["Method"] = "ANY" if method in ("*", "any") else method.upper()
        properties["Path"] = path
    payload = additions.provider.get("httpApi", {}).get("payload")
    if payload is not None:
        properties["PayloadFormatVersion"] = str(payload)
    authorizer = rest.get("authorizer")
    if authorizer is not None:
        properties["Auth"] = _http_api_auth(authorizer)
    return {"Type": "HttpApi", "Properties": properties}


def _http_api_auth(authorizer: Any) -> dict[str, Any]:
    given = {"name": authorizer} if isinstance(authorizer, str) else authorizer
    if given.get("type") == "aws_iam" or given.get("name") == "aws_iam":
        return {"Authorizer": "AWS_IAM"}
    scopes = {"AuthorizationScopes": given["scopes"]} if given.get("scopes") else {}
    return {"Authorizer": given.get("name"), **scopes}


def _http(value: Any, additions: Additions) -> Event:
    additions.apis.add(REST_API)
    method, path, rest = _route(value)
    properties: dict[str, Any] = {
        "RestApiId": {"Ref": REST_API},
        "Method": "ANY" if method in ("*", "any") else method.upper(),
        "Path": path,
    }
    if rest.get("cors"):
        additions.cors = True
    auth: dict[str, Any] = {}
    if rest.get("private"):
        auth["ApiKeyRequired"] = True
    if rest.get("authorizer") is not None:
        name, definition = of_rest_event(rest["authorizer"], additions.functions)
        auth["Authorizer"] = name
        if definition:
            additions.authorizers[name] = definition
    if auth:
        properties["Auth"] = auth
    return {"Type": "Api", "Properties": properties}


def _schedule(value: Any, _: Additions) -> Event:
    given = {"rate": value} if isinstance(value, str) else value
    rates = given.get("rate")
    if isinstance(rates, list):
        if len(rates) != 1:
            raise Failure("schedule: give one rate per event.", "Repeat the event for each rate.")
        rates = rates[0]
    properties = {"Schedule": rates, **_members(given, ("name", "description", "input"))}
    if "Input" in properties and not isinstance(properties["Input"], str):
        properties["Input"] = _json(properties["Input"])
    properties["Enabled"] = given.get("enabled", True)
    return {"Type": "Schedule", "Properties": properties}


def _s3(value: Any, additions: Additions) -> Event:
    given: Mapping[str, Any] = {"bucket": value} if isinstance(value, str) else value
    if given.get("existing"):
        raise Failure(
            f"s3: the bucket {given['bucket']} is not this stack's (existing: true).",
            "Name it under resources, or let the Serverless Framework itself deploy it.",
        )
    bucket = str(given["bucket"])
    settings = additions.provider.get("s3", {}).get(bucket, {})
    name = settings.get("name", settings.get("bucketName", bucket))
    rest = {
        key[:1].upper() + key[1:]: item
        for key, item in settings.items()
        if key not in ("name", "bucketName")
    }
    identifier = f"S3Bucket{logical(bucket)}"
    additions.resources.setdefault(
        identifier, {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name, **rest}}
    )
    properties: dict[str, Any] = {
        "Bucket": {"Ref": identifier},
        "Events": given.get("event", "s3:ObjectCreated:*"),
    }
    rules: list[dict[str, Any]] = [
        {"Name": key, "Value": text}
        for rule in given.get("rules", [])
        for key, text in rule.items()
    ]
    if rules:
        properties["Filter"] = {"S3Key": {"Rules": rules}}
    return {"Type": "S3", "Properties": properties}


def _sqs(value: Any, additions: Additions) -> Event:
    given = {"arn": value} if _is_reference(value) else value
    additions.allow(
        ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], given["arn"]
    )
    names = ("batchSize", "enabled", "filterPatterns", "functionResponseType")
    properties = {"Queue": given["arn"], **_mapping_members(given, names)}
    if "maximumBatchingWindow" in given:
        properties["MaximumBatchingWindowInSeconds"] = given["maximumBatchingWindow"]
    if "maximumConcurrency" in given:
        properties["ScalingConfig"] = {"MaximumConcurrency": given["maximumConcurrency"]}
    return {"Type": "SQS", "Properties": properties}


def _sns(value: Any, additions: Additions) -> Event:
    given = {"arn" if _is_arn(value) else "topicName": value} if _is_reference(value) else value
    topic = given.get("arn")
    if topic is None:
        identifier = f"SNSTopic{logical(str(given['topicName']))}"
        properties = {"TopicName": given["topicName"], **_members(given, ("displayName",))}
        additions.resources.setdefault(
            identifier, {"Type": "AWS::SNS::Topic", "Properties": properties}
        )
        topic = {"Ref": identifier}
    rest = _members(given, ("filterPolicy", "filterPolicyScope", "redrivePolicy"))
    return {"Type": "SNS", "Properties": {"Topic": topic, **rest}}


_STREAM_MEMBERS = (
    "batchSize",
    "enabled",
    "filterPatterns",
    "functionResponseType",
    "parallelizationFactor",
    "bisectBatchOnFunctionError",
    "maximumRetryAttempts",
    "maximumRecordAgeInSeconds",
    "tumblingWindowInSeconds",
)


def _stream(value: Any, additions: Additions) -> Event:
    given = {"arn": value} if _is_reference(value) else value
    arn = given["arn"]
    kinesis = given.get("type", "") == "kinesis" or ":kinesis:" in str(arn)
    service = "kinesis" if kinesis else "dynamodb"
    actions = ["GetRecords", "GetShardIterator", "DescribeStream", "ListStreams", "ListShards"]
    additions.allow([f"{service}:{action}" for action in actions], arn)
    properties = {"Stream": arn, **_mapping_members(given, _STREAM_MEMBERS)}
    properties["StartingPosition"] = given.get("startingPosition", "TRIM_HORIZON")
    if "batchWindow" in given:
        properties["MaximumBatchingWindowInSeconds"] = given["batchWindow"]
    failed = given.get("destinations", {}).get("onFailure")
    if failed is not None:
        arn = failed.get("arn") if isinstance(failed, Mapping) and "arn" in failed else failed
        properties["DestinationConfig"] = {"OnFailure": {"Destination": arn}}
    return {"Type": "Kinesis" if kinesis else "DynamoDB", "Properties": properties}


def _event_bridge(value: Any, _: Additions) -> Event:
    if "schedule" in value:
        return {
            "Type": "Schedule",
            "Properties": {
                "Schedule": value["schedule"],
                **_members(value, ("name", "description", "state")),
                **_input(value),
            },
        }
    bus = {"EventBusName": value["eventBus"]} if "eventBus" in value else {}
    names = ("inputPath", "inputTransformer", "state")
    properties = {"Pattern": value["pattern"], **bus, **_input(value), **_members(value, names)}
    if "name" in value:
        properties["RuleName"] = value["name"]
    return {"Type": "EventBridgeRule", "Properties": properties}


def _cloudwatch_event(value: Any, _: Additions) -> Event:
    return {
        "Type": "EventBridgeRule",
        "Properties": {
            "Pattern": value["event"],
            **_input(value),
            **_members(value, ("inputPath", "inputTransformer")),
        },
    }


def _cloudwatch_log(value: Any, _: Additions) -> Event:
    given = {"logGroup": value} if isinstance(value, str) else value
    return {
        "Type": "CloudWatchLogs",
        "Properties": {
            "LogGroupName": given["logGroup"],
            "FilterPattern": given.get("filter", ""),
        },
    }


def _iot(value: Any, _: Additions) -> Event:
    properties = {"Sql": value["sql"]}
    if "sqlVersion" in value:
        properties["AwsIotSqlVersion"] = value["sqlVersion"]
    return {"Type": "IoTRule", "Properties": properties}


def _input(value: Mapping[str, Any]) -> dict[str, Any]:
    if "input" not in value:
        return {}
    text = value["input"]
    return {"Input": text if isinstance(text, str) else _json(text)}


def _members(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    """Those members that are given, by their names in a template, which begin with a capital."""
    return {
        name[:1].upper() + name[1:]: _capitals(value[name]) if name in _DEEP else value[name]
        for name in names
        if name in value
    }


_DEEP = ("inputTransformer",)


def _capitals(value: Mapping[str, Any]) -> dict[str, Any]:
    return {key[:1].upper() + key[1:]: item for key, item in value.items()}


def _mapping_members(value: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    members = _members(value, names)
    patterns = members.pop("FilterPatterns", None)
    if patterns is not None:
        filters = [{"Pattern": item if isinstance(item, str) else _json(item)} for item in patterns]
        members["FilterCriteria"] = {"Filters": filters}
    kind = members.pop("FunctionResponseType", None)
    if kind is not None:
        members["FunctionResponseTypes"] = [kind]
    return members


def _is_reference(value: Any) -> bool:
    """Whether it is a text, or one that CloudFormation will make."""
    if isinstance(value, str):
        return True
    only = next(iter(value)) if isinstance(value, Mapping) and len(value) == 1 else ""
    return only == "Ref" or only.startswith("Fn::")


def _is_arn(value: Any) -> bool:
    return not isinstance(value, str) or value.startswith("arn:")


def _json(value: Any) -> str:
    import json

    return json.dumps(value)


_KINDS: dict[str, Callable[[Any, Additions], Event]] = {
    "httpApi": _http_api,
    "http": _http,
    "schedule": _schedule,
    "s3": _s3,
    "sqs": _sqs,
    "sns": _sns,
    "stream": _stream,
    "eventBridge": _event_bridge,
    "cloudwatchEvent": _cloudwatch_event,
    "cloudwatchLog": _cloudwatch_log,
    "iot": _iot,
}
