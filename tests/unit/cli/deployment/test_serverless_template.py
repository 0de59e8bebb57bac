"""A serverless.yml becomes the template that the Framework's users know, or is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from lambdad.cli.deployment.artifacts import Artifacts
from lambdad.cli.deployment.serverless_template import Compiler
from lambdad.cli.errors import Failure


class Stored(Artifacts):
    """Packages that go nowhere, and how many there were."""

    def __init__(self) -> None:
        super().__init__(None, "bucket", "shop-dev/")
        self.packages: list[bytes] = []

    def put(self, data: bytes, suffix: str = ".zip") -> str:
        self.packages.append(data)
        return f"key{len(self.packages)}{suffix}"


@pytest.fixture
def stored() -> Stored:
    return Stored()


@pytest.fixture
def compiled(tmp_path: Path, stored: Stored) -> Any:
    (tmp_path / "index.py").write_text("")

    def compile_text(text: str) -> tuple[dict[str, Any], Compiler]:
        head = {"service": "shop", "provider": {"name": "aws", "runtime": "python3.11"}}
        document: dict[str, Any] = {**head, **yaml.safe_load(text)}
        document["provider"] = {**head["provider"], **document["provider"]}  # type: ignore[dict-item]
        compiler = Compiler(document, tmp_path, "dev", stored)
        return compiler.template(), compiler

    return compile_text


def function_with(events: str) -> str:
    return f"functions: {{hello: {{handler: index.handler, events: {events}}}}}"


def event_of(template: dict[str, Any]) -> Any:
    return next(iter(template["Resources"]["HelloLambdaFunction"]["Properties"]["Events"].values()))


def test_names_are_the_frameworks(compiled: Any) -> None:
    template, _ = compiled(function_with("[]"))
    assert set(template["Resources"]) == {
        "HelloLambdaFunction",
        "HelloLogGroup",
        "IamRoleLambdaExecution",
    }
    properties = template["Resources"]["HelloLambdaFunction"]["Properties"]
    assert (properties["FunctionName"], properties["MemorySize"], properties["Timeout"]) == (
        "shop-dev-hello",
        1024,
        6,
    )
    assert properties["CodeUri"] == "s3://bucket/key1.zip"


@pytest.mark.parametrize(
    ("event", "kind", "members"),
    [
        ("httpApi: 'GET /a/{id}'", "HttpApi", {"Method": "GET", "Path": "/a/{id}"}),
        ("httpApi: '*'", "HttpApi", {"ApiId": {"Ref": "HttpApi"}}),
        ("httpApi: {method: any, path: b}", "HttpApi", {"Method": "ANY", "Path": "/b"}),
        ("http: post a", "Api", {"Method": "POST", "Path": "/a"}),
        ("http: {method: get, path: /a, private: true}", "Api", {"Auth": {"ApiKeyRequired": True}}),
        ("schedule: rate(1 minute)", "Schedule", {"Schedule": "rate(1 minute)", "Enabled": True}),
        (
            "schedule: {rate: ['cron(0 12 * * ? *)'], enabled: false, input: {a: 1}}",
            "Schedule",
            {"Enabled": False, "Input": '{"a": 1}'},
        ),
        ("s3: photos", "S3", {"Bucket": {"Ref": "S3BucketPhotos"}, "Events": "s3:ObjectCreated:*"}),
        (
            "s3: {bucket: photos, rules: [{prefix: in/}, {suffix: .jpg}]}",
            "S3",
            {
                "Filter": {
                    "S3Key": {
                        "Rules": [
                            {"Name": "prefix", "Value": "in/"},
                            {"Name": "suffix", "Value": ".jpg"},
                        ]
                    }
                }
            },
        ),
        (
            "sqs: {arn: 'arn:aws:sqs:x:1:q', batchSize: 5, filterPatterns: [{body: {a: [1]}}]}",
            "SQS",
            {
                "Queue": "arn:aws:sqs:x:1:q",
                "BatchSize": 5,
                "FilterCriteria": {"Filters": [{"Pattern": '{"body": {"a": [1]}}'}]},
            },
        ),
        ("sns: news", "SNS", {"Topic": {"Ref": "SNSTopicNews"}}),
        ("sns: 'arn:aws:sns:x:1:t'", "SNS", {"Topic": "arn:aws:sns:x:1:t"}),
        (
            "stream: {type: dynamodb, arn: {'Fn::GetAtt': [T, StreamArn]}, batchWindow: 3}",
            "DynamoDB",
            {"StartingPosition": "TRIM_HORIZON", "MaximumBatchingWindowInSeconds": 3},
        ),
        ("stream: 'arn:aws:kinesis:x:1:stream/s'", "Kinesis", {}),
        (
            "eventBridge: {eventBus: b, pattern: {source: [a]}, name: n}",
            "EventBridgeRule",
            {"Pattern": {"source": ["a"]}, "EventBusName": "b", "RuleName": "n"},
        ),
        (
            "cloudwatchLog: {logGroup: /a, filter: ERROR}",
            "CloudWatchLogs",
            {"LogGroupName": "/a", "FilterPattern": "ERROR"},
        ),
        ("iot: {sql: 'SELECT * FROM a'}", "IoTRule", {"Sql": "SELECT * FROM a"}),
    ],
)
def test_an_event_is_sams(compiled: Any, event: str, kind: str, members: dict[str, Any]) -> None:
    template, _ = compiled(f"{function_with(f'[{{{event}}}]')}")
    found = event_of(template)
    assert found["Type"] == kind
    assert {name: found["Properties"][name] for name in members} == members


def test_authorizers_are_sams(compiled: Any) -> None:
    template, _ = compiled(
        """
provider:
  httpApi:
    authorizers:
      mine: {type: request, functionName: check, identitySource: $request.header.token}
      theirs: {type: jwt, issuerUrl: 'https://i', audience: a}
functions:
  check: {handler: index.handler}
  hello:
    handler: index.handler
    events:
      - http:
          method: get
          path: a
          authorizer: {name: check, type: request, resultTtlInSeconds: 0}
      - http: {method: get, path: b, authorizer: 'arn:aws:cognito-idp:x:1:userpool/pool'}
      - httpApi: {method: get, path: /c, authorizer: mine}
"""
    )
    resources = template["Resources"]
    function = {"Fn::GetAtt": ["CheckLambdaFunction", "Arn"]}
    assert resources["ApiGatewayRestApi"]["Properties"]["Auth"]["Authorizers"] == {
        "check": {
            "FunctionArn": function,
            "FunctionPayloadType": "REQUEST",
            "Identity": {"ReauthorizeEvery": 0, "Headers": ["Authorization"]},
        },
        "pool": {"UserPoolArn": "arn:aws:cognito-idp:x:1:userpool/pool"},
    }
    own = resources["HttpApi"]["Properties"]["Auth"]["Authorizers"]
    assert own["mine"]["FunctionArn"] == function
    assert own["mine"]["Identity"] == {"Headers": ["token"]}
    assert own["theirs"]["JwtConfiguration"] == {"issuer": "https://i", "audience": ["a"]}
    with pytest.raises(Failure, match="'nobody' is no function"):
        compiled(function_with("[{http: {method: get, path: a, authorizer: nobody}}]"))


def test_websockets_have_an_api_of_their_own(compiled: Any) -> None:
    template, _ = compiled(function_with("[{websocket: $connect}, {websocket: {route: hi}}]"))
    kinds = {name: item["Type"] for name, item in template["Resources"].items()}
    assert kinds["SconnectWebsocketsRoute"] == kinds["HiWebsocketsRoute"]
    assert kinds["WebsocketsApi"] == "AWS::ApiGatewayV2::Api"
    assert template["Outputs"] == {"WebsocketApiId": {"Value": {"Ref": "WebsocketsApi"}}}


def test_what_cannot_be_deployed_is_said(compiled: Any) -> None:
    with pytest.raises(Failure, match="the event alexaSkill is not known"):
        compiled(function_with("[alexaSkill]"))
    with pytest.raises(Failure, match="existing: true"):
        compiled(function_with("[{s3: {bucket: b, existing: true}}]"))
    with pytest.raises(Failure, match="has no handler"):
        compiled("functions: {hello: {image: x}}")


def test_what_is_left_out_is_noted(compiled: Any) -> None:
    _, compiler = compiled("plugins: [a]\nfunctions: {f: {handler: index.h, warmup: true}}")
    assert [note.split(":")[0] for note in compiler.notes] == [
        "plugins are programs for Node.js and were not run",
        "functions.f",
    ]


def test_functions_share_a_package_unless_they_want_their_own(
    compiled: Any, stored: Stored
) -> None:
    compiled("functions: {a: {handler: index.h}, b: {handler: index.h}}")
    assert len(stored.packages) == 1
    compiled("package: {individually: true}\nfunctions: {a: {handler: i.h}, b: {handler: i.h}}")
    assert len(stored.packages) == 3


def test_the_files_own_resources_and_extensions_are_added(compiled: Any) -> None:
    template, _ = compiled(
        """
functions: {hello: {handler: index.handler, environment: {A: 1, B: true, C: null}}}
resources:
  - Resources: {Queue: {Type: AWS::SQS::Queue}}
    Outputs: {Q: {Value: {Ref: Queue}}}
  - extensions: {HelloLambdaFunction: {Properties: {Timeout: 30}}}
"""
    )
    assert template["Resources"]["Queue"] == {"Type": "AWS::SQS::Queue"}
    assert template["Outputs"]["Q"] == {"Value": {"Ref": "Queue"}}
    properties = template["Resources"]["HelloLambdaFunction"]["Properties"]
    assert properties["Timeout"] == 30
    assert properties["Environment"] == {"Variables": {"A": "1", "B": "true"}}
    assert json.dumps(template)
