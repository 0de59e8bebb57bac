"""Images on AWS's base images, and base images in the place of this host's languages."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.conformance.images.conftest import World

from lambdad.testing.base_image import ENVIRONMENT, PYTHON, base_layers
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.images import tree_layer

pytestmark = pytest.mark.slow
APP = """
import os, sys
def handler(event, context):
    if event == "fail":
        raise ValueError("no luck")
    print("said")
    return {
        "prefix": sys.prefix,
        "request": len(context.aws_request_id),
        "handler": os.environ["_HANDLER"],
        "task": os.environ["LAMBDA_TASK_ROOT"],
        "root": sorted(os.listdir("/")),
    }
"""
CONFIG: dict[str, Any] = {
    "Entrypoint": ["/lambda-entrypoint.sh"],
    "Env": [f"{name}={value}" for name, value in ENVIRONMENT.items()],
    "WorkingDir": "/var/task",
}


@pytest.fixture(scope="module")
def base(world: World) -> str:
    """The base image's tag."""
    world.layout.add(PYTHON, list(base_layers()), compression="", **CONFIG)
    return PYTHON


def test_a_function_on_a_base_image_works(world: World, base: str) -> None:
    app = tree_layer({"var/task/app.py": APP.encode()})
    world.layout.add(
        "on-base", [*base_layers(), app], compression="", **CONFIG, Cmd=["app.handler"]
    )
    name = world.create(world.uri("on-base"), MemorySize=256)
    answer = world.user.invoke(name, {})
    assert answer.error is None, answer.payload
    assert answer.payload["handler"] == "app.handler"
    assert answer.payload["task"] == "/var/task"
    assert answer.payload["prefix"] == "/var/lang"
    assert "home" not in answer.payload["root"]
    assert "said" in answer.log
    failed = world.user.invoke(name, "fail")
    assert failed.error == "Unhandled"
    assert failed.payload["errorMessage"] == "no luck"
    # The layers of the base are there once, whatever is on it.
    world.layout.add(
        "other", [*base_layers(), app, tree_layer({"y": b"y"})], compression="", **CONFIG, Cmd=["x"]
    )
    layers = world.base / "data" / "images" / "layers"
    before = set(layers.iterdir())
    world.create(world.uri("other"))
    assert len(set(layers.iterdir()) - before) == 1


def test_another_handler_by_image_config(world: World, base: str) -> None:
    other = tree_layer({"var/task/b.py": b"def f(event, context):\n    return 'b'\n"})
    world.layout.add("b", [*base_layers(), other], compression="", **CONFIG, Cmd=["app.handler"])
    uri = world.uri("b")
    name = world.create(uri, MemorySize=256, ImageConfig={"Command": ["b.f"]})
    assert world.user.invoke(name).payload == "b"


def test_a_pulled_base_image_serves_zip_packages(
    world: World, base: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    version = PYTHON.removeprefix("python")
    world.layout.add(version, list(base_layers()), compression="", **CONFIG)
    data_dir = tmp_path_factory.mktemp("pulled") / "data"
    config = Path(data_dir.parent / "lambdad.toml")
    config.write_text(f'[images]\nplain_http = ["{world.registry.place}"]\n')
    command = [sys.executable, "-m", "lambdad", "runtimes", "pull", PYTHON]
    command += ["--from", f"{world.registry.place}/lambda", "--config", str(config)]
    done = subprocess.run(
        [*command, "--data-dir", str(data_dir)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    with DaemonProcess(data_dir) as daemon:
        user = Deployer(daemon.endpoint_url)
        user.deploy("pulled", APP, Runtime=PYTHON)
        answer = user.invoke("pulled", {})
        assert answer.error is None, answer.payload
        assert answer.payload["prefix"] == "/var/lang"
        assert answer.payload["handler"] == "app.handler"
        assert "home" not in answer.payload["root"]
        listed = subprocess.run(
            [*command[:4], "--json", "--endpoint-url", daemon.endpoint_url],
            capture_output=True,
            text=True,
            check=True,
        )
        items = json.loads(listed.stdout)["runtimes"]
        [item] = [item for item in items if item["identifier"] == PYTHON]
        assert item["version"] == version
        assert item["source"].startswith("base image sha256:")
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr, daemon.stderr
