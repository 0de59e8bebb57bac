"""A daemon that believes its users and not its functions."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.role_calls import RoleCaller

pytestmark = [pytest.mark.root, pytest.mark.slow]

INVENTED = {"AWS_ACCESS_KEY_ID": "111122223333", "AWS_SESSION_TOKEN": ""}


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RoleCaller]:
    directory = tmp_path_factory.mktemp("functions")
    config = directory / "lambdad.toml"
    config.write_text('[auth]\nmode = "functions"\n')
    with DaemonProcess(directory / "data", "--config", str(config)) as daemon:
        yield RoleCaller(Deployer(daemon.endpoint_url))


def test_a_function_cannot_invent_an_account(caller: RoleCaller) -> None:
    refused = caller.call("lambda", "list_functions", changes=INVENTED)
    assert refused["code"] == "UnrecognizedClientException"


def test_a_function_calls_with_its_own_credentials(caller: RoleCaller) -> None:
    answer = caller.call("lambda", "list_functions")
    assert [function["FunctionName"] for function in answer["Functions"]] == ["caller"]
