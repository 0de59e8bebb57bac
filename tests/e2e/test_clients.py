"""The README's commands, with every client that people have."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from lambdad import __version__
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import RUNTIME, Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

CLI_1 = Path(sys.executable).with_name("aws")
CLI_2 = Path("/usr/bin/aws")
LAMBDAD = Path(sys.executable).with_name("lambdad")
SOURCE = """
def handler(event, context):
    print("said", event["n"])
    return {"n": event["n"] + 1}
"""


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    package = tmp_path / "hello.zip"
    package.write_bytes(zip_of({"app.py": SOURCE}))
    return package


class Shell:
    """A user's shell, with the variables of the README exported."""

    def __init__(self, endpoint_url: str, directory: Path) -> None:
        self.directory = directory
        self.environ: Mapping[str, str] = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_PAGER": "",
        }

    def run(self, *command: object, status: int = 0, stdin: bytes = b"") -> str:
        done = subprocess.run(
            [str(word) for word in command],
            env=self.environ,
            cwd=self.directory,
            input=stdin,
            capture_output=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == status, done.stderr.decode() + done.stdout.decode()
        self.stderr = done.stderr.decode()
        return done.stdout.decode()


@pytest.fixture
def shell(start: Callable[..., DaemonProcess], tmp_path: Path) -> Shell:
    return Shell(start().endpoint_url, tmp_path)


CREATE = (
    *("--function-name", "hello", "--runtime", RUNTIME, "--handler", "app.handler"),
    *("--role", "arn:aws:iam::000000000000:role/r", "--zip-file", "fileb://hello.zip"),
)


@pytest.mark.skipif(not CLI_1.exists(), reason="the AWS CLI 1 is not in the environment")
def test_the_aws_cli_1_deploys_and_invokes(shell: Shell, hello: Path) -> None:
    """It has no `logs tail` and no --cli-binary-format."""
    created = json.loads(shell.run(CLI_1, "lambda", "create-function", *CREATE))
    assert created["State"] == "Pending"
    shell.run(CLI_1, "lambda", "wait", "function-active-v2", "--function-name", "hello")
    invoke = ("lambda", "invoke", "--function-name", "hello", "--log-type", "Tail")
    answer = shell.run(CLI_1, *invoke, "--payload", '{"n":1}', "out.json")
    assert json.loads(answer)["StatusCode"] == 200
    assert json.loads((shell.directory / "out.json").read_text()) == {"n": 2}
    assert "said 1" in shell.run(LAMBDAD, "logs", "hello")


@pytest.mark.skipif(not CLI_2.exists(), reason="Debian's awscli is not installed")
def test_the_aws_cli_2_deploys_invokes_and_tails(shell: Shell, hello: Path) -> None:
    """Debian's 2.9 does not know AWS_ENDPOINT_URL."""
    aws = (CLI_2, "--endpoint-url", shell.environ["AWS_ENDPOINT_URL"])
    shell.run(*aws, "lambda", "create-function", *CREATE)
    shell.run(*aws, "lambda", "wait", "function-active-v2", "--function-name", "hello")
    invoke = (*aws, "lambda", "invoke", "--function-name", "hello", "--log-type", "Tail")
    binary = ("--cli-binary-format", "raw-in-base64-out")
    shell.run(*invoke, *binary, "--payload", '{"n":1}', "out.json")
    assert json.loads((shell.directory / "out.json").read_text()) == {"n": 2}
    follow = subprocess.Popen(
        [*map(str, aws), "logs", "tail", "/aws/lambda/hello", "--follow"],
        env={**shell.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert follow.stdout is not None
    seen = ""
    while "said 1" not in seen or "REPORT" not in seen:
        line = follow.stdout.readline()
        assert line, seen
        seen += line
    follow.kill()
    follow.wait()
    follow.stdout.close()


def test_the_lambdad_command_invokes_and_shows_logs(shell: Shell, hello: Path) -> None:
    user = Deployer(shell.environ["AWS_ENDPOINT_URL"])
    user.deploy("hello", SOURCE)
    assert json.loads(shell.run(LAMBDAD, "invoke", "hello", "--payload", '{"n":1}')) == {"n": 2}
    assert json.loads(shell.run(LAMBDAD, "invoke", "hello", stdin=b'{"n":5}')) == {"n": 6}
    shell.run(LAMBDAD, "invoke", "hello", "--payload", "{}", status=1)
    shell.run(LAMBDAD, "invoke", "missing", status=2)
    assert "Function not found" in shell.stderr
    log = shell.run(LAMBDAD, "logs", "hello")
    assert log.index("said 1") < log.index("said 5")
    assert json.loads(shell.run(LAMBDAD, "version", "--json"))["lambdad"] == __version__


def test_doctor_says_what_protects(shell: Shell) -> None:
    report = json.loads(shell.run(LAMBDAD, "doctor", "--json"))
    guards = {f["name"]: f["state"] for f in report["findings"] if f["section"] == "guards"}
    assert report["backend"] == "native"
    assert {"seccomp", "memory limit", "no capabilities"} <= set(guards)
    assert guards["seccomp"] == "ok"


def test_boto3_in_a_function_reaches_the_daemon_as_the_same_account(
    start: Callable[..., DaemonProcess],
) -> None:
    source = (
        "import boto3, os\n"
        "def handler(event, context):\n"
        "    account = boto3.client('sts').get_caller_identity()['Account']\n"
        "    names = [f['FunctionName'] for f in\n"
        "             boto3.client('lambda').list_functions()['Functions']]\n"
        "    return [account, names, os.environ['AWS_ENDPOINT_URL']]\n"
    )
    daemon = start()
    other = Deployer(daemon.endpoint_url, account_id="123456789012", region="eu-central-1")
    other.deploy("sdk", source, Timeout=60, MemorySize=1024)
    Deployer(daemon.endpoint_url).deploy("elsewhere", SOURCE)
    answer = other.invoke("sdk")
    assert answer.error is None, answer
    account, names, url = answer.payload
    assert (account, names) == ("123456789012", ["sdk"])
    assert url.startswith("http://127.0.0.1:")


def test_the_code_location_downloads_what_was_uploaded(
    start: Callable[..., DaemonProcess], hello: Path
) -> None:
    user = Deployer(start().endpoint_url)
    user.deploy("hello", SOURCE)
    location = user.lambda_.get_function(FunctionName="hello")["Code"]["Location"]
    with urllib.request.urlopen(location) as answer:  # noqa: S310
        assert answer.read() == hello.read_bytes()
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(location[:-1] + "x")  # noqa: S310
    assert refused.value.code == 403
    refused.value.close()
