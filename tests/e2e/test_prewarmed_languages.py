"""Processes of every language that waited for their function are like those that did not."""

from __future__ import annotations

import json
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from lambdad.sandbox.firewall import instance_of
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Answer, Deployer
from lambdad.testing.languages import LANGUAGES, Language, NotHere, here, settings

pytestmark = [pytest.mark.root, pytest.mark.slow]

FIXTURES = Path(__file__).parents[1] / "fixtures" / "runtimes"
NAMES = ("Python", "Node.js", "Java", "Ruby", ".NET")


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    place = tmp_path_factory.mktemp("languages") / "data"
    with DaemonProcess(place, environ=settings()) as daemon:
        yield daemon


class Waiting:
    """The runtime processes of a daemon that wait, seen from the host."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self._daemon = daemon
        self._instance = instance_of(daemon.data_dir.absolute() / "sandbox" / "native")

    def count(self, runtime: str) -> int:
        url = f"{self._daemon.endpoint_url}/_lambdad/health"
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own daemon
            found: int = json.load(answer)["prewarmed"].get(runtime, 0)
        return found

    def await_one(self, runtime: str) -> set[int]:
        """Return the processes once there is one of a runtime."""
        deadline = time.monotonic() + 60
        while not self.count(runtime):
            assert time.monotonic() < deadline, f"no {runtime} is made ready"
            time.sleep(0.02)
        runtimes = {pid for pid in self._processes() if "/var/runtime" in said(pid, "cmdline")}
        return {pid for pid in runtimes if not has_code(pid)}

    def taken(self, waited: set[int]) -> list[int]:
        """Return which of those that waited have a function now."""
        return [pid for pid in waited & self._processes() if has_code(pid)]

    def _processes(self) -> set[int]:
        groups = Path("/sys/fs/cgroup").glob(f"*/lambdad/{self._instance}/*/cgroup.procs")
        return {int(pid) for group in groups for pid in group.read_text().split()}


def has_code(pid: int) -> bool:
    return " /var/task " in said(pid, "mountinfo")


def said(pid: int, name: str) -> str:
    """What the kernel says of a process; nothing of one that has ended: spares come and go."""
    try:
        return Path(f"/proc/{pid}/{name}").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def language_of(name: str) -> tuple[Language, str]:
    language = next(language for language in LANGUAGES if language.name == name)
    runtime = next((name for name in language.runtimes if name in here()), None)
    if runtime is None:
        pytest.skip(f"this host has no {name}: scripts/install_runtimes installs it")
    return language, runtime


def files_of(language: Language) -> dict[str, bytes]:
    try:
        return dict(language.package(FIXTURES))
    except NotHere as absent:
        pytest.skip(str(absent))


@pytest.mark.parametrize("name", NAMES)
def test_a_process_that_waited_is_its_functions(daemon: DaemonProcess, name: str) -> None:
    """Variables, directory, time left, errors, logs and /tmp: nothing tells that it waited."""
    language, runtime = language_of(name)
    user, waiting = Deployer(daemon.endpoint_url), Waiting(daemon)
    function = f"waited-{runtime.replace('.', '-')}"
    user.deploy(
        function,
        files_of(language),
        Runtime=runtime,
        Handler=language.handler,
        MemorySize=language.memory_mb,
        Timeout=60,
        Environment={"Variables": {"MINE": "é=1", "EMPTY": ""}},
    )
    waited = waiting.await_one(runtime)
    answer = user.invoke(function, {"do": "about"})
    assert answer.error is None, answer.payload
    assert waiting.taken(waited), "it was started for this function alone"
    check(answer, function, language, runtime)
    failed = user.invoke(function, {"do": "throw", "text": "bad é"})
    assert failed.payload["errorType"] == language.error_type
    assert failed.payload["errorMessage"] == "bad é"
    assert user.invoke(function, {"do": "log"}).log.count("one é") == 1
    assert user.invoke(function, {"do": "keep", "text": "for later"}).error is None
    assert user.invoke(function, {"do": "kept"}).payload == "for later"
    assert waiting.taken(waited), "it ended meanwhile"


def check(answer: Answer, function: str, language: Language, runtime: str) -> None:
    seen, env = answer.payload, answer.payload["env"]
    assert (seen["name"], str(seen["memory"])) == (function, str(language.memory_mb))
    assert seen["cwd"].rstrip("/") == "/var/task"
    assert 50_000 < seen["left"] <= 60_000
    assert env["MINE"] == "é=1"
    assert (env["_HANDLER"], env["TZ"]) == (language.handler, ":UTC")
    assert env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == str(language.memory_mb)
    assert env["AWS_EXECUTION_ENV"] == f"AWS_Lambda_{runtime}"
    assert env["AWS_LAMBDA_LOG_STREAM_NAME"] == seen["stream"]
    assert {"AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_LAMBDA_RUNTIME_API"} <= env.keys()
    assert not [name for name in env if name.startswith("_LAMBDAD")]


def test_a_heap_that_was_made_ahead_has_the_size_of_the_function(daemon: DaemonProcess) -> None:
    """One that waits for a small function is not given to a large one."""
    language, runtime = language_of("Java")
    user, waiting = Deployer(daemon.endpoint_url), Waiting(daemon)
    for memory in (256, 1024):
        user.deploy(
            f"heap-{memory}",
            files_of(language),
            Runtime=runtime,
            Handler=language.handler,
            MemorySize=memory,
            Timeout=60,
        )
    waiting.await_one(runtime)
    for memory in (1024, 256):
        heap = user.invoke(f"heap-{memory}", {"do": "about"}).payload["heap"] / 2**20
        assert 0.75 * memory < heap <= 0.85 * memory


def test_what_dotnet_reads_at_its_start_is_heeded(daemon: DaemonProcess) -> None:
    """Settings in the package, or a program of one's own: .NET is started anew, with them."""
    language, runtime = language_of(".NET")
    user, waiting = Deployer(daemon.endpoint_url), Waiting(daemon)
    files = files_of(language)
    config = json.loads(files["Example.runtimeconfig.json"])
    config["runtimeOptions"]["configProperties"] = {"System.GC.Concurrent": False}
    files["Example.runtimeconfig.json"] = json.dumps(config).encode()
    for name, handler in (("settings", language.handler), ("program", "Program")):
        user.deploy(name, files, Runtime=runtime, Handler=handler, MemorySize=language.memory_mb)
        waited = waiting.await_one(runtime)
        assert user.invoke(name, {"do": "about"}).error is None
        (pid,) = waiting.taken(waited)
        assert b"/var/task/" in Path(f"/proc/{pid}/cmdline").read_bytes()
