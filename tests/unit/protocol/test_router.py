"""Requests find their operation, however clients spell the path."""

from __future__ import annotations

import pytest
from botocore.model import ServiceModel

from lambdad.protocol.errors import UnknownOperation
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.model import load_service
from lambdad.protocol.router import Route, Router

LAMBDA = Router(load_service("lambda"))
LOGS = Router(load_service("logs"))
STS = Router(load_service("sts"))


def route(method: str, target: str) -> Route:
    path, _, query = target.partition("?")
    return LAMBDA.route(HttpRequest(method=method, path=path, query=query))


@pytest.mark.parametrize(
    ("method", "target", "operation", "params"),
    [
        ("POST", "/2015-03-31/functions", "CreateFunction", {}),
        ("GET", "/2015-03-31/functions", "ListFunctions", {}),
        ("GET", "/2015-03-31/functions/", "ListFunctions", {}),
        ("GET", "/2015-03-31/functions/f/", "GetFunction", {"FunctionName": "f"}),
        ("GET", "/2015-03-31/functions/f?Qualifier=1", "GetFunction", {"FunctionName": "f"}),
        ("POST", "/2015-03-31/functions/f/invocations", "Invoke", {"FunctionName": "f"}),
        ("POST", "/2014-11-13/functions/f/invoke-async", "InvokeAsync", {"FunctionName": "f"}),
        ("POST", "/2014-11-13/functions/f/invoke-async/", "InvokeAsync", {"FunctionName": "f"}),
        (
            "GET",
            "/2015-03-31/functions/arn%3Aaws%3Alambda%3Aus-east-1%3A0%3Afunction%3Af%3A%24LATEST",
            "GetFunction",
            {"FunctionName": "arn:aws:lambda:us-east-1:0:function:f:$LATEST"},
        ),
        ("GET", "/2017-03-31/tags/a%2Fb:c", "ListTags", {"Resource": "a/b:c"}),
        ("GET", "/2018-10-31/layers", "ListLayers", {}),
        ("GET", "/2018-10-31/layers?find=LayerVersion&Arn=x", "GetLayerVersionByArn", {}),
        ("GET", "/2018-10-31/layers?find=Else", "ListLayers", {}),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?List=ALL",
            "ListProvisionedConcurrencyConfigs",
            {"FunctionName": "f"},
        ),
        (
            "GET",
            "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=a",
            "GetProvisionedConcurrencyConfig",
            {"FunctionName": "f"},
        ),
        (
            "DELETE",
            "/2015-03-31/functions/f/policy/s",
            "RemovePermission",
            {"FunctionName": "f", "StatementId": "s"},
        ),
    ],
)
def test_rest_requests_are_routed_by_method_path_and_literal_query(
    method: str, target: str, operation: str, params: dict[str, str]
) -> None:
    found = route(method, target)
    assert found.operation.name == operation
    assert found.path_params == params


@pytest.mark.parametrize(
    ("method", "target"),
    [
        ("GET", "/"),
        ("GET", ""),
        ("PATCH", "/2015-03-31/functions"),
        ("GET", "/2015-03-31/functions//configuration"),
        ("GET", "/2015-03-31/functions/f/nothing"),
        ("GET", "/2015-03-31/functions/f/"[:-2] + "/" * 50),
        ("get", "/2015-03-31/functions"),
        ("GET", "/a" * 100_000),
    ],
)
def test_what_is_no_operation_is_not_found(method: str, target: str) -> None:
    with pytest.raises(UnknownOperation) as refused:
        route(method, target)
    assert (refused.value.code, refused.value.status) == ("UnknownOperationException", 404)
    assert len(refused.value.message) < 1_000


def test_json_requests_are_routed_by_their_target() -> None:
    headers = {"x-amz-target": "Logs_20140328.FilterLogEvents"}
    found = LOGS.route(HttpRequest(method="POST", path="/", headers=headers))
    assert found.operation.name == "FilterLogEvents"
    for bad in ({}, {"x-amz-target": "Logs_20140328.Nothing"}):
        with pytest.raises(UnknownOperation) as refused:
            LOGS.route(HttpRequest(method="POST", path="/", headers=bad))
        assert refused.value.code == "UnknownOperationException"


def test_query_requests_are_routed_by_their_action() -> None:
    body = b"Action=GetCallerIdentity&Version=2011-06-15"
    assert STS.route(HttpRequest(method="POST", path="/", body=body)).operation.name == (
        "GetCallerIdentity"
    )
    in_query = HttpRequest(method="GET", path="/", query=body.decode())
    assert STS.route(in_query).operation.name == "GetCallerIdentity"
    with pytest.raises(UnknownOperation) as refused:
        STS.route(HttpRequest(method="POST", path="/", body=b"Action=Nothing"))
    assert (refused.value.code, refused.value.status) == ("InvalidAction", 400)
    assert refused.value.message == "Could not find operation Nothing for version 2011-06-15"


def test_greedy_labels_take_the_rest_of_the_path() -> None:

    http = {"method": "GET", "requestUri": "/{Bucket}/{Key+}"}
    description = {
        "metadata": {"protocol": "rest-json"},
        "operations": {"GetObject": {"name": "GetObject", "http": http}},
        "shapes": {},
    }
    router = Router(ServiceModel(description, service_name="things"))
    found = router.route(HttpRequest(method="GET", path="/b/c/d%20e"))
    assert found.path_params == {"Bucket": "b", "Key": "c/d e"}
