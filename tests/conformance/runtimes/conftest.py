"""Functions on real runtimes, and what the log says of them."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.deploy import Answer, Deployer, zip_of

UUID = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


class Lines:
    """The platform's lines of one invocation."""

    def __init__(self, answer: Answer, memory_mb: int = 256) -> None:
        self.memory_mb = memory_mb
        match = re.fullmatch(
            rf"(?s:(?P<before>.*))START RequestId: (?P<id>{UUID}) Version: \$LATEST\n"
            # AWS: what was written without a newline is followed by END on the same line.
            rf"(?s:(?P<output>.*))END RequestId: (?P=id)\n"
            rf"(?P<report>REPORT RequestId: (?P=id)\t.*)\n",
            answer.log,
        )
        assert match, answer.log[-600:]
        self.before, self.request_id, self.text, self.report = match.groups()
        self.output = self.text.removesuffix("\n").split("\n") if self.text else []

    def expect_report(self, tail: str = "", *, cold: bool | None = None) -> dict[str, float]:
        """Check the REPORT line, which ends in `tail`; returns its figures."""
        match = re.fullmatch(
            rf"REPORT RequestId: {self.request_id}\tDuration: (\d+\.\d\d) ms\t"
            rf"Billed Duration: (\d+) ms\tMemory Size: {self.memory_mb} MB\t"
            rf"Max Memory Used: (\d+) MB\t(?:Init Duration: (\d+\.\d\d) ms\t)?{re.escape(tail)}",
            self.report,
        )
        assert match, (tail, self.report)
        duration, billed, used, init = match.groups()
        if cold is not None:
            assert (init is not None) is cold, self.report
        total = float(duration) + float(init or 0)
        assert total <= int(billed) < total + 1.02
        assert 0 < int(used) <= self.memory_mb
        return {"duration": float(duration), "used": int(used), "init": float(init or 0)}


class Subject:
    """One package deployed once, to be called many times."""

    def __init__(self, user: Deployer, name: str, memory_mb: int) -> None:
        self.user = user
        self.name = name
        self.memory_mb = memory_mb

    def __call__(self, event: Any = None) -> tuple[Answer, Lines]:
        answer = self.user.invoke(self.name, event)
        return answer, Lines(answer, self.memory_mb)

    def events(self, request_id: str = "") -> list[str]:
        """All log events up to the REPORT line of a request, or of any."""
        messages: list[str] = []
        for _ in asking():  # the log is written in batches, behind the answer
            with contextlib.suppress(self.user.logs.exceptions.ResourceNotFoundException):
                messages = self._events()
            if messages and messages[-1].startswith(f"REPORT RequestId: {request_id}"):
                return messages
        raise AssertionError(messages)

    def _events(self) -> list[str]:
        pages = self.user.logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{self.name}"
        )
        return [event["message"] for page in pages for event in page["events"]]


@functools.cache
def runtimes_here() -> Mapping[str, bool]:
    """Runtimes by identifier, and whether this host has them, as the doctor says."""
    command = [sys.executable, "-m", "lambdad", "doctor", "--json"]
    done = subprocess.run(command, check=False, capture_output=True, timeout=60)
    findings = json.loads(done.stdout)["findings"]
    return {f["name"]: f["state"] == "ok" for f in findings if f["section"] == "runtimes"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `python` and `node` the interpreters of this host."""
    for fixture, family in (("python", "python3."), ("node", "nodejs")):
        if fixture in metafunc.fixturenames:
            here = [name for name, ok in runtimes_here().items() if ok and name.startswith(family)]
            reason = f"this host has no {family.rstrip('3.')}"
            absent = pytest.param("", marks=pytest.mark.skip(reason=reason))
            metafunc.parametrize(fixture, here or [absent])


@pytest.fixture(scope="session")
def runtimes() -> Mapping[str, bool]:
    """Runtimes by identifier, and whether this host has them."""
    return runtimes_here()


@pytest.fixture
def nodejs(runtimes: Mapping[str, bool]) -> str:
    """The newest Node.js of this host. Skips where there is none."""
    for major in (24, 22, 20, 18, 16):
        if runtimes.get(f"nodejs{major}.x"):
            return f"nodejs{major}.x"
    pytest.skip("Node.js is not on this host")


@pytest.fixture
def shelf(user: Deployer, a_name: Callable[[], str]) -> Callable[..., str]:
    """Publishes files as the first version of a new layer and returns its ARN."""

    def publish(files: Mapping[str, str | bytes], *, executable: tuple[str, ...] = ()) -> str:
        answer = user.lambda_.publish_layer_version(
            LayerName=a_name(), Content={"ZipFile": zip_of(files, executable=executable)}
        )
        arn: str = answer["LayerVersionArn"]
        return arn

    return publish


@pytest.fixture
def deployed(user: Deployer, a_name: Callable[[], str]) -> Callable[..., str]:
    """Deploys a function with layers and returns its name."""

    def deploy(files: str | Mapping[str, str | bytes], *layers: str, **members: Any) -> str:
        name = a_name()
        user.deploy(name, files, Layers=list(layers), **members)
        return name

    return deploy


class Workshop:
    """Deploys functions that live as long as the tests of one module."""

    def __init__(self, user: Deployer, runtimes: Mapping[str, bool]) -> None:
        self.user = user
        self._runtimes = runtimes
        self._made: dict[str, Subject] = {}

    def __call__(
        self,
        name: str,
        runtime: str,
        files: Mapping[str, str | bytes],
        *,
        memory_mb: int = 256,
        **configuration: Any,
    ) -> Subject:
        """A function; the same one for the same name. Skips where the host lacks the runtime."""
        if not self._runtimes.get(runtime):
            pytest.skip(f"{runtime} is not on this host")
        if name not in self._made:
            settings = {"Runtime": runtime, "MemorySize": memory_mb, **configuration}
            self.user.deploy(name, files, **settings)
            self._made[name] = Subject(self.user, name, memory_mb)
        return self._made[name]

    def close(self) -> None:
        for name in self._made:
            self.user.lambda_.delete_function(FunctionName=name)


@pytest.fixture(scope="session")
def workshop_of(runtimes: Mapping[str, bool]) -> Callable[[Deployer], Workshop]:
    """A workshop for a user of another daemon than the common one."""
    return lambda user: Workshop(user, runtimes)


@pytest.fixture(scope="module")
def workshop(user: Deployer, runtimes: Mapping[str, bool]) -> Iterator[Workshop]:
    """A workshop on the common daemon, empty again at the end."""
    workshop = Workshop(user, runtimes)
    yield workshop
    workshop.close()
