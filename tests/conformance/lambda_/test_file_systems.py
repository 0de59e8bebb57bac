"""File systems of functions: directories of the host that several environments share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

ErrorOf = Callable[..., tuple[int, str, str]]
ARN = "arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-0123456789abcdef0"
OTHER = ARN[:-1] + "1"
OWNER, GROUP = 4321, 8765
PROGRAM = """
import os
def handler(event, context):
    path = "/mnt/data/" + event["name"]
    if "text" in event:
        with open(path, "a") as file:
            file.write(event["text"])
    with open(path) as file:
        return [file.read(), os.stat(path).st_uid == os.getuid(), os.listdir("/mnt")]
"""


@pytest.fixture
def shared(tmp_path: Path) -> Path:
    directory = tmp_path / "shared"
    directory.mkdir(mode=0o700)
    (directory / "old").write_text("old")
    for path in (directory, directory / "old"):
        os.chown(path, OWNER, GROUP)
    return directory


@pytest.fixture
def user(tmp_path: Path, shared: Path) -> Iterator[Deployer]:
    config = tmp_path / "lambdad.toml"
    config.write_text(f'[filesystems]\n"{ARN}" = "{shared}"\n"{OTHER}" = "{tmp_path}/absent"\n')
    with DaemonProcess(tmp_path / "data", "--config", str(config)) as daemon:
        yield Deployer(daemon.endpoint_url)


def mounted(arn: str = ARN) -> dict[str, Any]:
    return {"FileSystemConfigs": [{"Arn": arn, "LocalMountPath": "/mnt/data"}]}


def called(user: Deployer, function: str, **event: str) -> Any:
    answer = user.invoke(function, event)
    assert answer.error is None, answer.payload
    return answer.payload


def test_functions_share_files_as_the_owner_of_the_directory(user: Deployer, shared: Path) -> None:
    for name in ("one", "two"):
        user.deploy(name, PROGRAM, **mounted())
    assert called(user, "one", name="old") == ["old", True, ["data"]]
    assert called(user, "one", name="new", text="1")[0] == "1"
    assert called(user, "two", name="new", text="2") == ["12", True, ["data"]]
    assert called(user, "one", name="old", text="!")[0] == "old!"
    written = (shared / "new").stat()
    assert ((shared / "new").read_text(), written.st_uid, written.st_gid) == ("12", OWNER, GROUP)
    got = user.lambda_.get_function_configuration(FunctionName="one")
    assert got["FileSystemConfigs"] == mounted()["FileSystemConfigs"]


@pytest.mark.parametrize("arn", [OTHER, ARN[:-1] + "2"])
def test_one_without_a_directory_says_which_setting_is_missing(
    user: Deployer, error_of: ErrorOf, arn: str
) -> None:
    user.deploy("one", PROGRAM, **mounted(arn))
    status, code, text = error_of(
        user.lambda_.invoke, FunctionName="one", Payload=json.dumps({"name": "x"})
    )
    assert (status, code) == (403, "EFSMountFailureException")
    assert f'[filesystems] "{arn}" = ' in text
    user.lambda_.update_function_configuration(FunctionName="one", FileSystemConfigs=[])
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName="one")
    assert user.invoke("one", {"name": "x"}).error == "Unhandled"
