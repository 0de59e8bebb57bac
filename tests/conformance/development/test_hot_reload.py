"""Code that is a directory: what is saved serves, and only where that was allowed."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, RUNTIME, Deployer

pytestmark = pytest.mark.root
_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def developer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    data_dir = tmp_path_factory.mktemp("development") / "data"
    environ = {"LAMBDAD_DEVELOPMENT_HOT_RELOAD": "true"}
    with DaemonProcess(data_dir, environ=environ) as daemon:
        yield Deployer(daemon.endpoint_url)
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)
    folder = tmp_path / "code"
    folder.mkdir()
    write(folder, "one")
    return folder


def write(folder: Path, word: str) -> None:
    (folder / "app.py").write_text(
        "import itertools\ncount = itertools.count(1)\n"
        f"def handler(event, context):\n    return [{word!r}, next(count)]\n"
    )


def deploy(user: Deployer, name: str, key: str) -> None:
    user.lambda_.create_function(
        FunctionName=name,
        Runtime=RUNTIME,
        Handler="app.handler",
        Role=ROLE,
        Code={"S3Bucket": "hot-reload", "S3Key": key},
    )
    user.lambda_.get_waiter("function_active_v2").wait(FunctionName=name)


def awaited(user: Deployer, name: str, word: str) -> Any:
    """Call until it is answered with this word."""
    deadline = time.monotonic() + _PATIENCE_S
    while (answer := user.invoke(name).payload)[0] != word:
        assert time.monotonic() < deadline, answer
    return answer


def test_what_is_saved_serves_without_a_deployment(developer: Deployer, folder: Path) -> None:
    deploy(developer, "saved", str(folder))
    assert developer.invoke("saved").payload == ["one", 1]
    assert developer.invoke("saved").payload == ["one", 2]
    write(folder, "two")
    assert awaited(developer, "saved", "two")[1] == 1
    (folder / "other.py").write_text("word = 'three'\n")
    (folder / "app.py").write_text(
        "import other\ndef handler(event, context):\n    return [other.word]\n"
    )
    awaited(developer, "saved", "three")
    (folder / "other.py").write_text("word = 'four'\n")
    awaited(developer, "saved", "four")


def test_a_directory_that_was_made_anew_serves(developer: Deployer, folder: Path) -> None:
    deploy(developer, "anew", str(folder))
    assert developer.invoke("anew").payload[0] == "one"
    shutil.rmtree(folder)
    folder.mkdir()
    write(folder, "two")
    awaited(developer, "anew", "two")


def test_the_directory_is_read_only_for_the_function(developer: Deployer, folder: Path) -> None:
    folder.chmod(0o777)
    (folder / "app.py").write_text("def handler(event, context):\n    open('/var/task/x', 'w')\n")
    deploy(developer, "read-only", str(folder))
    answer = developer.invoke("read-only")
    assert "Read-only file system" in answer.payload["errorMessage"]


def test_the_location_is_the_directory(developer: Deployer, folder: Path) -> None:
    deploy(developer, "location", str(folder))
    code = developer.lambda_.get_function(FunctionName="location")["Code"]
    assert code["Location"] == folder.as_uri()


@pytest.mark.parametrize("key", ["code", "/absent/directory", "/etc/passwd", "/srv/../etc"])
def test_what_is_no_directory_is_refused(developer: Deployer, key: str) -> None:
    with pytest.raises(ClientError, match="absolute path of a directory"):
        deploy(developer, "refused", key)


def test_no_caller_gets_at_a_directory_unless_it_was_allowed(user: Deployer) -> None:
    with pytest.raises(ClientError, match=r"development\.hot_reload"):
        deploy(user, "forbidden", "/etc")
    with pytest.raises(user.lambda_.exceptions.ResourceNotFoundException):
        user.lambda_.get_function(FunctionName="forbidden")


def test_what_is_not_allowed_any_more_is_not_shown_any_more(tmp_path: Path, folder: Path) -> None:
    environ = {"LAMBDAD_DEVELOPMENT_HOT_RELOAD": "true"}
    with DaemonProcess(tmp_path / "data", environ=environ) as daemon:
        deploy(Deployer(daemon.endpoint_url), "kept", str(folder))
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path / "data") as daemon:
        with pytest.raises(ClientError, match="ServiceException"):
            Deployer(daemon.endpoint_url).invoke("kept")
        assert daemon.stop() == 0
