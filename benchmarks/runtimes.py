"""S3, S4: cold and warm invocations of a small function in every language of this host.

Each language's function of the conformance suite, with 1,024 MB. `languages` makes a table of them
for `docs/performance.md`, AWS's figures beside: `make performance ARGS="--only runtimes"`.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.load import drive, invoke_path, visit
from benchmarks.prewarmed import await_ready, is_made_ready
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.languages import LANGUAGES, Language, NotHere, here, settings

_FIXTURES = Path(__file__).parents[1] / "tests" / "fixtures" / "runtimes"
_EVENT = json.dumps({"do": "echo", "value": 1}).encode()
_MEMORY_MB = 1_024
# Of which a promise speaks; the others are there for comparison.
_TIMES = {"C": 200}
# Between cold starts of what is not made ahead.
_REST_S = 1.5


def measure(quick: bool) -> Iterator[Series]:
    """Yields nothing of languages that this host cannot build or run."""
    for language in LANGUAGES:
        runtime = _runtime(language)
        if runtime is None:
            continue
        try:
            files = language.package(_FIXTURES)
        except NotHere:
            continue
        # One each: what is kept ready for one language takes room from the next.
        with (
            tempfile.TemporaryDirectory() as directory,
            DaemonProcess(Path(directory), environ=settings()) as daemon,
        ):
            yield from _measured(daemon.endpoint_url, language, runtime, files, quick=quick)


def _runtime(language: Language) -> str | None:
    """The newest identifier that this host serves by the version it names, else by another."""
    found = here()
    exact = [name for name in language.runtimes if found.get(name) == ""]
    return next(iter(exact), next((name for name in language.runtimes if name in found), None))


def _measured(
    url: str, language: Language, runtime: str, files: object, *, quick: bool
) -> Iterator[Series]:
    deployer = Deployer(url)
    times = 3 if quick else _TIMES.get(language.name, 15)
    names = [f"{language.folder}-{number}" for number in range(times)]
    for name in names:
        deployer.deploy(
            name,
            files,  # type: ignore[arg-type]
            executable=language.executable,
            Runtime=runtime,
            Handler=language.handler,
            MemorySize=_MEMORY_MB,
            Timeout=60,
        )
    cold = []
    waits = is_made_ready(url, runtime)
    for name in names:
        if waits:
            await_ready(url, runtime)
        else:
            time.sleep(_REST_S)
        cold += visit(url, [invoke_path(name)], body=_EVENT).values
    yield Series(row="S3", name=f"cold, {language.name}, {runtime}", unit="ms", values=cold)
    path = invoke_path(names[0])
    drive(url, path, connections=1, requests=50, body=_EVENT)
    run = drive(url, path, connections=1, requests=100 if quick else 1_000, body=_EVENT)
    yield Series(row="", name=f"warm, {language.name}, {runtime}", unit="ms", values=run.values)
