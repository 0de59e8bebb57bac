"""Code that is published is compiled once, behind the answer, and nobody sees more of it."""

from __future__ import annotations

import base64
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of
from lambdad.testing.leaks import holdings

pytestmark = [pytest.mark.root, pytest.mark.slow]

# Enough source to be worth it.
LONG = "def fail():\n    raise KeyError('deep')\n" + "def f(x):\n    return [x, x + 1]\n" * 400
TELL = """
import os, sys
compiled = []
sys.addaudithook(
    lambda event, details: compiled.append(str(details[1])) if event == "compile" else None
)
import long
try:
    import shared
except ImportError:
    pass
hook = list(compiled)
def handler(event, context):
    if event == "fail":
        long.fail()
    return {
        "compiled": [path for path in hook if path.startswith(("/var/task", "/opt"))],
        "cached": long.__cached__, "prefix": sys.pycache_prefix,
        "files": sorted(os.listdir("/var/task")),
        "variables": [name for name in os.environ if "LAMBDAD" in name],
    }
"""
CODE = {"app.py": TELL, "long.py": LONG}


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it does not come to that"
        time.sleep(0.05)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[DaemonProcess]:
    with DaemonProcess(tmp_path / "data") as daemon:
        yield daemon


def packs(daemon: DaemonProcess) -> list[Path]:
    """Those that are being written too; directories may go meanwhile."""
    walk = os.walk(daemon.data_dir)
    names = (Path(parent, name) for parent, _, names in walk for name in names)
    return [path for path in names if path.suffix == ".made"]


def made(daemon: DaemonProcess) -> list[Path]:
    return [path for path in packs(daemon) if not path.parent.name.startswith(".")]


def test_what_was_compiled_is_used_and_not_seen(daemon: DaemonProcess) -> None:
    user = Deployer(daemon.endpoint_url)
    layer = user.lambda_.publish_layer_version(
        LayerName="bytes-layer", Content={"ZipFile": zip_of({"python/shared.py": LONG})}
    )["LayerVersionArn"]
    user.deploy("first", CODE, Layers=[layer])
    wait_for(lambda: len(made(daemon)) == 2)
    user.deploy("second", CODE, Layers=[layer])
    seen = user.invoke("second").payload
    assert seen["compiled"] == []
    assert seen["cached"].startswith("/var/task/__pycache__/long.cpython-")
    assert seen["prefix"] is None
    assert seen["files"] == ["app.py", "long.py"]
    assert seen["variables"] == []
    failed = user.invoke("second", "fail").payload
    assert failed["errorType"] == "KeyError"
    assert 'File "/var/task/long.py", line 2, in fail' in "".join(failed["stackTrace"])
    # An interpreter of its own gets it as well.
    user.deploy("third", CODE, Environment={"Variables": {"PYTHONHASHSEED": "7"}})
    assert user.invoke("third").payload["compiled"] == []


def test_it_goes_with_the_package_and_a_kill_leaves_nothing(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with DaemonProcess(data_dir) as daemon:
        user = Deployer(daemon.endpoint_url)
        user.deploy("first", CODE)
        wait_for(lambda: made(daemon))
        large = {**CODE, **{f"m{number}.py": LONG * 10 for number in range(40)}}
        user.deploy("large", large)
        wait_for(lambda: len(packs(daemon)) > len(made(daemon)))
        daemon.kill()
    with DaemonProcess(data_dir) as daemon:
        user = Deployer(daemon.endpoint_url)
        wait_for(lambda: packs(daemon) == made(daemon))
        assert user.invoke("large").payload["files"]
        wait_for(lambda: len(made(daemon)) == 2)
        for name in ("first", "large"):
            user.lambda_.delete_function(FunctionName=name)
    with DaemonProcess(data_dir) as daemon:
        wait_for(lambda: not made(daemon))
    assert holdings(data_dir) == holdings(data_dir / "nothing")


# What makes compilers of one or another version crash, or take memory or time without end.
BOMBS = {
    "deep": "x = " + "(" * 50_000 + ")" * 50_000,
    "unary": "x = " + "-" * 1_000_000 + "1",
    "sum": "x = " + "a+" * 900_000 + "a",
    "nested": "".join(" " * depth + "if x:\n" for depth in range(99)) + " " * 99 + "pass",
    "constants": "x = {" + ",".join(f"({n},{n}.5)" for n in range(150_000)) + "}",
    "power": "x = [" + ",".join("10**4000" for _ in range(60_000)) + "]",
}


def test_source_that_makes_compilers_explode_harms_nobody(daemon: DaemonProcess) -> None:
    user = Deployer(daemon.endpoint_url)
    for name, bomb in BOMBS.items():
        user.deploy(f"bomb-{name}", {**CODE, "a.py": bomb})
    user.deploy("bystander", {**CODE, "app.py": TELL + "\n"})
    assert user.invoke("bystander").payload["files"] == ["app.py", "long.py"]
    digest = user.lambda_.get_function(FunctionName="bystander")["Configuration"]["CodeSha256"]
    wait_for(lambda: made_of(daemon, digest))
    for name in BOMBS:
        assert user.invoke(f"bomb-{name}").payload["files"] == ["a.py", "app.py", "long.py"]


def made_of(daemon: DaemonProcess, code_sha256: str) -> list[Path]:
    digest = base64.b64decode(code_sha256).hex()
    return [path for path in made(daemon) if path.parent.name == digest]


def test_nothing_is_compiled_where_nothing_is_done_ahead(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "data", environ={"LAMBDAD_PREWARM_MOST": "0"}) as daemon:
        user = Deployer(daemon.endpoint_url)
        user.deploy("first", CODE)
        assert user.invoke("first").payload["compiled"] == ["/var/task/long.py"]
        assert made(daemon) == []
