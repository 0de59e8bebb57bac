"""One daemon, one user's directory, one deploy tool; and how long each of its steps took."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
import pytest
from tests.e2e.tools.inventory import everything

from lambdad.testing.deploy import RUNTIME

ROOT = Path(__file__).parents[3]
TOOLS = ROOT / ".tools"
APPLICATIONS = Path(__file__).parent / "applications"
EVERY_TOOL = bool(os.environ.get("TEST_EVERY_TOOL"))

_STEPS: dict[str, list[tuple[str, float]]] = {}
_DEADLINE_S = 150.0
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def install(tool: str) -> Path:
    """Return where `scripts/install_tools` puts a tool, after it did.

    Skips the test where the registry does not give it in time.
    """
    with subprocess.Popen(
        [ROOT / "scripts" / "install_tools", tool],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            said, _ = process.communicate(timeout=900 if EVERY_TOOL else 60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, _ = process.communicate()
            said += "It took too long."
    if process.returncode != 0:
        message = f"{tool} could not be installed: {said.strip()[-300:]}"
        if EVERY_TOOL:
            pytest.fail(message)
        pytest.skip(f"{message}; `scripts/install_tools {tool}` tries again")
    return TOOLS / tool


def only_in_acceptance(tool: str) -> None:
    """Skip the test of a tool that takes long, unless all are asked for."""
    if not EVERY_TOOL:
        pytest.skip(f"{tool} takes minutes; `make acceptance` installs and tests every tool")


class Workshop:
    """A user who deploys the shop with one tool.

    Attributes:
        name: of the tool; the shop's things are called `shop-<name>-...`.
        function: the name of the shop's function.
        directory: the user's; the application's files are in it.
        environ: the user's variables: the endpoint, a region, any credentials.
    """

    def __init__(self, name: str, endpoint_url: str, directory: Path) -> None:
        self.name = name
        self.function = f"shop-{name}"
        self.endpoint_url = endpoint_url
        self.directory = directory
        self.environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(directory),
            "AWS_ENDPOINT_URL": endpoint_url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
            "AWS_PAGER": "",
            "CI": "1",
            "NO_COLOR": "1",
            "RUNTIME": RUNTIME,
        }
        # What the host needs to reach registries, where tools fetch something themselves.
        for variable, value in os.environ.items():
            if variable.startswith(("PIP_", "npm_", "NPM_", "SSL_", "NODE_", "REQUESTS_")):
                self.environ[variable] = value
        if (APPLICATIONS / name).is_dir():
            shutil.copytree(APPLICATIONS / name, directory, dirs_exist_ok=True)
        self._pace = threading.Event()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Take the time of a step for the table at the end."""
        begun = time.perf_counter()
        yield
        _STEPS.setdefault(self.name, []).append((name, time.perf_counter() - begun))

    def run(
        self,
        *command: object,
        status: int | None = 0,
        timeout_s: float = 600,
        stdin: bytes = b"",
        **environ: str,
    ) -> str:
        """Run a command; returns what it printed, on both streams, without colours."""
        done = subprocess.run(
            [str(word) for word in command],
            env={**self.environ, **environ},
            cwd=self.directory,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout_s,
            check=False,
        )
        printed = _COLOURS.sub("", done.stdout.decode(errors="replace"))
        assert status is None or done.returncode == status, printed[-6000:]
        return printed

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def get(self, url: str) -> tuple[int, str]:
        """GET an address below the daemon's, whose host names no resolver needs to know."""
        parts = urllib.parse.urlsplit(url)
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        # `netloc`, because front doors are told apart by their host.
        request = urllib.request.Request(  # noqa: S310 - http
            self.endpoint_url + path, headers={"Host": str(parts.netloc)}
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refusal:
            with refusal:
                return refusal.code, refusal.read().decode()

    def says(self, expected: str, url: str) -> dict[str, Any]:
        """Return the function's answer over HTTP, which must have this greeting."""
        status, body = self.get(url)
        assert status == 200, body
        answer: dict[str, Any] = json.loads(body)
        assert answer["greeting"] == expected, answer
        return answer

    def until(self, what: str, condition: Callable[[], Any]) -> Any:
        """Return what the condition gives once that is true; tools and daemon share a processor."""
        begun = time.perf_counter()
        while time.perf_counter() - begun < _DEADLINE_S:
            if found := condition():
                return found
            self._pace.wait(0.2)
        raise AssertionError(f"{what} did not happen in {_DEADLINE_S:.0f} s")

    def log(self, group: str = "") -> str:
        """Return a log group's lines."""
        logs = self.client("logs")
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group or f"/aws/lambda/{self.function}"
        )
        return "\n".join(str(event["message"]) for page in pages for event in page["events"])

    def use(self, *triggers: str) -> None:
        """Do what each trigger waits for."""
        for trigger in triggers:
            getattr(self, f"_use_{trigger}")()

    def heard(self, *triggers: str, group: str = "") -> None:
        """Wait until the function has said by whom it was called, in its log or another."""
        missing = [f"hello from {trigger}" for trigger in triggers]

        def all_said() -> bool:
            try:
                log = self.log(group)
            except self.client("logs").exceptions.ResourceNotFoundException:
                return False
            missing[:] = [line for line in missing if line not in log]
            return not missing

        try:
            self.until("calls", all_said)
        except AssertionError:
            raise AssertionError(f"never said: {missing}") from None

    def _use_s3(self) -> None:
        self.client("s3").put_object(Bucket=f"{self.function}-uploads", Key="in/a", Body=b"a")

    def _use_sqs(self) -> None:
        sqs = self.client("sqs")
        url = sqs.get_queue_url(QueueName=f"{self.function}-work")["QueueUrl"]
        sqs.send_message(QueueUrl=url, MessageBody="a")

    def _use_sns(self) -> None:
        sns = self.client("sns")
        arn = sns.create_topic(Name=f"{self.function}-news")["TopicArn"]
        sns.publish(TopicArn=arn, Message="a")

    def _use_dynamodb(self) -> None:
        self.client("dynamodb").put_item(
            TableName=f"{self.function}-orders", Item={"id": {"S": "a"}}
        )

    def _use_kinesis(self) -> None:
        self.client("kinesis").put_record(
            StreamName=f"{self.function}-clicks", Data=b"a", PartitionKey="a"
        )

    def _use_shop(self) -> None:
        entry = {"Source": "shop", "DetailType": "sold", "Detail": "{}"}
        assert self.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    def _use_logs(self) -> None:
        logs = self.client("logs")
        where = {"logGroupName": f"{self.function}-audit", "logStreamName": "a"}
        logs.create_log_stream(**where)
        event = {"timestamp": int(time.time() * 1000), "message": "a"}
        logs.put_log_events(**where, logEvents=[event])

    def left(self, *but: str) -> list[str]:
        """Return what is there of any service, but for what the tool leaves on AWS as well."""
        found = everything(self.client)
        return sorted(
            each for each in found if not any(re.fullmatch(pattern, each) for pattern in but)
        )


@pytest.fixture
def workshop(start: Callable[..., Any], tmp_path: Path) -> Callable[..., Workshop]:
    """Open a workshop for the tool of this name, and a daemon with these options."""

    def opened(name: str, *options: str, **environ: str) -> Workshop:
        directory = tmp_path / name
        directory.mkdir()
        return Workshop(name, start(*options, **environ).endpoint_url, directory)

    return opened


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if not _STEPS:
        return
    terminalreporter.section("seconds per step")
    for tool, steps in _STEPS.items():
        line = ", ".join(f"{name} {seconds:.1f}" for name, seconds in steps)
        terminalreporter.write_line(f"{tool}: {line}")
