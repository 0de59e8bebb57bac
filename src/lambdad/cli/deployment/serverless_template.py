"""The template that a `serverless.yml` stands for: one of SAM, with the Framework's identifiers.

`HelloLambdaFunction`, `HelloLogGroup`, `IamRoleLambdaExecution`, `ApiGatewayRestApi` and `HttpApi`
are called so, because resources in such a file name them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lambdad.cli.deployment import serverless_settings as settings
from lambdad.cli.deployment import serverless_websocket
from lambdad.cli.deployment.artifacts import Artifacts, packed
from lambdad.cli.deployment.serverless_authorizers import of_http_api
from lambdad.cli.deployment.serverless_events import (
    HTTP_API,
    REST_API,
    Additions,
    compiled,
    logical,
)
from lambdad.cli.errors import Failure

ROLE = "IamRoleLambdaExecution"
_TRANSFORM = "AWS::Serverless-2016-10-31"
_MEMORY_MB, _TIMEOUT_S = 1024, 6
_LISTED = ("Resources", "Outputs", "Conditions", "Parameters", "Mappings")
# Members of functions and of the provider that go into the template as they are.
_SAME = {
    "description": "Description",
    "reservedConcurrency": "ReservedConcurrentExecutions",
    "condition": "Condition",
    "kmsKeyArn": "KmsKeyArn",
    "tracing": "Tracing",
}
_KNOWN = {
    *_SAME,
    *("handler", "runtime", "name", "memorySize", "timeout", "environment", "tags", "layers"),
    *("events", "role", "package", "ephemeralStorageSize", "architecture", "url", "dependsOn"),
    *(
        "onError",
        "destinations",
        "maximumRetryAttempts",
        "maximumEventAge",
        "provisionedConcurrency",
    ),
    *("logRetentionInDays", "disableLogs", "snapStart", "vpc", "image"),
}


class Compiler:
    """Mutable: the template, and what was left out.

    Args:
        document: the file, resolved.
        directory: where it lies.
        stage: of this deployment.
        artifacts: where packages go.
    """

    def __init__(
        self, document: Mapping[str, Any], directory: Path, stage: str, artifacts: Artifacts
    ) -> None:
        self.notes: list[str] = []
        self._document = document
        self._provider: Mapping[str, Any] = document["provider"]
        self._directory = directory
        self._stage = stage
        self._artifacts = artifacts
        self._service = str(document["service"])
        names = _merged(document.get("functions"))
        functions = {name: f"{logical(name)}LambdaFunction" for name in names}
        self._additions = Additions(self._provider, functions)
        self._shared_uri: str | None = None
        self._resources: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}

    def template(self) -> dict[str, Any]:
        """Return the template; packages are stored on the way.

        Raises:
            Failure: something in the file cannot be deployed.
        """
        if self._document.get("plugins"):
            self.notes.append("plugins are programs for Node.js and were not run")
        for name, layer in _merged(self._document.get("layers")).items():
            self._layer(name, layer)
        for name, function in _merged(self._document.get("functions")).items():
            self._function(name, function or {})
        if self._uses_own_role():
            self._resources[ROLE] = self._role()
        self._apis()
        result: dict[str, Any] = {
            "Transform": _TRANSFORM,
            "Resources": {**self._resources, **self._additions.resources},
            "Outputs": self._outputs,
        }
        return _with_resources(result, self._document.get("resources"))

    # -- functions --------------------------------------------------------------------------

    def _function(self, name: str, function: Mapping[str, Any]) -> None:
        where = f"functions.{name}"
        if "handler" not in function:
            raise Failure(f"{where} has no handler.", "Images: use a SAM template.")
        unknown = sorted(set(function) - _KNOWN)
        if unknown:
            self.notes.append(f"{where}: {', '.join(unknown)} left out")
        identifier = f"{logical(name)}LambdaFunction"
        physical = function.get("name", f"{self._service}-{self._stage}-{name}")
        properties = self._properties(function, where)
        properties["FunctionName"] = physical
        properties["Events"] = self._events(identifier, function, where)
        resource: dict[str, Any] = {"Type": "AWS::Serverless::Function", "Properties": properties}
        depends = function.get("dependsOn", [])
        depends = [depends] if isinstance(depends, str) else list(depends)
        if not function.get("disableLogs", self._provider.get("disableLogs", False)):
            group = f"{logical(name)}LogGroup"
            self._resources[group] = self._log_group(physical, function)
            depends.append(group)
        if depends:
            resource["DependsOn"] = depends
        self._resources[identifier] = resource
        if function.get("url"):
            value = {"Fn::GetAtt": [f"{identifier}Url", "FunctionUrl"]}
            self._outputs[f"{identifier}Url"] = {"Value": value}

    def _events(self, identifier: str, function: Mapping[str, Any], where: str) -> dict[str, Any]:
        events = {}
        for number, event in enumerate(function.get("events") or [], 1):
            for kind, value in _pairs(event):
                if kind == "websocket":
                    self._websocket(identifier, value)
                else:
                    key = f"{logical(kind)}{number}"
                    events[key] = compiled(kind, value, self._additions, where)
        return events

    def _websocket(self, identifier: str, event: Any) -> None:
        name = f"{self._stage}-{self._service}-websockets"
        serverless_websocket.add(
            self._resources,
            event,
            identifier,
            name=self._provider.get("websocketsApiName", name),
            stage=self._stage,
            selection=self._provider.get("websocketsApiRouteSelectionExpression", ""),
        )
        self._outputs["WebsocketApiId"] = {"Value": {"Ref": serverless_websocket.API}}

    def _properties(self, function: Mapping[str, Any], where: str) -> dict[str, Any]:
        def given(name: str, default: Any = None) -> Any:
            return function.get(name, self._provider.get(name, default))

        runtime = given("runtime")
        if runtime is None:
            raise Failure(f"{where} has no runtime.", "Name it there or under provider.")
        properties: dict[str, Any] = {
            "Handler": function["handler"],
            "Runtime": runtime,
            "MemorySize": given("memorySize", _MEMORY_MB),
            "Timeout": given("timeout", _TIMEOUT_S),
            "CodeUri": self._code(function),
            "Role": self._role_of(given("role")),
        }
        properties |= {target: function[name] for name, target in _SAME.items() if name in function}
        if properties.get("Tracing") is True:
            properties["Tracing"] = "Active"
        variables = {**self._provider.get("environment", {}), **function.get("environment", {})}
        if variables:
            properties["Environment"] = {"Variables": settings.texts(variables)}
        tags = {**self._provider.get("tags", {}), **function.get("tags", {})}
        if tags:
            properties["Tags"] = settings.texts(tags)
        if (layers := given("layers")) is not None:
            properties["Layers"] = layers
        if (size := given("ephemeralStorageSize")) is not None:
            properties["EphemeralStorage"] = {"Size": size}
        if (architecture := given("architecture")) is not None:
            properties["Architectures"] = [architecture]
        if function.get("snapStart"):
            properties["SnapStart"] = {"ApplyOn": "PublishedVersions"}
        return (
            properties
            | settings.asynchronous(function)
            | settings.url(function)
            | settings.provisioned(function)
        )

    def _code(self, function: Mapping[str, Any]) -> str:
        shared = self._document.get("package") or {}
        own = function.get("package") or {}
        artifact = own.get("artifact") or shared.get("artifact")
        if artifact:
            path = self._directory / artifact
            if not path.is_file():
                raise Failure(f"{path} is not there.", "Build it first.")
            return self._uri(self._artifacts.put(path.read_bytes()))
        patterns = [*_patterns(shared), *_patterns(own)]
        if own.get("individually", shared.get("individually")) or own:
            return self._uri(self._artifacts.put(packed(self._directory, patterns)))
        if self._shared_uri is None:
            self._shared_uri = self._uri(self._artifacts.put(packed(self._directory, patterns)))
        return self._shared_uri

    def _uri(self, key: str) -> str:
        return f"s3://{self._artifacts.bucket}/{key}"

    def _log_group(self, physical: str, function: Mapping[str, Any]) -> dict[str, Any]:
        properties: dict[str, Any] = {"LogGroupName": f"/aws/lambda/{physical}"}
        days = function.get("logRetentionInDays", self._provider.get("logRetentionInDays"))
        if days is not None:
            properties["RetentionInDays"] = days
        return {"Type": "AWS::Logs::LogGroup", "Properties": properties}

    def _layer(self, name: str, layer: Mapping[str, Any]) -> None:
        directory = self._directory / layer.get("path", name)
        artifact = (layer.get("package") or {}).get("artifact")
        data = (self._directory / artifact).read_bytes() if artifact else packed(directory)
        key = self._artifacts.put(data)
        properties: dict[str, Any] = {
            "LayerName": layer.get("name", name),
            "Content": {"S3Bucket": self._artifacts.bucket, "S3Key": key},
        }
        for member in (
            "description",
            "compatibleRuntimes",
            "compatibleArchitectures",
            "licenseInfo",
        ):
            if member in layer:
                properties[member[:1].upper() + member[1:]] = layer[member]
        self._resources[f"{logical(name)}LambdaLayer"] = {
            "Type": "AWS::Lambda::LayerVersion",
            "Properties": properties,
            **({"DeletionPolicy": "Retain"} if layer.get("retain") else {}),
        }

    # -- the role and the APIs --------------------------------------------------------------

    def _role_of(self, role: Any) -> Any:
        iam = (self._provider.get("iam") or {}).get("role")
        role = role if role is not None else iam if _names_role(iam) else None
        if role is None:
            return {"Fn::GetAtt": [ROLE, "Arn"]}
        if isinstance(role, str) and not role.startswith("arn:"):
            # A role that the file itself makes.
            return {"Fn::GetAtt": [role, "Arn"]}
        return role

    def _uses_own_role(self) -> bool:
        own = {"Fn::GetAtt": [ROLE, "Arn"]}
        return any(
            resource.get("Properties", {}).get("Role") == own
            for resource in self._resources.values()
        )

    def _role(self) -> dict[str, Any]:
        iam = (self._provider.get("iam") or {}).get("role") or {}
        logs = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:/aws/lambda/"
        statements: list[Any] = [
            {
                "Effect": "Allow",
                "Action": ["logs:CreateLogStream", "logs:CreateLogGroup", "logs:PutLogEvents"],
                "Resource": {"Fn::Sub": f"{logs}{self._service}-{self._stage}*:*"},
            },
            *self._additions.statements,
            *(self._provider.get("iamRoleStatements") or []),
            *(iam.get("statements") or []),
        ]
        name = f"{self._service}-{self._stage}-lambda"
        policy = {"Version": "2012-10-17", "Statement": statements}
        trust = {
            "Effect": "Allow",
            "Principal": {"Service": ["lambda.amazonaws.com"]},
            "Action": ["sts:AssumeRole"],
        }
        region = {"Fn::Sub": f"{self._service}-{self._stage}-${{AWS::Region}}-lambdaRole"}
        properties: dict[str, Any] = {
            "RoleName": iam.get("name", region),
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trust]},
            "Policies": [{"PolicyName": name, "PolicyDocument": policy}],
        }
        if iam.get("managedPolicies"):
            properties["ManagedPolicyArns"] = iam["managedPolicies"]
        return {"Type": "AWS::IAM::Role", "Properties": properties}

    def _apis(self) -> None:
        name = f"{self._stage}-{self._service}"
        if HTTP_API in self._additions.apis:
            given = self._provider.get("httpApi") or {}
            properties: dict[str, Any] = {"Name": given.get("name", name)}
            if given.get("cors"):
                properties["CorsConfiguration"] = settings.cors(given["cors"])
            authorizers = of_http_api(given.get("authorizers") or {}, self._additions.functions)
            if authorizers:
                properties["Auth"] = {"Authorizers": authorizers}
            self._resources[HTTP_API] = {
                "Type": "AWS::Serverless::HttpApi",
                "Properties": properties,
            }
            self._outputs["HttpApiId"] = {"Value": {"Ref": HTTP_API}}
        if REST_API in self._additions.apis:
            properties = {
                "Name": self._provider.get("apiName", name),
                "StageName": self._stage,
            }
            if self._additions.authorizers:
                properties["Auth"] = {"Authorizers": self._additions.authorizers}
            if self._additions.cors:
                properties["Cors"] = {
                    "AllowOrigin": "'*'",
                    "AllowHeaders": "'Content-Type,X-Amz-Date,Authorization,X-Api-Key'",
                    "AllowMethods": "'*'",
                }
            self._resources[REST_API] = {"Type": "AWS::Serverless::Api", "Properties": properties}
            self._outputs["RestApiId"] = {"Value": {"Ref": REST_API}}


def _names_role(role: Any) -> bool:
    return isinstance(role, str) or (isinstance(role, dict) and any("::" in key for key in role))


def _merged(given: Any) -> dict[str, Any]:
    """Functions and layers may be a mapping, or a list of mappings."""
    result: dict[str, Any] = {}
    for part in given if isinstance(given, list) else [given or {}]:
        result |= part or {}
    return result


def _pairs(event: Any) -> list[tuple[str, Any]]:
    return [(event, {})] if isinstance(event, str) else list(event.items())


def _patterns(package: Mapping[str, Any]) -> list[str]:
    return [
        *(package.get("patterns") or []),
        *(f"!{pattern}" for pattern in package.get("exclude") or []),
        *(package.get("include") or []),
    ]


def _with_resources(template: dict[str, Any], given: Any) -> dict[str, Any]:
    """Add the file's own resources; what both have, its own part changes."""
    for part in given if isinstance(given, list) else [given or {}]:
        for section in _LISTED:
            template[section] = {**template.get(section, {}), **(part.get(section) or {})}
        for identifier, extension in (part.get("extensions") or {}).items():
            known = template["Resources"].get(identifier)
            if known is None:
                raise Failure(f"resources.extensions names {identifier}, which is not there.")
            known.setdefault("Properties", {}).update(extension.get("Properties", {}))
    return {section: value for section, value in template.items() if value}
