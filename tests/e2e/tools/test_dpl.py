"""The calls that the `lambda` provider of Travis CI's dpl makes, in its order."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests.e2e.tools.conftest import APPLICATIONS, Workshop

from lambdad.testing.deploy import RUNTIME, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

NAME = "shop-dpl"
SOURCE = (APPLICATIONS / "handler.py").read_text()
# Sent with every deployment, most of it as its defaults are.
CONFIGURATION: dict[str, Any] = {
    "FunctionName": NAME,
    "Role": "arn:aws:iam::123456789012:role/made-up",
    "Handler": "index.handler",
    "Description": "Deploy build 1 to AWS Lambda via Travis CI",
    "Timeout": 3,
    "MemorySize": 128,
    "Runtime": RUNTIME,
    "VpcConfig": {},
    "TracingConfig": {"Mode": "PassThrough"},
}


def _deploy(shop: Workshop, source: str, greeting: str) -> str:
    """Return the version that was published, or nothing for a new function."""
    client = shop.client("lambda")
    package = zip_of({"index.py": source})
    configuration = CONFIGURATION | {"Environment": {"Variables": {"GREETING": greeting}}}
    try:
        client.get_function(FunctionName=NAME)
    except client.exceptions.ResourceNotFoundException:
        client.create_function(
            **configuration, Code={"ZipFile": package}, Publish=True, Tags={"app": "shop"}
        )
        return ""
    updated = client.update_function_configuration(**configuration)
    client.get_waiter("function_updated").wait(FunctionName=NAME)
    client.tag_resource(Resource=updated["FunctionArn"], Tags={"app": "shop"})
    client.get_waiter("function_updated").wait(FunctionName=NAME)
    published = client.update_function_code(FunctionName=NAME, ZipFile=package, Publish=True)
    return str(published["Version"])


def test_a_function_is_created_and_updated_by_what_a_build_sends(
    workshop: Callable[..., Workshop],
) -> None:
    shop = workshop("dpl")
    before = shop.left()
    with shop.step("deploy"):
        _deploy(shop, SOURCE, "hello")
    client = shop.client("lambda")
    assert json.load(client.invoke(FunctionName=NAME)["Payload"])["greeting"] == "hello"
    with shop.step("again"):
        assert _deploy(shop, SOURCE, "hello") == "1"
    with shop.step("update"):
        changed = SOURCE.replace('"version": 1', '"version": 2')
        assert _deploy(shop, changed, "bye") == "2"
    answer = json.load(client.invoke(FunctionName=NAME, Qualifier="2")["Payload"])
    assert (answer["greeting"], answer["version"]) == ("bye", 2)
    answer = json.load(client.invoke(FunctionName=NAME, Qualifier="1")["Payload"])
    assert (answer["greeting"], answer["version"]) == ("hello", 1)
    client.delete_function(FunctionName=NAME)
    assert shop.left("logs: /aws/lambda/shop-dpl") == before
