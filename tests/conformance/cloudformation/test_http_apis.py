"""HTTP APIs that stacks make: of their parts, and of an OpenAPI document as SAM writes it."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import boto3
import pytest

from lambdad.testing.daemon import DaemonProcess

pytestmark = [pytest.mark.root, pytest.mark.slow]

FUNCTION = {
    "Role": {
        "Type": "AWS::IAM::Role",
        "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
    },
    "Function": {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Runtime": "nodejs20.x",
            "Handler": "index.handler",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Code": {"ZipFile": "exports.handler = async (event) => ({ key: event.routeKey });"},
        },
    },
    "Permission": {
        "Type": "AWS::Lambda::Permission",
        "Properties": {
            "Action": "lambda:InvokeFunction",
            "FunctionName": {"Ref": "Function"},
            "Principal": "apigateway.amazonaws.com",
            "SourceArn": {
                "Fn::Sub": "arn:aws:execute-api:${AWS::Region}:${AWS::AccountId}:${Api}/*"
            },
        },
    },
}
URI = {
    "Fn::Sub": (
        "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        "${Function.Arn}/invocations"
    )
}
PARTS = {
    "Api": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {"Name": "parts", "ProtocolType": "HTTP"},
    },
    "Integration": {
        "Type": "AWS::ApiGatewayV2::Integration",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": {"Fn::GetAtt": ["Function", "Arn"]},
            "PayloadFormatVersion": "2.0",
        },
    },
    "Route": {
        "Type": "AWS::ApiGatewayV2::Route",
        "Properties": {
            "ApiId": {"Ref": "Api"},
            "RouteKey": "GET /hello",
            "Target": {"Fn::Join": ["/", ["integrations", {"Ref": "Integration"}]]},
        },
    },
    "Stage": {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {"ApiId": {"Ref": "Api"}, "StageName": "$default", "AutoDeploy": True},
    },
}
DOCUMENT = {
    "Api": {
        "Type": "AWS::ApiGatewayV2::Api",
        "Properties": {
            "Body": {
                "openapi": "3.0.1",
                "info": {"title": "document", "version": "1.0"},
                "paths": {
                    "/hello": {
                        "get": {
                            "x-amazon-apigateway-integration": {
                                "type": "aws_proxy",
                                "httpMethod": "POST",
                                "payloadFormatVersion": "2.0",
                                "uri": URI,
                            },
                            "responses": {},
                        }
                    }
                },
            }
        },
    },
    "Stage": PARTS["Stage"],
}


@pytest.mark.parametrize("how", [PARTS, DOCUMENT], ids=["parts", "document"])
def test_an_api_of_a_stack_is_called_and_removed(
    daemon: DaemonProcess, how: dict[str, Any], request: pytest.FixtureRequest
) -> None:
    options: dict[str, Any] = {
        "endpoint_url": daemon.endpoint_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }
    stacks = boto3.client("cloudformation", **options)
    gateway = boto3.client("apigatewayv2", **options)
    name = f"http-api-{request.node.callspec.id}"
    template = {
        "Resources": {**FUNCTION, **how},
        "Outputs": {"Api": {"Value": {"Ref": "Api"}}},
    }
    stacks.create_stack(
        StackName=name, TemplateBody=json.dumps(template), Capabilities=["CAPABILITY_IAM"]
    )
    waiting = {"Delay": 1, "MaxAttempts": 60}
    stacks.get_waiter("stack_create_complete").wait(StackName=name, WaiterConfig=waiting)
    (output,) = stacks.describe_stacks(StackName=name)["Stacks"][0]["Outputs"]
    api_id = output["OutputValue"]
    url = f"{daemon.endpoint_url}/_aws/execute-api/{api_id}/hello"
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own daemon
        assert json.load(answer) == {"key": "GET /hello"}
    stacks.delete_stack(StackName=name)
    stacks.get_waiter("stack_delete_complete").wait(StackName=name, WaiterConfig=waiting)
    assert api_id not in {each["ApiId"] for each in gateway.get_apis()["Items"]}
