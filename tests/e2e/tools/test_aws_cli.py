"""The AWS CLI: a SAM template packaged and deployed, and the transform that the daemon does."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.tools.conftest import APPLICATIONS, EVERY_TOOL, Workshop

from lambdad.testing.deploy import RUNTIME

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

AWS = Path(sys.executable).with_name("aws")
SOURCE = (APPLICATIONS / "handler.py").read_text()
TRIGGERS = ("s3", "sqs", "sns", "dynamodb", "kinesis", "shop", "logs")


class Cli:
    """A user with the AWS CLI and a SAM template."""

    def __init__(self, shop: Workshop) -> None:
        self.shop = shop
        shutil.copytree(APPLICATIONS / "sam", shop.directory, dirs_exist_ok=True)
        (shop.directory / "app").mkdir()
        self.write(SOURCE)

    def write(self, source: str) -> None:
        (self.shop.directory / "app" / "index.py").write_text(source)

    def deploy(self, greeting: str = "hello") -> str:
        self.shop.run(
            *(AWS, "cloudformation", "package", "--template-file", "template.yaml"),
            *("--s3-bucket", "shop-aws-artefacts", "--output-template-file", "packaged.yaml"),
        )
        return self.shop.run(
            *(AWS, "cloudformation", "deploy", "--template-file", "packaged.yaml"),
            *("--stack-name", "shop-aws", "--no-fail-on-empty-changeset"),
            *("--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"),
            *("--parameter-overrides", f"Greeting={greeting}", "Name=shop-aws"),
            *(f"Runtime={RUNTIME}", "--tags", "app=shop"),
        )

    def output(self, name: str) -> str:
        stack = json.loads(
            self.shop.run(AWS, "cloudformation", "describe-stacks", "--stack-name", "shop-aws")
        )["Stacks"][0]
        return next(each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == name)


def test_a_sam_template_is_packaged_deployed_called_changed_and_removed(
    workshop: Callable[..., Workshop],
) -> None:
    shop = workshop("aws")
    cli = Cli(shop)
    before = shop.left()
    shop.run(AWS, "s3", "mb", "s3://shop-aws-artefacts")
    with shop.step("deploy"):
        assert "Successfully created/updated stack - shop-aws" in cli.deploy()
    with shop.step("again"):
        assert "No changes to deploy. Stack shop-aws is up to date" in cli.deploy()

    assert shop.says("hello", cli.output("Http"))["name"] == "you"
    assert shop.says("hello", cli.output("Rest"))["name"] == "me"
    shop.says("hello", cli.output("Url"))
    with shop.step("triggers"):
        shop.use(*TRIGGERS)
        shop.heard("http", *TRIGGERS, *(["schedule"] if EVERY_TOOL else []))
    shop.run(AWS, "lambda", "invoke", "--function-name", "shop-aws:live", "answer.json")
    assert json.loads((shop.directory / "answer.json").read_text())["from"] == "invoke"
    printed = shop.run(
        *(AWS, "logs", "filter-log-events", "--log-group-name", "/aws/lambda/shop-aws"),
        *("--query", "events[].message", "--output", "text"),
    )
    assert "hello from invoke" in printed

    cli.write(SOURCE.replace('"version": 1', '"version": 2'))
    with shop.step("update"):
        cli.deploy("bye")
    assert shop.says("bye", cli.output("Http"))["version"] == 2
    shop.run(AWS, "s3", "rm", "--recursive", "s3://shop-aws-uploads")
    with shop.step("remove"):
        shop.run(AWS, "cloudformation", "delete-stack", "--stack-name", "shop-aws")
        shop.until("removal", lambda: shop.left() == ["s3: shop-aws-artefacts", *before])
    shop.run(AWS, "s3", "rb", "--force", "s3://shop-aws-artefacts")
    assert shop.left() == before
