"""The registry outlives being killed: what it acknowledged is there, and nothing half made is."""

from __future__ import annotations

import json
from http.client import HTTPException
from pathlib import Path
from threading import Thread

import pytest
from tests.conformance.ecr.conftest import RegistryClient, digest_of
from tests.conformance.events.conftest import client_of

from lambdad.testing.daemon import DaemonProcess

pytestmark = pytest.mark.slow
KILLS = 3


def layer_of(tag: str) -> bytes:
    return tag.encode() * 90_000  # comes through a file


def push_until_killed(endpoint_url: str, life: int, pushed: dict[str, str]) -> None:
    """Push images until nobody answers; note those that were acknowledged."""
    registry = RegistryClient(endpoint_url)
    for number in range(100_000):
        tag = f"r{life}-{number}"
        try:
            pushed[tag] = registry.push("crash/app", tag, layer_of(tag), b"shared by all")
        except (OSError, HTTPException):
            return


def test_images_that_were_pushed_are_whole_after_kills(tmp_path: Path) -> None:
    pushed: dict[str, str] = {}
    for life in range(KILLS):
        daemon = DaemonProcess(tmp_path, "--backend", "process").start()
        if life == 0:
            ecr = client_of("ecr", daemon.endpoint_url)
            ecr.create_repository(repositoryName="crash/app")
        enough = len(pushed) + 3 + life
        pusher = Thread(target=push_until_killed, args=(daemon.endpoint_url, life, pushed))
        pusher.start()
        while len(pushed) < enough:
            pusher.join(0.02)
            assert pusher.is_alive()
        daemon.kill()
        pusher.join()
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        registry = RegistryClient(daemon.endpoint_url)
        tags = json.loads(registry.call("GET", "/v2/crash/app/tags/list").body)["tags"]
        assert set(tags) >= set(pushed)
        for tag in tags:
            manifest = registry.call("GET", f"/v2/crash/app/manifests/{tag}")
            assert pushed.get(tag) in (None, digest_of(manifest.body))
            blob = f"/v2/crash/app/blobs/{digest_of(layer_of(tag))}"
            assert registry.call("GET", blob).body == layer_of(tag)
    files = tmp_path / "neighbours" / "ecr"
    assert not list((files / "incoming").iterdir())
    assert not list((files / "joining").iterdir())
