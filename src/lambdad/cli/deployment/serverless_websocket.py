"""`websocket` events of a `serverless.yml`: SAM has none, so their resources are made here."""

from __future__ import annotations

from typing import Any

API, STAGE = "WebsocketsApi", "WebsocketsDeploymentStage"
_DEPLOYMENT = "WebsocketsDeployment"
_SELECTION = "$request.body.action"


def add(
    resources: dict[str, Any], event: Any, function: str, *, name: str, stage: str, selection: str
) -> None:
    """Add one route, and the API with its first.

    Args:
        resources: of the template; changed.
        event: a route key, or `{route: …}`.
        function: logical identifier.
        name: of the API.
        stage: of its only stage.
        selection: the route selection expression, or empty.
    """
    given = {"route": event} if isinstance(event, str) else event
    route = str(given["route"])
    if API not in resources:
        resources |= _api(name, stage, selection or _SELECTION)
    words = "".join(word[:1].upper() + word[1:] for word in route.replace("$", "s").split("/"))
    identifier = "".join(character for character in words if character.isalnum())
    integration = f"{function.removesuffix('LambdaFunction')}WebsocketsIntegration"
    resources[integration] = _integration(function)
    resources[f"{function}PermissionWebsockets"] = _permission(function)
    resources[f"{identifier}WebsocketsRoute"] = {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": API},
            "RouteKey": route,
            "AuthorizationType": "NONE",
            "Target": {"Fn::Join": ["/", ["integrations", {"Ref": integration}]]},
        },
    }
    resources[_DEPLOYMENT]["DependsOn"].append(f"{identifier}WebsocketsRoute")


def _api(name: str, stage: str, selection: str) -> dict[str, Any]:
    return {
        API: {
            "Type": "AWS::ApiGatewayV2::Api",
            "Properties": {
                "Name": name,
                "ProtocolType": "WEBSOCKET",
                "RouteSelectionExpression": selection,
            },
        },
        _DEPLOYMENT: {
            "Type": "AWS::ApiGatewayV2::Deployment",
            "DependsOn": [],
            "Properties": {"ApiId": {"Ref": API}},
        },
        STAGE: {
            "Type": "AWS::ApiGatewayV2::Stage",
            "Properties": {
                "ApiId": {"Ref": API},
                "StageName": stage,
                "DeploymentId": {"Ref": _DEPLOYMENT},
                "AutoDeploy": True,
            },
        },
    }


def _integration(function: str) -> dict[str, Any]:
    uri = (
        "arn:${AWS::Partition}:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        f"${{{function}.Arn}}/invocations"
    )
    return {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": {"Ref": API},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": {"Fn::Sub": uri},
        },
    }


def _permission(function: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "FunctionName": {"Fn::GetAtt": [function, "Arn"]},
            "Action": "lambda:InvokeFunction",
            "Principal": "apigateway.amazonaws.com",
        },
    }
