"""The SAM CLI: build, deploy, sync, logs, delete; its own bucket stays, as on AWS."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable

import pytest
from tests.e2e.tools.conftest import APPLICATIONS, Workshop, install, only_in_acceptance

from lambdad.testing.deploy import RUNTIME

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

SOURCE = (APPLICATIONS / "handler.py").read_text()
TRIGGERS = ("s3", "sqs", "sns", "dynamodb", "kinesis", "shop", "logs")
STACK = ("--stack-name", "shop-sam")
# What `--resolve-s3` makes for all stacks of a region.
ARTEFACTS = ("s3: aws-sam-cli-managed-.*", "cloudformation: aws-sam-cli-managed-default .*")


def test_an_application_is_built_deployed_called_synced_changed_and_deleted(
    workshop: Callable[..., Workshop],
) -> None:
    only_in_acceptance("the SAM CLI")
    sam = install("sam") / "bin" / "sam"
    shop = workshop("sam")
    shop.environ |= {"SAM_CLI_TELEMETRY": "0"}
    source = shop.directory / "app" / "index.py"
    source.parent.mkdir()
    source.write_text(SOURCE)
    # SAM builds with the Python that it finds by its version.
    if shutil.which(RUNTIME) is None:
        pytest.skip(f"{RUNTIME} is not on the PATH, and `sam build` needs it")

    def deploy(greeting: str = "hello") -> str:
        shop.run(sam, "build")
        return shop.run(
            *(sam, "deploy", *STACK, "--resolve-s3", "--no-confirm-changeset"),
            *("--no-fail-on-empty-changeset", "--parameter-overrides", "Name=shop-sam"),
            *(f"Runtime={RUNTIME}", f"Greeting={greeting}"),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
        )

    before = shop.left()
    with shop.step("deploy"):
        assert "Successfully created/updated stack" in deploy()
    with shop.step("again"):
        assert "No changes to deploy. Stack shop-sam is up to date" in deploy()
    listed = shop.run(sam, "list", "stack-outputs", *STACK, "--output", "json")
    outputs = {each["OutputKey"]: each["OutputValue"] for each in json.loads(listed)}
    assert shop.says("hello", outputs["Http"])["name"] == "you"
    assert shop.says("hello", outputs["Rest"])["name"] == "me"
    shop.says("hello", outputs["Url"])
    with shop.step("triggers"):
        shop.use(*TRIGGERS)
        shop.heard("http", *TRIGGERS, "schedule")
    assert '"from": "invoke"' in shop.run(sam, "remote", "invoke", "App", *STACK, "--event", "{}")
    assert "hello from sqs" in shop.run(sam, "logs", *STACK)
    assert '"LogicalResourceId": "App"' in shop.run(
        sam, "list", "resources", *STACK, "--output", "json"
    )

    source.write_text(SOURCE.replace('"version": 1', '"version": 2'))
    with shop.step("update function"):
        shop.run(
            *(sam, "sync", "--code", *STACK, "--no-dependency-layer"),
            *("--parameter-overrides", "Name=shop-sam", f"Runtime={RUNTIME}"),
            stdin=b"y\n",
        )
    assert shop.says("hello", outputs["Http"])["version"] == 2
    with shop.step("update"):
        assert "* Modify" in deploy("bye")
    assert shop.says("bye", outputs["Http"])["version"] == 2
    shop.client("s3").delete_object(Bucket="shop-sam-uploads", Key="in/a")
    with shop.step("remove"):
        shop.run(sam, "delete", *STACK, "--no-prompts")
    assert shop.left(*ARTEFACTS) == before
