"""Functions and layers deployed from an S3-compatible store."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, RUNTIME, Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

SOURCE = "from layered import N\n\ndef handler(event, context):\n    return [N, event]\n"
OBJECTS = {
    "/packages/app.zip": zip_of({"app.py": SOURCE}),
    "/packages/layer.zip": zip_of({"python/layered.py": "N = 7\n"}),
    "/packages/bad.zip": b"no zip",
}
MISSING = (
    b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>%b</Code><Message>%b</Message></Error>'
)


class Store(BaseHTTPRequestHandler):
    """GetObject of S3's protocol, path style."""

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        body = OBJECTS.get(path)
        status = 200 if body is not None else 404
        if body is None and path.startswith("/packages/"):
            body = MISSING % (b"NoSuchKey", b"The specified key does not exist.")
        elif body is None:
            body = MISSING % (b"NoSuchBucket", b"The specified bucket does not exist")
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def store() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Store) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def refusal(call: Callable[[], object]) -> tuple[str, str]:
    with pytest.raises(ClientError) as refused:
        call()
    error = refused.value.response["Error"]
    return error["Code"], error["Message"]


def test_code_and_layers_come_from_s3(start: Callable[..., DaemonProcess], store: str) -> None:
    user = Deployer(start(LAMBDAD_NEIGHBOURS_S3=store).endpoint_url)
    client = user.lambda_
    layer = client.publish_layer_version(
        LayerName="layer", Content={"S3Bucket": "packages", "S3Key": "layer.zip"}
    )

    def create(key: str, bucket: str = "packages") -> None:
        client.create_function(
            FunctionName="f",
            Runtime=RUNTIME,
            Handler="app.handler",
            Role=ROLE,
            Code={"S3Bucket": bucket, "S3Key": key},
            Layers=[layer["LayerVersionArn"]],
        )

    prefix = "Error occurred while GetObject. S3 Error Code: "
    assert refusal(lambda: create("nope.zip")) == (
        "InvalidParameterValueException",
        f"{prefix}NoSuchKey. S3 Error Message: The specified key does not exist.",
    )
    assert refusal(lambda: create("app.zip", "nowhere")) == (
        "InvalidParameterValueException",
        f"{prefix}NoSuchBucket. S3 Error Message: The specified bucket does not exist",
    )
    assert refusal(lambda: create("bad.zip"))[1].startswith("Could not unzip uploaded file.")
    create("app.zip")
    client.get_waiter("function_active_v2").wait(FunctionName="f")
    assert user.invoke("f", "x").payload == [7, "x"]


def test_a_store_that_is_away_is_named(start: Callable[..., DaemonProcess]) -> None:
    user = Deployer(start(LAMBDAD_NEIGHBOURS_S3="http://127.0.0.1:9").endpoint_url)
    code, message = refusal(
        lambda: user.lambda_.publish_layer_version(
            LayerName="layer", Content={"S3Bucket": "packages", "S3Key": "layer.zip"}
        )
    )
    assert code == "InvalidParameterValueException"
    assert "http://127.0.0.1:9 does not answer" in message
