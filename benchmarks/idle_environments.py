"""S8: a thousand idle environments: what they take, and whether the daemon still answers."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.burst import SLEEPER
from benchmarks.cold_python import HANDLER
from benchmarks.idle_memory import charges
from benchmarks.load import drive, invoke_path, runtime
from benchmarks.processor import used_us
from benchmarks.series import Series
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer

_GIB = 1024**3
_WAVE = 50


def measure(quick: bool) -> Iterator[Series]:
    """Fill up in steps; at each invoke another function, which has one environment of its own."""
    steps = (0, 10, 100) if quick else (0, 10, 100, 1_000)
    with tempfile.TemporaryDirectory() as directory, DaemonProcess(Path(directory)) as daemon:
        deployer = Deployer(daemon.endpoint_url)
        deployer.deploy("warm", HANDLER, Runtime=runtime())
        before = sum(charges().values())
        for step in steps:
            _fill(deployer, daemon.endpoint_url, step)
            yield from _at(daemon, step, 200 if quick else 2_000)
        total = sum(charges().values()) - before
        yield Series(
            row="S8", name=f"{steps[-1]:,} idle environments", unit="GiB", values=[total / _GIB]
        )


def _fill(deployer: Deployer, url: str, wanted: int) -> None:
    """Have so many idle environments, in functions of a wave each, all busy at the same time."""
    there = sum(1 for page in _names(deployer) for _ in page) * _WAVE
    for number in range(there, wanted, _WAVE):
        width = min(_WAVE, wanted - number)
        deployer.deploy(f"sleeper-{number}", SLEEPER, Runtime=runtime())
        drive(url, invoke_path(f"sleeper-{number}"), connections=width, requests=width)


def _names(deployer: Deployer) -> Iterator[list[str]]:
    for page in deployer.lambda_.get_paginator("list_functions").paginate():
        names = [function["FunctionName"] for function in page["Functions"]]
        yield [name for name in names if name.startswith("sleeper-")]


def _at(daemon: DaemonProcess, step: int, requests: int) -> Iterator[Series]:
    url, path = daemon.endpoint_url, invoke_path("warm")
    drive(url, path, connections=1, requests=20)
    before = used_us(daemon.pid)
    run = drive(url, path, connections=1, requests=requests)
    cost = (used_us(daemon.pid) - before) / requests
    curve = {"curve": "idle environments", "x": max(step, 1)}
    name = f"warm beside {step:,} idle environments"
    yield Series(row="S8", name=name, unit="ms", values=run.values)
    yield Series(row="", name=f"{name}, server's processor", unit="us", values=[cost], **curve)
