"""Clients of ECR's API and of its registry, each test with repositories of its own."""

from __future__ import annotations

import base64
import hashlib
import http.client
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess

_NUMBERS = itertools.count(1)
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


@dataclass(frozen=True)
class Reply:
    """An answer of the registry."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of the error that it is."""
        return str(json.loads(self.body)["errors"][0]["code"])


class RegistryClient:
    """Speaks the registry's protocol."""

    def __init__(self, endpoint_url: str, password: str | None = None) -> None:
        self._place = urlsplit(endpoint_url).netloc
        self._headers = {}
        if password is not None:
            basic = base64.b64encode(f"AWS:{password}".encode()).decode()
            self._headers = {"Authorization": f"Basic {basic}"}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        """Send a request; a body that is an iterable goes in chunks."""
        connection = http.client.HTTPConnection(self._place, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, {**self._headers, **named})
            response = connection.getresponse()
            return Reply(
                response.status,
                {name.lower(): value for name, value in response.getheaders()},
                response.read(),
            )
        finally:
            connection.close()

    def begin(self, repository: str) -> str:
        """Begin an upload; returns its path."""
        reply = self.call("POST", f"/v2/{repository}/blobs/uploads/")
        assert reply.status == 202, reply
        return reply.headers["location"]

    def push_blob(self, repository: str, content: bytes) -> str:
        """Upload a blob in one piece; returns its digest."""
        digest = digest_of(content)
        reply = self.call("PUT", f"{self.begin(repository)}?digest={digest}", content)
        assert reply.status == 201, reply
        return digest

    def push(self, repository: str, tag: str, *layers: bytes) -> str:
        """Push an image; returns its digest."""
        config = b'{"architecture":"amd64","os":"linux"}'
        described = [
            {"digest": self.push_blob(repository, content), "size": len(content)}
            for content in (config, *layers)
        ]
        manifest = manifest_of(described[0], *described[1:])
        reply = self.call(
            "PUT", f"/v2/{repository}/manifests/{tag}", manifest, Content_Type=MANIFEST
        )
        assert reply.status == 201, reply
        return reply.headers["docker-content-digest"]


def manifest_of(config: Mapping[str, Any], *layers: Mapping[str, Any], **members: Any) -> bytes:
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": layers}
    return json.dumps({**document, **members}).encode()


@pytest.fixture
def ecr(daemon: DaemonProcess) -> Any:
    return client_of("ecr", daemon.endpoint_url)


@pytest.fixture
def registry(daemon: DaemonProcess) -> RegistryClient:
    return RegistryClient(daemon.endpoint_url)


@pytest.fixture
def repository(ecr: Any) -> str:
    """The name of a repository that nobody else uses."""
    name = f"ecr-tests/app-{next(_NUMBERS)}"
    ecr.create_repository(repositoryName=name)
    return name
