"""Serverless Framework 3, with the plugin that it needs to know an endpoint, and osls, its heir."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from tests.e2e.tools.conftest import (
    APPLICATIONS,
    EVERY_TOOL,
    Workshop,
    install,
    only_in_acceptance,
)

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

SOURCE = (APPLICATIONS / "handler.py").read_text()
TRIGGERS = ("s3", "sqs", "sns", "dynamodb", "kinesis", "shop", "logs")
ENDPOINT = re.compile(r"Http: (http\S+)")
REST = re.compile(r"ServiceEndpoint: (http\S+)")


@pytest.mark.parametrize("tool", ["serverless", "osls"])
def test_a_service_is_deployed_called_changed_rolled_back_and_removed(
    workshop: Callable[..., Workshop], tool: str
) -> None:
    if tool == "serverless":
        only_in_acceptance(tool)
    modules = install(tool) / "node_modules"
    shop = workshop("serverless")
    shop.name = tool
    (shop.directory / "node_modules").symlink_to(modules)
    (shop.directory / "index.py").write_text(SOURCE)
    if tool == "osls":
        # It heeds AWS_ENDPOINT_URL, and the plugin does not work with it.
        (shop.directory / "plugins.yml").write_text("[]\n")
    shop.environ["SLS_TELEMETRY_DISABLED"] = "1"
    command = modules / ".bin" / ("serverless" if tool == "serverless" else "osls")
    before = shop.left()
    with shop.step("deploy"):
        deployed = shop.run(command, "deploy", "--verbose")
    url = ENDPOINT.findall(deployed)[-1] + "/hello/you"
    with shop.step("again"):
        assert "No changes to deploy" in shop.run(command, "deploy")

    assert shop.says("hello", url)["name"] == "you"
    assert shop.says("hello", REST.findall(deployed)[-1] + "/rest/me")["name"] == "me"
    with shop.step("triggers"):
        shop.use(*TRIGGERS)
        shop.heard("http", *TRIGGERS, *(["schedule"] if EVERY_TOOL else []))
    printed = shop.run(command, "invoke", "--function", "node", "--data", '{"n": 1}')
    assert json.loads(printed[printed.index("{") :]) == {"node": {"n": 1}}
    assert "hello from invoke" in shop.run(command, "invoke", "--function", "app", "--log")
    assert "hello from sqs" in shop.run(command, "logs", "--function", "app")

    (shop.directory / "index.py").write_text(SOURCE.replace('"version": 1', '"version": 2'))
    with shop.step("update function"):
        shop.run(command, "deploy", "function", "--function", "app", GREETING="bye")
    assert shop.says("bye", url)["version"] == 2
    if EVERY_TOOL:
        with shop.step("update"):
            assert "deployed to stack" in shop.run(command, "deploy", GREETING="bye")
        assert shop.says("bye", url)["version"] == 2
        first = re.findall(r"Timestamp: (\d+)", shop.run(command, "deploy", "list"))[0]
        shop.run(command, "rollback", "--timestamp", first)
        assert shop.says("hello", url)["version"] == 1

    # Nobody removes a bucket in which something is.
    shop.client("s3").delete_object(Bucket=f"{shop.function}-uploads", Key="in/a")
    with shop.step("remove"):
        shop.run(command, "remove")
    assert shop.left() == before
