"""CDK: bootstrap, deploy, diff, hotswap, destroy; with the custom resources that it brings."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from tests.e2e.tools.conftest import (
    APPLICATIONS,
    TOOLS,
    Workshop,
    install,
    only_in_acceptance,
)

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

SOURCE = (APPLICATIONS / "handler.py").read_text()
TRIGGERS = ("s3", "sqs", "sns", "dynamodb", "kinesis", "shop", "logs")
# What functions of CDK's own logged, and what bootstrapping made.
KEPT = (
    "logs: /aws/lambda/shop-cdk-.*",
    ".*: cdk-hnb659fds-.*",
    "ssm: /cdk-bootstrap/.*",
    "cloudformation: CDKToolkit .*",
)


def test_an_application_is_bootstrapped_deployed_called_swapped_changed_and_destroyed(
    workshop: Callable[..., Workshop],
) -> None:
    only_in_acceptance("CDK")
    modules = install("cdk") / "node_modules"
    install("sdk")
    # CDK's own functions are for the newest runtimes, and expect AWS's SDK there.
    shop = workshop(
        "cdk",
        "--runtime-fallback",
        LAMBDAD_RUNTIMES_NODEJS_SDK=str(TOOLS / "sdk" / "node_modules"),
    )
    (shop.directory / "node_modules").symlink_to(modules)
    source = shop.directory / "app" / "index.py"
    source.parent.mkdir()
    source.write_text(SOURCE)
    shop.environ["CDK_HOME"] = str(shop.directory / ".home")
    cdk = (modules / ".bin" / "cdk", "--ci")
    deploy = (*cdk, "deploy", "--require-approval", "never")

    before = shop.left()
    with shop.step("bootstrap"):
        assert "bootstrapped" in shop.run(*cdk, "bootstrap")
    with shop.step("deploy"):
        deployed = shop.run(*deploy)
    [address] = re.findall(r"Shop\.Address = (\S+)", deployed)
    with shop.step("again"):
        assert "(no changes)" in shop.run(*deploy)
    printed = shop.run(*cdk, "diff", "--fail")
    assert "There were no differences" in printed
    assert "Could not create a change set" not in printed

    assert shop.says("hello", f"{address}/hello/you")["name"] == "you"
    [rest] = re.findall(r"Shop\.RestAddress = (\S+)", deployed)
    assert shop.says("hello", f"{rest}rest/me")["name"] == "me"
    with shop.step("triggers"):
        shop.use(*TRIGGERS)
        shop.heard("http", *TRIGGERS, "schedule")

    source.write_text(SOURCE.replace('"version": 1', '"version": 2'))
    with shop.step("update function"):
        shop.run(*deploy, "--hotswap")
    assert shop.says("hello", f"{address}/hello/you")["version"] == 2
    with shop.step("update"):
        shop.run(*deploy, GREETING="bye")
    assert shop.says("bye", f"{address}/hello/you")["version"] == 2
    # The bucket empties itself: a function of CDK's does it.
    with shop.step("remove"):
        shop.run(*cdk, "destroy", "--force")
    assert shop.left(*KEPT) == before
    assert [each for each in shop.left() if "uploads" in each] == []
