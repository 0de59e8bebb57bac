"""S11: GetFunction, ListFunctions and Invoke with many functions deployed, against few.

Both daemons run at once and are asked in turn, so that what else the machine does meets both. The
functions are written into the store before the start: deploying them is not what is measured.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from benchmarks.cold_python import HANDLER
from benchmarks.load import Run, drive, invoke_path, runtime
from benchmarks.series import Series
from lambdad.domain.aliases import Alias, to_resource
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.clock import SystemClock
from lambdad.domain.functions import Function
from lambdad.storage.base import InsertFunction, PutResource
from lambdad.storage.packages import FilePackageStore
from lambdad.storage.registry import engine
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import zip_of
from lambdad.testing.functions import a_function

FEW, MANY, VERSIONS = 10, 10_000, 5
_BATCH = 500
_ROUNDS = 10


def measure(quick: bool) -> Iterator[Series]:
    """Ask both daemons in rounds; the ratio is of the medians."""
    requests = 30 if quick else 300
    with tempfile.TemporaryDirectory() as few, tempfile.TemporaryDirectory() as many:
        directories = {FEW: Path(few), MANY: Path(many)}
        for count, directory in directories.items():
            asyncio.run(store_functions(directory, count))
        with DaemonProcess(directories[FEW]) as small, DaemonProcess(directories[MANY]) as large:
            urls = {FEW: small.endpoint_url, MANY: large.endpoint_url}
            for name, method, path in _questions():
                yield from _compare(name, urls, method, path, requests)


def _questions() -> Iterator[tuple[str, str, str]]:
    functions = "/2015-03-31/functions"
    yield "GetFunction", "GET", f"{functions}/f00007?Qualifier=live"
    yield "ListFunctions", "GET", f"{functions}/?MaxItems=5"
    yield "ListFunctions ALL", "GET", f"{functions}/?MaxItems=5&FunctionVersion=ALL"
    yield "Invoke", "POST", invoke_path("f00007")
    yield "Invoke by alias", "POST", f"{invoke_path('f00007')}?Qualifier=live"


def _compare(
    name: str, urls: dict[int, str], method: str, path: str, requests: int
) -> Iterator[Series]:
    values: dict[int, list[float]] = {count: [] for count in urls}
    for url in urls.values():
        _ask(url, method, path, 20)
    for _ in range(_ROUNDS):
        for count, url in urls.items():
            values[count] += _ask(url, method, path, requests).values
    series = {
        count: Series(
            row="S11", name=f"{name}, {count:,} functions x {VERSIONS}", unit="ms", values=found
        )
        for count, found in values.items()
    }
    yield from series.values()
    ratio = series[MANY].quantile(0.5) / series[FEW].quantile(0.5)
    yield Series(row="S11", name=f"{name}, many : few", unit="x", values=[ratio])


def _ask(url: str, method: str, path: str, requests: int) -> Run:
    body = b"" if method == "GET" else b"{}"
    return drive(url, path, connections=1, requests=requests, body=body, method=method)


async def store_functions(directory: Path, count: int) -> None:
    """Write functions with versions and an alias each into a data directory."""
    packages = FilePackageStore(directory / "code")
    code = await packages.add(zip_of({"app.py": HANDLER}), lambda _: None)
    store = engine("sqlite")(directory, SystemClock())
    await store.open()
    try:
        template = a_function(code=code, runtime=runtime(), handler="app.handler", timeout_s=30)
        for begin in range(0, count, _BATCH):
            await store.apply(
                *(
                    change
                    for number in range(begin, min(begin + _BATCH, count))
                    for change in _of_function(template, f"f{number:05}")
                )
            )
    finally:
        await store.close()


def _of_function(template: Function, name: str) -> Iterator[InsertFunction | PutResource]:
    key = FunctionKey(account_id="000000000000", region="us-east-1", name=name)
    logging = replace(template.logging, log_group=f"/aws/lambda/{name}")
    for version in (LATEST, *map(str, range(1, VERSIONS))):
        yield InsertFunction(function=replace(template, key=key, version=version, logging=logging))
    alias = Alias(
        function=key, name="live", version="1", weights={"2": 0.5}, revision_id=f"r-{name}"
    )
    yield PutResource(resource=to_resource(alias))
