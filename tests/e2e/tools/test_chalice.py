"""Chalice: a function for each trigger, and a REST API that is imported as a document."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.e2e.tools.conftest import Workshop, install, only_in_acceptance

pytestmark = [pytest.mark.root, pytest.mark.slow, pytest.mark.timeout(900)]

TRIGGERS = {
    "s3": "on_upload",
    "sqs": "on_work",
    "sns": "on_news",
    "kinesis": "on_click",
    "dynamodb": "on_order",
    "shop": "on_sale",
    "schedule": "minutely",
}


def _make_sources(shop: Workshop) -> str:
    """Make what Chalice expects to be there; returns the ARN of the table's stream."""
    shop.client("s3").create_bucket(Bucket="shop-chalice-uploads")
    shop.client("sqs").create_queue(QueueName="shop-chalice-work")
    shop.client("sns").create_topic(Name="shop-chalice-news")
    shop.client("kinesis").create_stream(StreamName="shop-chalice-clicks", ShardCount=1)
    table = shop.client("dynamodb").create_table(
        TableName="shop-chalice-orders",
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_IMAGE"},
    )
    return str(table["TableDescription"]["LatestStreamArn"])


def test_an_application_is_deployed_called_changed_and_deleted(
    workshop: Callable[..., Workshop],
) -> None:
    only_in_acceptance("Chalice")
    chalice = install("chalice") / "bin" / "chalice"
    shop = workshop("chalice")
    shop.environ["ORDERS"] = _make_sources(shop)
    stage = ("--stage", "prod")
    before = shop.left()
    with shop.step("deploy"):
        shop.run(chalice, "deploy", *stage)
    url = shop.run(chalice, "url", *stage).strip() + "hello/you"
    functions = shop.client("lambda").list_functions()["Functions"]
    with shop.step("again"):
        shop.run(chalice, "deploy", *stage)
    assert {each["FunctionName"]: each["CodeSha256"] for each in functions} == {
        each["FunctionName"]: each["CodeSha256"]
        for each in shop.client("lambda").list_functions()["Functions"]
    }

    assert shop.says("hello", url)["name"] == "you"
    with shop.step("triggers"):
        shop.use(*(trigger for trigger in TRIGGERS if trigger != "schedule"))
        for trigger, function in TRIGGERS.items():
            shop.heard(trigger, group=f"/aws/lambda/shop-chalice-prod-{function}")
        shop.heard("http", group="/aws/lambda/shop-chalice-prod")
    assert shop.run(chalice, "invoke", "-n", "plain", *stage, stdin=b"{}").strip() == (
        '{"version": 1}'
    )
    assert "hello from sqs" in shop.run(chalice, "logs", "-n", "on_work", *stage)

    source = shop.directory / "app.py"
    source.write_text(source.read_text().replace("VERSION = 1", "VERSION = 2"))
    settings = shop.directory / ".chalice" / "config.json"
    document = json.loads(settings.read_text())
    document["stages"]["prod"]["environment_variables"]["GREETING"] = "bye"
    settings.write_text(json.dumps(document))
    with shop.step("update"):
        shop.run(chalice, "deploy", *stage)
    assert shop.says("bye", url)["version"] == 2
    with shop.step("remove"):
        shop.run(chalice, "delete", *stage)
    assert shop.left("logs: /aws/lambda/shop-chalice-prod.*") == before
