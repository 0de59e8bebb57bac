"""What an API in front of a function costs, beside invoking the function itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3

from benchmarks.load import drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'x'}\n"
_ARN = "arn:aws:lambda:us-east-1:000000000000:function:shop"
_CLIENTS = 8


def measure(quick: bool) -> Iterator[Series]:
    """Yield rates of both, in turns."""
    requests = 800 if quick else 8_000
    rounds = 1 if quick else 5
    # AWS's limit of a function, 10,000 requests a second, would be reached.
    unlimited = {"LAMBDAD_DATAPLANE_REQUEST_RATE": "0"}
    with (
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory), environ=unlimited) as daemon,
    ):
        url = daemon.endpoint_url
        path = _api(url)
        rest_path = _rest_api(url)
        direct, through, by_rest = [], [], []
        for _ in range(rounds + 1):
            direct.append(_rate(url, invoke_path("shop"), "POST", requests))
            through.append(_rate(url, path, "GET", requests))
            by_rest.append(_rate(url, rest_path, "GET", requests))
    name = f"warm, Python, {_CLIENTS} clients"
    yield Series(row="", name=f"{name}, invoked", unit="1/s", values=direct[1:])
    yield Series(row="S17", name=f"{name}, by an HTTP API", unit="1/s", values=through[1:])
    yield Series(row="", name=f"{name}, by a REST API", unit="1/s", values=by_rest[1:])
    yield Series(
        row="S17", name="HTTP API against invoking", unit="x", values=_ratios(through, direct)
    )
    yield Series(
        row="", name="REST API against invoking", unit="x", values=_ratios(by_rest, direct)
    )
    yield Series(row="S17", name="added by an HTTP API", unit="ms", values=_added(through, direct))
    yield Series(row="", name="added by a REST API", unit="ms", values=_added(by_rest, direct))


def _ratios(rates: list[float], floors: list[float]) -> list[float]:
    return [rate / floor for rate, floor in zip(rates, floors, strict=True)][1:]


def _added(rates: list[float], floors: list[float]) -> list[float]:
    """Return the milliseconds of the daemon that each request takes more."""
    return [1000 / rate - 1000 / floor for rate, floor in zip(rates, floors, strict=True)][1:]


def _api(url: str) -> str:
    deployer = Deployer(url)
    deployer.deploy("shop", HANDLER, Runtime=runtime())
    deployer.lambda_.add_permission(
        FunctionName="shop",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    made = _client(url, "apigatewayv2").create_api(Name="shop", ProtocolType="HTTP", Target=_ARN)
    return f"/_aws/execute-api/{made['ApiId']}/items"


def _rest_api(url: str) -> str:
    client = _client(url, "apigateway")
    made = client.create_rest_api(name="shop")
    api_id = made["id"]
    resource = client.create_resource(
        restApiId=api_id, parentId=made["rootResourceId"], pathPart="{proxy+}"
    )
    where = {"restApiId": api_id, "resourceId": resource["id"], "httpMethod": "ANY"}
    client.put_method(**where, authorizationType="NONE")
    client.put_integration(
        **where,
        type="AWS_PROXY",
        integrationHttpMethod="POST",
        uri=f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{_ARN}/invocations",
    )
    client.create_deployment(restApiId=api_id, stageName="dev")
    return f"/_aws/execute-api/{api_id}/dev/items"


def _client(url: str, service: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - anything will do
    )


def _rate(url: str, path: str, method: str, requests: int) -> float:
    return drive(url, path, connections=_CLIENTS, requests=requests, method=method).rate
