"""Start lambdad on a free port, deploy examples/hello with boto3, invoke it, stop.

Exits with 0 when the function answered cold and warm.
"""

from __future__ import annotations

import base64
import io
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from pathlib import Path
from typing import Any, NoReturn

import boto3
import botocore.config
import botocore.exceptions

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples" / "hello"
ROLE = "arn:aws:iam::000000000000:role/demo"
READY_TIMEOUT_S = 60
STOP_TIMEOUT_S = 30
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def paint(code: str, text: str) -> str:
    """Colour text on a terminal."""
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def step(text: str) -> None:
    """Say what happens next."""
    print(f"\n{paint('1;36', '==>')} {paint('1', text)}", flush=True)


def fail(text: str) -> NoReturn:
    """End the demo."""
    raise SystemExit(paint("1;31", "The demo failed: ") + text)


def free_port() -> int:
    """Return a TCP port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(port: int, directory: Path) -> subprocess.Popen[bytes]:
    """Start the daemon; what it says is kept, to be shown where it belongs."""
    command = [sys.executable, "-m", "lambdad", "serve", "--port", str(port)]
    print(paint("2", f"$ lambdad serve --port {port}"), flush=True)
    with (directory / "log").open("wb") as log:
        return subprocess.Popen([*command, "--data-dir", str(directory / "data")], stderr=log)


def said(directory: Path) -> str:
    """Return what the daemon has said."""
    return (directory / "log").read_text(encoding="utf-8", errors="replace")


def wait_until_ready(daemon: subprocess.Popen[bytes], url: str, directory: Path) -> None:
    """Return when the daemon answers."""
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if daemon.poll() is not None:
            fail(f"lambdad ended with status {daemon.returncode}:\n{said(directory)}")
        try:
            with urllib.request.urlopen(f"{url}/_lambdad/health", timeout=5):
                # Up to the first empty line: the exports that follow are for a daemon that stays.
                print(said(directory).partition("\n\n")[0])
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    fail(f"lambdad was not ready after {READY_TIMEOUT_S} s:\n{said(directory)}")


def package() -> bytes:
    """Return examples/hello as a zip file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(EXAMPLE.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                archive.write(path, path.relative_to(EXAMPLE))
    return buffer.getvalue()


def runtimes() -> list[str]:
    """Return Python runtimes, the likeliest first: whoever runs this has one of them."""
    own = f"python3.{sys.version_info.minor}"
    return [own, *(each for each in (f"python3.{n}" for n in range(14, 7, -1)) if each != own)]


def deploy(client: Any) -> str:
    """Create the function with the first runtime that this host has."""
    refusal = ""
    for runtime in runtimes():
        try:
            client.create_function(
                FunctionName="hello",
                Runtime=runtime,
                Handler="app.handler",
                Role=ROLE,
                Code={"ZipFile": package()},
            )
        except client.exceptions.InvalidParameterValueException as error:
            refusal = error.response["Error"]["Message"]
            if runtime not in refusal:
                fail(refusal)
            continue
        client.get_waiter("function_active_v2").wait(
            FunctionName="hello", WaiterConfig={"Delay": 0.05, "MaxAttempts": 400}
        )
        print(paint("2", f"client.create_function(FunctionName='hello', Runtime='{runtime}', ...)"))
        return runtime
    fail(f"no Python runtime was accepted. {refusal}")


def invoke(client: Any, event: dict[str, object]) -> None:
    """Invoke and show answer, time and REPORT line."""
    before = time.perf_counter()
    response = client.invoke(FunctionName="hello", Payload=json.dumps(event), LogType="Tail")
    took_ms = (time.perf_counter() - before) * 1000
    answer = response["Payload"].read().decode()
    log = base64.b64decode(response["LogResult"]).decode()
    print(f"{paint('32', answer)}  {paint('2', f'({took_ms:.1f} ms for boto3)')}")
    for line in log.splitlines():
        if line.startswith("REPORT"):
            print(paint("33", line.replace("\t", "  ")))
    if "FunctionError" in response:
        fail(f"the function raised an error:\n{log}")


def stop(daemon: subprocess.Popen[bytes]) -> None:
    """Ask the daemon to drain and end."""
    if daemon.poll() is None:
        daemon.send_signal(signal.SIGTERM)
    try:
        status = daemon.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        daemon.kill()
        daemon.wait()
        fail(f"lambdad did not stop within {STOP_TIMEOUT_S} s.")
    if status != 0:
        fail(f"lambdad ended with status {status}.")


NEXT = """\
  .venv/bin/lambdad doctor     which guards protect on this host
  .venv/bin/lambdad serve      keep a daemon running; then, in another shell:

  export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_DEFAULT_REGION=us-east-1
  export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test
  (cd examples/hello && python3 -m zipfile -c /tmp/hello.zip .)
  aws lambda create-function --function-name hello --runtime {runtime} \\
      --handler app.handler --role {role} --zip-file fileb:///tmp/hello.zip
  .venv/bin/lambdad invoke hello --payload '{{"name": "you"}}' --log tail
  .venv/bin/lambdad logs hello --follow"""


def show_what_next(runtime: str) -> None:
    """Name the next steps."""
    step("It works. What to try next")
    print(NEXT.format(runtime=runtime, role=ROLE))


def main() -> None:
    """Run the demo."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with tempfile.TemporaryDirectory(prefix="lambdad-demo-") as scratch:
        directory = Path(scratch)
        step("Start the daemon")
        daemon = start(port, directory)
        try:
            wait_until_ready(daemon, url, directory)
            client = boto3.client(
                "lambda",
                endpoint_url=url,
                region_name="us-east-1",
                aws_access_key_id="test",
                aws_secret_access_key="test",
                config=botocore.config.Config(retries={"total_max_attempts": 1}),
            )
            step("Deploy examples/hello with boto3")
            runtime = deploy(client)
            step("Invoke it cold: a new sandbox is made")
            invoke(client, {"name": "cold"})
            step("Invoke it warm: the same sandbox is thawed")
            invoke(client, {"name": "warm"})
        except botocore.exceptions.BotoCoreError as error:
            fail(str(error))
        except botocore.exceptions.ClientError as error:
            fail(str(error))
        finally:
            step("Stop the daemon")
            stop(daemon)
            print(said(directory).splitlines()[-1])
    show_what_next(runtime)


if __name__ == "__main__":
    main()
