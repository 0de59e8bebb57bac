"""Settings of functions and APIs in a `serverless.yml`, as members of SAM's resources."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lambdad.cli.deployment.serverless_events import logical


def asynchronous(function: Mapping[str, Any]) -> dict[str, Any]:
    """Retries, destinations and the dead-letter queue."""
    config: dict[str, Any] = {}
    if "maximumRetryAttempts" in function:
        config["MaximumRetryAttempts"] = function["maximumRetryAttempts"]
    if "maximumEventAge" in function:
        config["MaximumEventAgeInSeconds"] = function["maximumEventAge"]
    destinations = {
        name[:1].upper() + name[1:]: {"Destination": arn_of(target)}
        for name, target in (function.get("destinations") or {}).items()
    }
    if destinations:
        config["DestinationConfig"] = destinations
    result: dict[str, Any] = {"EventInvokeConfig": config} if config else {}
    if "onError" in function:
        target = function["onError"]
        kind = "SNS" if ":sns:" in str(target) else "SQS"
        result["DeadLetterQueue"] = {"Type": kind, "TargetArn": target}
    return result


def arn_of(target: Any) -> Any:
    """The ARN of a destination, which may be named as a function of the file."""
    if isinstance(target, Mapping) and "arn" in target:
        return target["arn"]
    if isinstance(target, str) and not target.startswith("arn:"):
        return {"Fn::GetAtt": [f"{logical(target)}LambdaFunction", "Arn"]}
    return target


def url(function: Mapping[str, Any]) -> dict[str, Any]:
    """The function URL."""
    wanted = function.get("url")
    if not wanted:
        return {}
    given = wanted if isinstance(wanted, Mapping) else {}
    config: dict[str, Any] = {
        "AuthType": "AWS_IAM" if given.get("authorizer") == "aws_iam" else "NONE"
    }
    if given.get("invokeMode"):
        config["InvokeMode"] = given["invokeMode"]
    if given.get("cors"):
        config["Cors"] = cors(given["cors"])
    return {"FunctionUrlConfig": config}


def provisioned(function: Mapping[str, Any]) -> dict[str, Any]:
    """Provisioned concurrency, on an alias as the Framework makes it."""
    number = function.get("provisionedConcurrency")
    if number is None:
        return {}
    return {
        "AutoPublishAlias": "provisioned",
        "ProvisionedConcurrencyConfig": {"ProvisionedConcurrentExecutions": number},
    }


def cors(given: Any) -> dict[str, Any]:
    """CORS of HTTP APIs and function URLs; `true` is the Framework's default."""
    if given is True:
        headers = ["Content-Type", "X-Amz-Date", "Authorization", "X-Api-Key"]
        return {"AllowOrigins": ["*"], "AllowHeaders": headers, "AllowMethods": ["*"]}
    names = {
        "allowedOrigins": "AllowOrigins",
        "allowedHeaders": "AllowHeaders",
        "allowedMethods": "AllowMethods",
        "exposedResponseHeaders": "ExposeHeaders",
        "allowCredentials": "AllowCredentials",
        "maxAge": "MaxAge",
    }
    return {names[key]: value for key, value in given.items() if key in names}


def texts(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Values as texts; null leaves a variable out; what CloudFormation makes stays."""
    return {
        name: value if isinstance(value, Mapping) else _text(value)
        for name, value in variables.items()
        if value is not None
    }


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
