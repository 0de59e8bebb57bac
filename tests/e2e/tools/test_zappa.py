"""Zappa: one function behind a REST API, which a stack makes, and the events that it schedules."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.e2e.tools.conftest import Workshop, install, only_in_acceptance

from lambdad.testing.deploy import RUNTIME

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(1200)]

TRIGGERS = ("s3", "sqs", "sns")
# What `undeploy` leaves on AWS as well.
KEPT = ("iam: shop-zappa-prod-ZappaLambdaExecutionRole", "s3: shop-zappa-artefacts")


def test_an_application_is_deployed_called_changed_rolled_back_and_undeployed(
    workshop: Callable[..., Workshop],
) -> None:
    only_in_acceptance("Zappa")
    home = install("zappa").resolve()
    shop = workshop("zappa")
    # It packs the virtual environment that it runs in.
    shop.environ |= {
        "VIRTUAL_ENV": str(home),
        "PATH": f"{home / 'bin'}:{shop.environ['PATH']}",
    }
    settings = shop.directory / "zappa_settings.json"
    settings.write_text(settings.read_text().replace("python3.11", RUNTIME))
    shop.client("s3").create_bucket(Bucket="shop-zappa-uploads")
    shop.client("sqs").create_queue(QueueName="shop-zappa-work")
    shop.client("sns").create_topic(Name="shop-zappa-news")
    log = "/aws/lambda/shop-zappa-prod"
    before = shop.left()
    with shop.step("deploy"):
        assert "Deployment complete!" in shop.run("zappa", "deploy", "prod")
    printed = shop.run("zappa", "status", "prod", "--json")
    status = json.loads(printed[printed.index("{") :])
    url = status["API Gateway URL"] + "/hello/you"
    assert shop.says("hello", url)["name"] == "you"
    with shop.step("triggers"):
        shop.use(*TRIGGERS)
        shop.heard("http", *TRIGGERS, "schedule", group=log)
    assert "'version': 1" in shop.run("zappa", "invoke", "prod", "shop.plain")
    assert "hello from sqs" in shop.run("zappa", "tail", "prod", "--disable-keep-open")

    source = shop.directory / "shop.py"
    source.write_text(source.read_text().replace("VERSION = 1", "VERSION = 2"))
    settings.write_text(settings.read_text().replace('"hello"', '"bye"'))
    with shop.step("update"):
        assert "deployment is live!" in shop.run("zappa", "update", "prod")
    assert shop.says("bye", url)["version"] == 2
    shop.run("zappa", "rollback", "prod", "--num-rollback", "1")
    assert shop.says("hello", url)["version"] == 1
    with shop.step("remove"):
        shop.run("zappa", "undeploy", "prod", "--yes", "--remove-logs")
    assert shop.left(*KEPT) == before
