"""What an HTTP API in front of a function costs, beside invoking the function itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import boto3

from benchmarks.load import drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

HANDLER = "def handler(event, context):\n    return {'statusCode': 200, 'body': 'x'}\n"
_CLIENTS = 8


def measure(quick: bool) -> Iterator[Series]:
    """Yield rates of both, in turns."""
    requests = 800 if quick else 8_000
    rounds = 1 if quick else 5
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        url = daemon.endpoint_url
        path = _api(url)
        direct, through = [], []
        for _ in range(rounds + 1):
            direct.append(_rate(url, invoke_path("shop"), "POST", requests))
            through.append(_rate(url, path, "GET", requests))
    name = f"warm, Python, {_CLIENTS} clients"
    yield Series(row="", name=f"{name}, invoked", unit="1/s", values=direct[1:])
    yield Series(row="S17", name=f"{name}, by an HTTP API", unit="1/s", values=through[1:])
    ratios = [each / floor for each, floor in zip(through, direct, strict=True)][1:]
    yield Series(row="S17", name="HTTP API against invoking", unit="x", values=ratios)


def _api(url: str) -> str:
    deployer = Deployer(url)
    deployer.deploy("shop", HANDLER, Runtime=runtime())
    deployer.lambda_.add_permission(
        FunctionName="shop",
        StatementId="api",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
    )
    client = boto3.client(
        "apigatewayv2",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",  # noqa: S106 - anything will do
    )
    arn = "arn:aws:lambda:us-east-1:000000000000:function:shop"
    made = client.create_api(Name="shop", ProtocolType="HTTP", Target=arn)
    return f"/_aws/execute-api/{made['ApiId']}/items"


def _rate(url: str, path: str, method: str, requests: int) -> float:
    return drive(url, path, connections=_CLIENTS, requests=requests, method=method).rate
