"""Notifications of other object stores reach functions as S3's do."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.events.conftest import RECORDER, Queue, client_of

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

# As MinIO sends it: RELEASE.2025, `notify_webhook`.
NOTIFICATION = {
    "EventName": "s3:ObjectCreated:Put",
    "Key": "photos/in/a%20b.jpg",
    "Records": [
        {
            "eventVersion": "2.0",
            "eventSource": "minio:s3",
            "awsRegion": "",
            "eventTime": "2026-01-02T03:04:05.67Z",
            "eventName": "s3:ObjectCreated:Put",
            "userIdentity": {"principalId": "minioadmin"},
            "requestParameters": {
                "principalId": "minioadmin",
                "region": "",
                "sourceIPAddress": "10.0.0.7",
            },
            "responseElements": {
                "x-amz-id-2": "dd9025bab4ad464b",
                "x-amz-request-id": "17D2C0FE0D9E7E5F",
                "x-minio-deployment-id": "0f3e",
                "x-minio-origin-endpoint": "http://10.0.0.1:9000",
            },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "Config",
                "bucket": {
                    "name": "photos",
                    "ownerIdentity": {"principalId": "minioadmin"},
                    "arn": "arn:aws:s3:::photos",
                },
                "object": {
                    "key": "in%2Fa+b.jpg",
                    "size": 3,
                    "eTag": "900150983cd24fb0d6963f7d28e17f72",
                    "contentType": "image/jpeg",
                    "userMetadata": {"content-type": "image/jpeg"},
                    "sequencer": "17D2C0FE0DA3B3F4",
                },
            },
            "source": {"host": "10.0.0.7", "port": "", "userAgent": "MinIO"},
        }
    ],
}


def post(url: str, body: Any, **headers: str) -> int:
    request = urllib.request.Request(  # noqa: S310 - the daemon's
        url, method="POST", data=json.dumps(body).encode(), headers=headers
    )
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_function_gets_the_event_that_s3_would_send(
    daemon: DaemonProcess, user: Deployer, a_name: Callable[[], str]
) -> None:
    name, out = a_name(), Queue(client_of("sqs", daemon.endpoint_url), "s3-webhook-out")
    user.deploy(name, {"app.py": RECORDER}, Environment={"Variables": {"OUT": out.url}})
    url = f"{daemon.endpoint_url}/_lambdad/s3-events/{name}"
    assert post(url, NOTIFICATION) == 403
    user.lambda_.add_permission(
        FunctionName=name,
        StatementId="s3",
        Action="lambda:InvokeFunction",
        Principal="s3.amazonaws.com",
        SourceArn="arn:aws:s3:::photos",
    )
    assert post(url, NOTIFICATION) == 200
    [record] = out.body()["Records"]
    assert record == {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-01-02T03:04:05.670Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "minioadmin"},
        "requestParameters": {"sourceIPAddress": "10.0.0.7"},
        "responseElements": {
            "x-amz-request-id": "17D2C0FE0D9E7E5F",
            "x-amz-id-2": "dd9025bab4ad464b",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Config",
            "bucket": {
                "name": "photos",
                "ownerIdentity": {"principalId": "minioadmin"},
                "arn": "arn:aws:s3:::photos",
            },
            "object": {
                "key": "in%2Fa+b.jpg",
                "size": 3,
                "eTag": "900150983cd24fb0d6963f7d28e17f72",
                "sequencer": "17D2C0FE0DA3B3F4",
            },
        },
    }
    assert post(f"{daemon.endpoint_url}/_lambdad/s3-events/no-such", NOTIFICATION) == 404
    for broken in ([], {"Records": 1}, {"Records": [{}]}, {"Records": [{"s3": 1}]}):
        assert post(url, broken) == 400
    assert post(url, {}) == 200


def test_a_store_sends_the_token(tmp_path: Path) -> None:
    settings = {"LAMBDAD_S3_EVENTS_TOKEN": "secret"}
    options = ("--backend", "process")
    with DaemonProcess(tmp_path / "data", *options, environ=settings) as daemon:
        url = f"{daemon.endpoint_url}/_lambdad/s3-events/f"
        assert post(url, {}) == 403
        assert post(url, {}, Authorization="Bearer wrong") == 403
        assert post(url, {}, Authorization="Bearer secret") == 200
        assert post(url, {}, Authorization="secret") == 200
