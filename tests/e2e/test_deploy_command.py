"""`lambdad deploy` and `lambdad remove`: the example application, and a SAM template."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from lambdad.testing.daemon import DaemonProcess

pytestmark = [pytest.mark.root, pytest.mark.slow]

EXAMPLES = Path(__file__).parents[2] / "examples"
_PATIENCE_S = 60.0


class Machine:
    """A daemon without anything in it, and the command line beside it."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.daemon = daemon

    def run(self, *arguments: str, status: int = 0) -> str:
        keep = {key: value for key, value in os.environ.items() if not key.startswith("AWS_")}
        done = subprocess.run(
            [sys.executable, "-m", "lambdad", *arguments],
            env={**keep, "AWS_ENDPOINT_URL": self.daemon.endpoint_url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.daemon.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="any",
        )

    def leftovers(self) -> dict[str, list[str]]:
        """What there is in any service that the example uses."""
        found = {
            "lambda": self.client("lambda").list_functions()["Functions"],
            "mappings": self.client("lambda").list_event_source_mappings()["EventSourceMappings"],
            "s3": self.client("s3").list_buckets()["Buckets"],
            "sqs": self.client("sqs").list_queues().get("QueueUrls", []),
            "dynamodb": self.client("dynamodb").list_tables()["TableNames"],
            "events": self.client("events").list_rules()["Rules"],
            "apis": self.client("apigatewayv2").get_apis()["Items"],
            "roles": self.client("iam").list_roles()["Roles"],
            "stacks": self.client("cloudformation").describe_stacks()["Stacks"],
        }
        return {name: items for name, items in found.items() if items}


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    if os.geteuid() != 0:
        pytest.skip("needs root: sandboxes are made of namespaces and cgroups")
    with DaemonProcess(tmp_path_factory.mktemp("deploy") / "data") as daemon:
        yield Machine(daemon)


def until(seen: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + _PATIENCE_S
    while not (found := seen()):
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.05)
    return found


def call(url: str, body: dict[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"content-type": "application/json"}
    request = urllib.request.Request(url, data, headers)  # noqa: S310 - the daemon's
    with urllib.request.urlopen(request) as answer:  # noqa: S310 - as above
        return json.loads(answer.read())


def address(output: str) -> str:
    return next(line.split()[1] for line in output.splitlines() if "HttpApiId" in line)


def test_the_example_application_lives_its_whole_life(machine: Machine, tmp_path: Path) -> None:
    project = tmp_path / "application"
    shutil.copytree(EXAMPLES / "application", project)
    before = machine.leftovers()
    output = machine.run("deploy", str(project))
    assert "CREATE_COMPLETE" in output
    url = address(output)

    order = call(f"{url}orders", {"item": "tea"})["id"]
    until(lambda: call(f"{url}orders/{order}")["state"] == "packed")
    assert "1" in machine.run("invoke", "shop-dev-report")
    group = "/aws/lambda/shop-dev-noted"
    noted = machine.client("logs")
    until(lambda: "new report" in str(noted.filter_log_events(logGroupName=group)["events"]))

    assert "No changes" in machine.run("deploy", str(project))
    code = project / "src/orders.py"
    code.write_text(code.read_text().replace('"accepted"', '"new"'))
    settings = project / "serverless.yml"
    settings.write_text(settings.read_text().replace("memorySize: 256", "memorySize: 512"))
    assert "UPDATE_COMPLETE" in machine.run("deploy", str(project))
    changed = machine.client("lambda").get_function_configuration(FunctionName="shop-dev-show")
    assert changed["MemorySize"] == 512

    assert "is not empty" in machine.run("remove", str(project), status=2)
    for item in machine.client("s3").list_objects_v2(Bucket="shop-dev-reports")["Contents"]:
        machine.client("s3").delete_object(Bucket="shop-dev-reports", Key=item["Key"])
    machine.run("remove", str(project))
    assert machine.leftovers() == before
    assert "There is no such stack" in machine.run("remove", str(project))


def test_a_sam_template_takes_parameters(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    (tmp_path / "code/app.py").write_text(
        "import os\ndef handler(event, context):\n    return os.environ['WORD']\n"
    )
    (tmp_path / "template.yaml").write_text(
        """
Transform: AWS::Serverless-2016-10-31
Parameters: {Word: {Type: String}}
Globals: {Function: {Runtime: python3.11, CodeUri: code}}
Resources:
  Hello:
    Type: AWS::Serverless::Function
    Properties:
      FunctionName: by-template
      Handler: app.handler
      Environment: {Variables: {WORD: !Ref Word}}
Outputs: {Name: {Value: !Ref Hello}}
"""
    )
    arguments = ("--stack-name", "templated", "--param", "Word=hello")
    assert "Name: by-template" in machine.run("deploy", str(tmp_path), *arguments)
    assert "hello" in machine.run("invoke", "by-template")
    assert "No changes" in machine.run("deploy", str(tmp_path), *arguments)
    machine.run("remove", str(tmp_path), "--stack-name", "templated")
    assert "lambda" not in machine.leftovers()


def test_a_failure_names_its_reason(machine: Machine, tmp_path: Path) -> None:
    assert "nothing to deploy" in machine.run("deploy", str(tmp_path), status=2)
    file = tmp_path / "serverless.yml"
    file.write_text("service: s\nprovider: {name: aws, runtime: cobol, stage: '${opt:x}'}\n")
    assert "${opt:x} has no value" in machine.run("deploy", str(tmp_path), status=2)
    (tmp_path / "a.py").write_text("")
    file.write_text(
        "service: s\nprovider: {name: aws, runtime: cobol}\nfunctions: {f: {handler: a.b}}\n"
    )
    output = machine.run("deploy", str(tmp_path), status=2)
    assert "FLambdaFunction: " in output
    assert "cobol" in output
    machine.run("remove", str(tmp_path))
