"""AWS's own runtime interface clients, unmodified, against our Runtime API.

They run as custom runtimes: `bootstrap` starts the host's interpreter with the client from the
package. What has to be fetched or built for them is kept in `~/.cache/lambdad-test`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Answer, Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

CACHE = Path.home() / ".cache" / "lambdad-test"
NODE_CLIENT = "3.3.0"
SIX_MB = 6 * 1024 * 1024
UTF_8 = "é\u2028😀 \x00 ключ"

PYTHON_BOOTSTRAP = (
    "#!/bin/sh\n"
    "export PYTHONPATH=/var/task/client PYTHONDONTWRITEBYTECODE=1\n"
    'exec {python} -m awslambdaric "$_HANDLER"\n'
)
PYTHON_APP = """
import sys
if {fails}:
    raise RuntimeError("no luck é")
def handler(event, context):
    if event == "raise":
        raise ValueError("bad é")
    if event == "object":
        return object()
    if event == "exit":
        sys.exit(3)
    if event == "log":
        print("printed é")
        import logging
        logging.getLogger().warning("logged")
    if event == "context":
        return [context.aws_request_id, context.function_name, context.memory_limit_in_mb,
                context.get_remaining_time_in_millis() > 1000, context.invoked_function_arn]
    if type(event) is int:
        return "x" * (event - 2)
    return event
"""

NODE_BOOTSTRAP = (
    '#!/bin/sh\nexec {node} /var/task/node_modules/aws-lambda-ric/bin/index.mjs "$_HANDLER"\n'
)
NODE_APP = """
if ({fails}) throw new RangeError('no luck é');
exports.handler = async (event, context) => {
  if (event === 'raise') throw new RangeError('bad é');
  if (event === 'object') return 1n;
  if (event === 'exit') process.exit(3);
  if (event === 'log') { console.log('printed é'); console.warn('logged'); }
  if (event === 'context') {
    return [context.awsRequestId, context.functionName, context.memoryLimitInMB,
            context.getRemainingTimeInMillis() > 1000, context.invokedFunctionArn];
  }
  if (Number.isInteger(event)) return 'x'.repeat(event - 2);
  return event;
};
"""


class Client:
    """One language's client and an application for it.

    Attributes:
        files: the client, by place in the package.
        bootstrap: starts it.
        app: source with a place that says whether it fails at init.
    """

    def __init__(
        self, name: str, files: Mapping[str, bytes], bootstrap: str, app: tuple[str, str]
    ) -> None:
        self.name = name
        self.files = files
        self.bootstrap = bootstrap
        self.app_name, self.app = app

    def package(self, *, fails: bool) -> Mapping[str, str | bytes]:
        word = (
            ("True" if fails else "False") if self.app_name.endswith("py") else str(fails).lower()
        )
        source = self.app.replace("{fails}", word)
        return {**self.files, "bootstrap": self.bootstrap, self.app_name: source}


def tree(root: Path, prefix: str, *names: str) -> dict[str, bytes]:
    """Files below a directory, by their place in a package."""
    found = {}
    for name in names:
        start = root / name
        for path in [start] if start.is_file() else sorted(start.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found[f"{prefix}/{path.relative_to(root)}"] = path.read_bytes()
    return found


@pytest.fixture(scope="module")
def python_client() -> Client:
    """The wheel that is a test dependency, for the interpreter that functions have."""
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    if python is None:
        pytest.skip("no python3 in /usr/bin: apt-get install python3")
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True)
    minor = done.stdout.strip()
    wanted = version("awslambdaric")
    place = CACHE / f"awslambdaric-{wanted}-python{minor}"
    if not place.is_dir():
        fetch_python_client(f"awslambdaric=={wanted}", minor, place)
    files = tree(place, "client", *(path.name for path in place.iterdir()))
    return Client(
        "awslambdaric", files, PYTHON_BOOTSTRAP.format(python=python), ("app.py", PYTHON_APP)
    )


def fetch_python_client(requirement: str, minor: str, place: Path) -> None:
    options = ["--target", str(stage(place)), "--python-version", minor, "--only-binary=:all:"]
    uv = shutil.which("uv")
    pip = [uv, "pip"] if uv else [sys.executable, "-m", "pip"]
    command = [*pip, "install", "--quiet", *options, requirement]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120)
    if done.returncode:
        pytest.skip(f"{requirement} for Python {minor} cannot be had: {done.stderr.strip()[-300:]}")
    stage(place).rename(place)


def stage(place: Path) -> Path:
    CACHE.mkdir(parents=True, exist_ok=True)
    return place.with_name(f"{place.name}.{os.getpid()}")


@pytest.fixture(scope="module")
def node_client() -> Client:
    """The package of npm, which compiles a part of itself: minutes, once."""
    node = shutil.which("node", path="/usr/bin:/usr/local/bin")
    if node is None:
        pytest.skip("no node in /usr/bin: apt-get install nodejs")
    done = subprocess.run([node, "--version"], check=True, capture_output=True, text=True)
    place = CACHE / f"aws-lambda-ric-{NODE_CLIENT}-node{done.stdout.strip()}"
    if not place.is_dir():
        build_node_client(place)
    client = place / "node_modules" / "aws-lambda-ric"
    files = tree(client, "node_modules/aws-lambda-ric", "package.json", "bin", "dist")
    return Client("aws-lambda-ric", files, NODE_BOOTSTRAP.format(node=node), ("app.js", NODE_APP))


def build_node_client(place: Path) -> None:
    tools = ("npm", "cmake", "make", "g++", "autoreconf", "libtoolize", "python3")
    absent = [tool for tool in tools if shutil.which(tool) is None]
    if absent:
        pytest.skip(f"aws-lambda-ric cannot be built without {', '.join(absent)}")
    environ = dict(os.environ)
    if Path("/usr/include/node/node.h").exists():
        environ["npm_config_nodedir"] = "/usr"
    stage(place).mkdir()
    options = ["--no-audit", "--no-fund", "--prefix", str(stage(place))]
    done = subprocess.run(
        ["npm", "install", *options, f"aws-lambda-ric@{NODE_CLIENT}"],
        check=False,
        capture_output=True,
        text=True,
        timeout=280,
        env=environ,
        cwd=stage(place),
    )
    if done.returncode:
        shutil.rmtree(stage(place))
        pytest.skip(f"aws-lambda-ric cannot be built here: {done.stderr.strip()[-300:]}")
    stage(place).rename(place)


@pytest.fixture(scope="module", params=["python", "node"])
def client(request: pytest.FixtureRequest) -> Client:
    client: Client = request.getfixturevalue(f"{request.param}_client")
    return client


@pytest.fixture(scope="module")
def user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployer]:
    with DaemonProcess(tmp_path_factory.mktemp("clients") / "data") as daemon:
        yield Deployer(daemon.endpoint_url)


@pytest.fixture(scope="module")
def function(user: Deployer, client: Client) -> str:
    deploy(user, client, client.name, fails=False)
    return client.name


def deploy(user: Deployer, client: Client, name: str, *, fails: bool) -> None:
    user.deploy(
        name,
        client.package(fails=fails),
        executable=("bootstrap",),
        Runtime="provided.al2023",
        MemorySize=512,
    )


def exit_error(answer: Answer, status: int) -> bool:
    """Whether the answer is the platform's, for a process that ended so."""
    message = f"Error: Runtime exited with error: exit status {status}"
    return bool(
        answer.payload["errorType"] == "Runtime.ExitError"
        and answer.payload["errorMessage"].endswith(message)
    )


@pytest.mark.parametrize(
    "value", [None, True, -1.5, UTF_8, [], {"ключ": [1, {"a": UTF_8}]}, "x" * 300_000]
)
def test_every_kind_of_json_goes_in_and_out(user: Deployer, function: str, value: Any) -> None:
    answer = user.invoke(function, value)
    assert (answer.error, answer.payload) == (None, value)


def test_six_megabytes_go_in_and_out(user: Deployer, function: str) -> None:
    text = "x" * (SIX_MB - 2)
    assert user.invoke(function, text).payload == text
    assert user.invoke(function, SIX_MB).payload == text


def test_more_than_six_megabytes_is_an_error_of_the_function(user: Deployer, function: str) -> None:
    answer = user.invoke(function, SIX_MB + 101)
    assert answer.error == "Unhandled"
    assert answer.payload == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": (
            "Response payload size exceeded maximum allowed payload size (6291556 bytes)."
        ),
    }
    assert user.invoke(function, "after").payload == "after"


def test_the_context_is_what_the_platform_says(user: Deployer, function: str) -> None:
    request_id, name, memory, has_time, arn = user.invoke(function, "context").payload
    assert len(request_id) == 36
    assert (name, str(memory), has_time) == (function, "512", True)
    assert arn == f"arn:aws:lambda:us-east-1:000000000000:function:{function}"


def test_an_exception_is_described_and_the_next_call_works(user: Deployer, function: str) -> None:
    answer = user.invoke(function, "raise")
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] in ("ValueError", "RangeError")
    assert answer.payload["errorMessage"] == "bad é"
    assert user.invoke(function, 10).payload == "x" * 8


def test_what_json_cannot_hold_is_an_error(user: Deployer, function: str) -> None:
    answer = user.invoke(function, "object")
    assert answer.error == "Unhandled"
    assert "response" in answer.payload["errorMessage"]


def test_what_it_logs_is_in_the_log(user: Deployer, function: str) -> None:
    log = user.invoke(function, "log").log
    assert "printed é" in log
    assert "logged" in log
    assert "REPORT RequestId" in log


def test_an_exit_is_described_and_the_next_call_works(user: Deployer, function: str) -> None:
    assert exit_error(user.invoke(function, "exit"), 3)
    assert user.invoke(function, "again").payload == "again"


def test_what_fails_at_init_is_described(user: Deployer, client: Client) -> None:
    name = f"{client.name}-init"
    deploy(user, client, name, fails=True)
    answer = user.invoke(name)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] in ("RuntimeError", "RangeError")
    assert answer.payload["errorMessage"] == "no luck é"
