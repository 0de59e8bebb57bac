"""A daemon that may use images of one directory and of one registry, and images made for it.

The images are made without Docker: of a C program that is linked statically, and of this host's
Python, laid out as AWS lays out its base images.
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import ROLE, Answer, Deployer
from lambdad.testing.images import Layout, Registry, tree_layer

HERE = Path(__file__).parent
_NUMBERS = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.root)


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Where images are.

    Attributes:
        layers: the one with the program, and one that shows the upper hides the lower.
    """

    daemon: DaemonProcess
    user: Deployer
    layout: Layout
    registry: Registry
    base: Path
    program: bytes

    def uri(self, tag: str) -> str:
        return f"oci:{self.layout.directory}:{tag}"

    def create(self, uri: str, **members: Any) -> str:
        """Create a function of an image; returns its name. Waits until it is active."""
        name = f"image-{next(_NUMBERS)}"
        self.user.lambda_.create_function(
            FunctionName=name,
            PackageType="Image",
            Code={"ImageUri": uri},
            Role=ROLE,
            Timeout=20,
            **members,
        )
        waiter = self.user.lambda_.get_waiter("function_active_v2")
        waiter.wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    def invoke(self, uri: str, event: Any = None, **members: Any) -> Answer:
        return self.user.invoke(self.create(uri, **members), event)


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    if os.geteuid() != 0:
        pytest.skip("needs root: an image's root is mounted")
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    base = tmp_path_factory.mktemp("images")
    program = base / "program"
    subprocess.run([compiler, "-static", "-Os", "-o", program, HERE / "program.c"], check=True)
    layout = Layout(base / "layout")
    with Registry(layout, token=True) as registry:
        environ = {
            "LAMBDAD_IMAGES_LOCAL": str(base),
            "LAMBDAD_IMAGES_PLAIN_HTTP": registry.place,
        }
        with DaemonProcess(base / "data", environ=environ) as daemon:
            yield World(
                daemon=daemon,
                user=Deployer(daemon.endpoint_url),
                layout=layout,
                registry=registry,
                base=base,
                program=program.read_bytes(),
            )
            assert daemon.stop() == 0
        assert "Traceback" not in daemon.stderr, daemon.stderr


@pytest.fixture
def plain(world: World) -> Callable[..., str]:
    """Adds an image of the program alone; returns its URI."""

    def add(*more: bytes, **config: Any) -> str:
        tag = f"t{next(_NUMBERS)}"
        program = tree_layer({"bin/program": world.program}, executable=("bin/program",))
        world.layout.add(tag, [program, *more], **{"Entrypoint": ["/bin/program"], **config})
        return world.uri(tag)

    return add
