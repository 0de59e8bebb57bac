"""REST APIs that stacks make: of their parts, and of an OpenAPI document as SAM writes it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account

from lambdad.neighbours.cloudformation.calls import AwsApi, Calls
from lambdad.neighbours.cloudformation.types import TYPES
from lambdad.neighbours.cloudformation.types.base import Made, Work

pytestmark = [pytest.mark.root, pytest.mark.slow]

CAPABILITIES = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
CODE = """
def handler(event, context):
    return {"statusCode": 200, "body": event["httpMethod"] + " " + event["resource"]}
"""
API = {"Ref": "Api"}
URI = {
    "Fn::Sub": (
        "arn:aws:apigateway:${AWS::Region}:lambda:path/2015-03-31/functions/"
        "${Function.Arn}/invocations"
    )
}
PROXY = {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": URI}
OUTPUTS = {"Api": {"Value": API}}


def function() -> dict[str, Any]:
    return {
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}},
        },
        "Function": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Runtime": "python3.11",
                "Handler": "index.handler",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": CODE},
            },
        },
        "Permission": {
            "Type": "AWS::Lambda::Permission",
            "Properties": {
                "Action": "lambda:InvokeFunction",
                "FunctionName": {"Ref": "Function"},
                "Principal": "apigateway.amazonaws.com",
            },
        },
    }


def part(kind: str, **properties: Any) -> dict[str, Any]:
    return {"Type": f"AWS::ApiGateway::{kind}", "Properties": properties}


def parts() -> dict[str, Any]:
    """As CDK and the Serverless Framework make an API."""
    root = {"Fn::GetAtt": ["Api", "RootResourceId"]}
    return {
        "Api": part("RestApi", Name="cfn-rest", BinaryMediaTypes=["image~1png"]),
        "Items": part("Resource", RestApiId=API, ParentId=root, PathPart="items"),
        "Get": part(
            "Method",
            RestApiId=API,
            ResourceId={"Ref": "Items"},
            HttpMethod="GET",
            AuthorizationType="NONE",
            ApiKeyRequired=False,
            MethodResponses=[],
            Integration=PROXY,
        ),
        "Options": part(
            "Method",
            RestApiId=API,
            ResourceId={"Ref": "Items"},
            HttpMethod="OPTIONS",
            AuthorizationType="NONE",
            RequestParameters={},
            MethodResponses=[
                {
                    "StatusCode": "200",
                    "ResponseModels": {},
                    "ResponseParameters": {"method.response.header.X-A": True},
                }
            ],
            Integration={
                "Type": "MOCK",
                "RequestTemplates": {"application/json": "{statusCode:200}"},
                "IntegrationResponses": [
                    {
                        "StatusCode": "200",
                        "ResponseParameters": {"method.response.header.X-A": "'a'"},
                    }
                ],
            },
        ),
        "Model": part("Model", RestApiId=API, Schema={"type": "object"}),
        "Validator": part("RequestValidator", RestApiId=API, ValidateRequestBody=True),
        "Refusal": part(
            "GatewayResponse", RestApiId=API, ResponseType="DEFAULT_4XX", StatusCode="418"
        ),
        "Deployment": {
            **part("Deployment", RestApiId=API, StageName="dev"),
            "DependsOn": ["Get", "Options"],
        },
        "Stage": part(
            "Stage",
            RestApiId=API,
            DeploymentId={"Ref": "Deployment"},
            StageName="prod",
            Variables={"colour": "red"},
            MethodSettings=[{"ResourcePath": "/*", "HttpMethod": "*", "MetricsEnabled": True}],
        ),
        "Key": part("ApiKey", Enabled=True),
        "Plan": part(
            "UsagePlan",
            UsagePlanName="cfn-rest-plan",
            ApiStages=[{"ApiId": API, "Stage": {"Ref": "Stage"}}],
            Quota={"Limit": 5, "Period": "DAY"},
        ),
        "PlanKey": part(
            "UsagePlanKey",
            KeyId={"Ref": "Key"},
            KeyType="API_KEY",
            UsagePlanId={"Ref": "Plan"},
        ),
        "Account": part("Account", CloudWatchRoleArn={"Fn::GetAtt": ["Role", "Arn"]}),
        "Domain": part(
            "DomainName",
            DomainName="cfn-rest.example.test",
            EndpointConfiguration={"Types": ["REGIONAL"]},
        ),
        "Mapping": part(
            "BasePathMapping",
            DomainName={"Ref": "Domain"},
            RestApiId=API,
            Stage={"Ref": "Stage"},
        ),
    }


def get(account: Account, api_id: str, path: str) -> tuple[int, str]:
    url = f"{account.endpoint_url}/_aws/execute-api/{api_id}{path}"
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - our own daemon
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def output(stack: dict[str, Any]) -> str:
    assert stack["StackStatus"].endswith("_COMPLETE"), stack
    return str(stack["Outputs"][0]["OutputValue"])


def test_an_api_of_parts_is_called_changed_and_removed(account: Account) -> None:
    template = {"Resources": {**function(), **parts()}, "Outputs": OUTPUTS}
    stack = account.deploy("cfn-rest-parts", template, Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("cfn-rest-parts")
    api_id = output(stack)
    for stage in ("dev", "prod"):
        assert get(account, api_id, f"/{stage}/items") == (200, "GET /items")
    gateway = account.client("apigateway")
    assert gateway.get_rest_api(restApiId=api_id)["binaryMediaTypes"] == ["image/png"]
    assert gateway.get_account()["cloudwatchRoleArn"].startswith("arn:aws:iam:")
    (mapping,) = gateway.get_base_path_mappings(domainName="cfn-rest.example.test")["items"]
    assert (mapping["basePath"], mapping["stage"]) == ("(none)", "prod")

    resources = template["Resources"]
    resources["Stage"]["Properties"].update(
        Variables={"size": "xl"},
        MethodSettings=[{"ResourcePath": "/items", "HttpMethod": "GET", "ThrottlingRateLimit": 7}],
    )
    resources["Get"]["Properties"]["ApiKeyRequired"] = True
    resources["Plan"]["Properties"]["Quota"]["Limit"] = 6
    del resources["Model"]
    # As tools do it, who give each deployment a name of its own.
    resources["Newer"] = {**resources.pop("Deployment"), "DependsOn": ["Get", "Options"]}
    resources["Stage"]["Properties"]["DeploymentId"] = {"Ref": "Newer"}
    stack = account.update("cfn-rest-parts", template, Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", account.events("cfn-rest-parts")
    stage = gateway.get_stage(restApiId=api_id, stageName="prod")
    assert stage["variables"] == {"size": "xl"}
    assert list(stage["methodSettings"]) == ["~1items/GET"]
    assert len(gateway.get_deployments(restApiId=api_id)["items"]) == 1
    assert gateway.get_usage_plans()["items"][0]["quota"]["limit"] == 6
    assert get(account, api_id, "/prod/items")[0] in (403, 418)

    account.delete("cfn-rest-parts")
    assert gateway.get_rest_apis()["items"] == []
    assert gateway.get_usage_plans()["items"] == []
    assert gateway.get_api_keys()["items"] == []
    assert gateway.get_domain_names()["items"] == []


SAM = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties:
      Runtime: python3.11
      Handler: index.handler
      InlineCode: |
        def handler(event, context):
            return {"statusCode": 200, "body": event["httpMethod"] + " " + event["resource"]}
      Events:
        Item:
          Type: Api
          Properties: {Path: "/items/{id}", Method: get}
Outputs:
  Api:
    Value: !Ref ServerlessRestApi
"""


def test_an_api_of_sam_is_called_and_changed(account: Account) -> None:
    stack = account.deploy("cfn-rest-sam", SAM, Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("cfn-rest-sam")
    api_id = output(stack)
    assert get(account, api_id, "/Prod/items/1") == (200, "GET /items/{id}")
    changed = SAM.replace("/items/{id}", "/things/{id}")
    stack = account.update("cfn-rest-sam", changed, Capabilities=CAPABILITIES)
    assert stack["StackStatus"] == "UPDATE_COMPLETE", account.events("cfn-rest-sam")
    assert get(account, api_id, "/Prod/things/1") == (200, "GET /things/{id}")
    account.delete("cfn-rest-sam")
    assert account.client("apigateway").get_rest_apis()["items"] == []


def test_a_document_may_lie_in_s3(account: Account) -> None:
    s3 = account.client("s3")
    s3.create_bucket(Bucket="cfn-rest-documents")
    document = {
        "openapi": "3.0.1",
        "paths": {"/a": {"get": {"x-amazon-apigateway-integration": {"type": "mock"}}}},
    }
    s3.put_object(Bucket="cfn-rest-documents", Key="api.json", Body=json.dumps(document))
    location = {"Bucket": "cfn-rest-documents", "Key": "api.json"}
    template = {
        "Resources": {"Api": part("RestApi", Name="in-s3", BodyS3Location=location)},
        "Outputs": OUTPUTS,
    }
    api_id = output(account.deploy("cfn-rest-s3", template))
    gateway = account.client("apigateway")
    assert gateway.get_rest_api(restApiId=api_id)["name"] == "in-s3"
    paths = [each["path"] for each in gateway.get_resources(restApiId=api_id)["items"]]
    assert paths == ["/", "/a"]
    account.delete("cfn-rest-s3")
    s3.delete_object(Bucket="cfn-rest-documents", Key="api.json")
    s3.delete_bucket(Bucket="cfn-rest-documents")


def test_what_an_interrupted_attempt_made_is_taken_over(account: Account) -> None:
    api = AwsApi(account.endpoint_url, lambda account_id: (account_id, "any"))
    calls = Calls(api, account.account_id, "us-east-1")

    def create(kind: str, **properties: Any) -> Made:
        work = Work(
            calls=calls,
            stack_name="taken-over",
            stack_id="arn:aws:cloudformation:us-east-1:000000000000:stack/taken-over/1",
            stack_tags={},
            logical_id=kind,
            properties=properties,
            previous={},
            physical_id="",
            token="t",
            attempted=True,
            name=f"taken-over-{kind}",
        )
        return TYPES[f"AWS::ApiGateway::{kind}"].create(work)

    made = create("RestApi", Name="taken-over")
    own = {"RestApiId": made.physical_id}
    below = {"ParentId": made.attributes["RootResourceId"], "PathPart": "a"}
    uri = "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/x/invocations"
    wanted: list[tuple[str, dict[str, Any]]] = [
        ("RestApi", {"Name": "taken-over"}),
        ("Resource", {**own, **below}),
        ("Authorizer", {**own, "Name": "z", "Type": "TOKEN", "AuthorizerUri": uri}),
        ("ApiKey", {"Enabled": True, "Value": "v" * 20}),
        ("UsagePlan", {"UsagePlanName": "taken-over"}),
    ]
    first = [create(kind, **properties).physical_id for kind, properties in wanted]
    again = [create(kind, **properties).physical_id for kind, properties in wanted]
    assert first == again
    assert first[0] == made.physical_id
