"""A user of API Gateway's HTTP and WebSocket APIs, and a web server that issues tokens."""

from __future__ import annotations

import json
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import boto3
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

ECHO = """
import json
def handler(event, context):
    if event.get("version") == "1.0":
        return {"statusCode": 200, "body": json.dumps(event)}
    return event
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer of an API."""

    status: int
    headers: Message
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """Its body as JSON."""
        found: dict[str, Any] = json.loads(self.body)
        return found


class ApiUser:
    """Makes APIs with boto3 and calls them as their callers do."""

    def __init__(self, daemon: DaemonProcess, region: str = "us-east-1") -> None:
        self.url = daemon.endpoint_url
        self.region = region
        self.user = Deployer(daemon.endpoint_url)
        self.client = self.service("apigatewayv2")

    def service(self, name: str, endpoint_url: str | None = None) -> Any:
        """Return a client of a service."""
        return boto3.client(
            name,
            endpoint_url=endpoint_url or self.url,
            region_name=self.region,
            aws_access_key_id="test",
            aws_secret_access_key="test",  # noqa: S106 - anything will do
        )

    def deploy(self, name: str, source: str = ECHO) -> str:
        """Deploy a function that API Gateway may call; return its ARN."""
        self.user.deploy(name, source)
        self.user.lambda_.add_permission(
            FunctionName=name,
            StatementId="api",
            Action="lambda:InvokeFunction",
            Principal="apigateway.amazonaws.com",
        )
        found = self.user.lambda_.get_function(FunctionName=name)
        return str(found["Configuration"]["FunctionArn"])

    def http_api(self, name: str) -> str:
        """Make an HTTP API with a default stage that is always up to date; return its id."""
        api_id = str(self.client.create_api(Name=name, ProtocolType="HTTP")["ApiId"])
        self.client.create_stage(ApiId=api_id, StageName="$default", AutoDeploy=True)
        return api_id

    def route(self, api_id: str, key: str, integration: Mapping[str, Any], **route: Any) -> str:
        """Make a route and what it leads to; return the route's id."""
        made = self.client.create_integration(ApiId=api_id, **integration)["IntegrationId"]
        target = f"integrations/{made}"
        found = self.client.create_route(ApiId=api_id, RouteKey=key, Target=target, **route)
        return str(found["RouteId"])

    def function(self, arn: str, version: str = "2.0", **more: Any) -> dict[str, Any]:
        """Return the integration of a function."""
        return {
            "IntegrationType": "AWS_PROXY",
            "IntegrationUri": arn,
            "PayloadFormatVersion": version,
            **more,
        }

    def call(
        self,
        api_id: str,
        path: str,
        *,
        method: str = "GET",
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answered:
        """Call an API by the name of its host, unless `headers` name another."""
        host = f"{api_id}.execute-api.{self.region}.localhost"
        request = urllib.request.Request(  # noqa: S310 - our own daemon
            f"{self.url}{path}", method=method, data=body, headers={"Host": host, **(headers or {})}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
                return Answered(status=answer.status, headers=answer.headers, body=answer.read())
        except urllib.error.HTTPError as error:
            return Answered(status=error.code, headers=error.headers, body=error.read())


@dataclass(slots=True)
class Issuer:
    """A server that publishes keys and signs tokens with them. Mutable: what it was asked for."""

    asked: list[str] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)
    server: ThreadingHTTPServer = field(init=False)
    rsa: RSAKey = field(init=False)
    ec: ECKey = field(init=False)

    @property
    def url(self) -> str:
        """What its tokens name as their issuer."""
        return f"http://127.0.0.1:{self.server.server_port}"

    def token(self, claims: Mapping[str, Any], *, algorithm: str = "RS256", **header: Any) -> str:
        """Return a signed token; `header` changes what its head says."""
        key = self.rsa if algorithm.startswith("RS") else self.ec
        head = {"alg": algorithm, "kid": key.kid, **header}
        return jwt.encode(head, {"iss": self.url, **claims}, key)

    def publish(self, *keys: RSAKey | ECKey) -> None:
        """Publish these keys in place of others."""
        self.documents["/keys"] = KeySet(list(keys)).as_dict(private=False)

    def __enter__(self) -> Self:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                document = issuer.documents.get(self.path)
                body = json.dumps(document).encode()
                self.send_response(404 if document is None else 200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.rsa = RSAKey.generate_key(2048, {"kid": "first"})
        self.ec = ECKey.generate_key("P-256", {"kid": "second"})
        discovery = "/.well-known/openid-configuration"
        self.documents[discovery] = {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.publish(self.rsa, self.ec)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()
