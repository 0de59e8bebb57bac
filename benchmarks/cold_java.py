"""S3: the first invocation of a Java function, beside what a bare JVM takes to say hello."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import invoke_path, visit
from benchmarks.prewarmed import await_ready
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.languages import LANGUAGES, NotHere, here, settings

_FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "runtimes"
_HELLO = 'class Hello { public static void main(String[] a) { System.out.println("hello"); } }'
_EVENT = b'{"do": "echo", "value": 1}'
_MEMORY_MB = 1_024


def measure(quick: bool) -> Iterator[Series]:
    """Yields nothing where there is no Java."""
    language = next(language for language in LANGUAGES if language.name.lower() == "java")
    java, javac, identifier = shutil.which("java"), shutil.which("javac"), installed()
    if java is None or javac is None or identifier is None:
        return
    try:
        files = language.package(_FIXTURES)
    except NotHere:
        return
    values = _bare(java, javac, 5 if quick else 30)
    yield Series(row="", name="bare JVM that says hello (floor)", unit="ms", values=values)
    with (
        tempfile.TemporaryDirectory() as directory,
        DaemonProcess(Path(directory), environ=settings()) as daemon,
    ):
        deployer = Deployer(daemon.endpoint_url)
        names = [f"cold-{number}" for number in range(10 if quick else 200)]
        for name in names:
            deployer.deploy(
                name,
                files,
                Runtime=identifier,
                Handler=language.handler,
                MemorySize=_MEMORY_MB,
                Timeout=60,
            )
        values = []
        for name in names:
            await_ready(daemon.endpoint_url, identifier)
            values += visit(daemon.endpoint_url, [invoke_path(name)], body=_EVENT).values
    yield Series(
        row="S3", name=f"cold, {identifier}, an environment waits", unit="ms", values=values
    )


def installed() -> str | None:
    """Return the runtime that the program `java` serves, if it serves one."""
    java = shutil.which("java")
    identifier = None if java is None else f"java{_major(java)}"
    return identifier if identifier and here().get(identifier) == "" else None


def _major(java: str) -> str:
    said = subprocess.run([java, "--version"], check=True, capture_output=True, text=True)
    return said.stdout.split()[1].partition(".")[0]


def _bare(java: str, javac: str, times: int) -> list[float]:
    with tempfile.TemporaryDirectory() as directory:
        (Path(directory) / "Hello.java").write_text(_HELLO)
        subprocess.run([javac, "Hello.java"], cwd=directory, check=True)
        values = []
        for _ in range(times):
            before = time.perf_counter()
            subprocess.run([java, "Hello"], cwd=directory, check=True, stdout=subprocess.DEVNULL)
            values.append((time.perf_counter() - before) * 1000)
    return values
