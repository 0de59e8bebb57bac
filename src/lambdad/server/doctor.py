"""What this host can do for functions, found out by building a real sandbox.

Decides what is worth telling and in which words a remedy is given; how it is shown is not
known here. Every finding that is not `ok` and can be mended has a remedy. A daemon that runs
on the same host is not disturbed: the sandbox is built in a directory of its own, and
everything is gone afterwards.
"""

from __future__ import annotations

import asyncio
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from lambdad.config.sections import Config, NeighboursConfig
from lambdad.config.service import variables
from lambdad.domain import snapstart
from lambdad.domain.clock import Clock, SystemClock
from lambdad.domain.errors import HostUnfit
from lambdad.neighbours.directory import NEIGHBOURS
from lambdad.neighbours.endpoints import AWS
from lambdad.runtimes import java_client
from lambdad.runtimes.base import RuntimeReport
from lambdad.runtimes.catalogue import Catalogue
from lambdad.sandbox.base import GuardState, SandboxBackend
from lambdad.sandbox.registry import choose
from lambdad.server import neighbours_wiring

State = Literal["ok", "degraded", "missing"]

_STATES: dict[GuardState, State] = {
    GuardState.ACTIVE: "ok",
    GuardState.DEGRADED: "degraded",
    GuardState.ABSENT: "missing",
}

# program, what it is for, package on Debian and Ubuntu
TOOLS = (
    ("nft", "keeps functions from this host's private services", "nftables"),
    ("mkfs.ext4", "makes the file system that is a function's /tmp", "e2fsprogs"),
    ("bwrap", "isolates functions when lambdad does not run as root", "bubblewrap"),
)

_SNAPSHOT_MACHINE = "x86_64"
_RESTORED = ("python", "java")

_WORDS = re.compile(r"(\D+)(\d*)")

# Administrators' programs are often not on the PATH of others.
SEARCH = (*os.get_exec_path(), "/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the diagnosis.

    Attributes:
        section: `sandbox`, `guards`, `runtimes`, `tools`, `features` or `services`.
        detail: how it is done here, or why it is not.
        remedy: what the operator can do; empty when nothing is to be done.
        stops: for a guard: what it keeps a hostile function from.
    """

    section: str
    name: str
    state: State
    detail: str
    remedy: str = ""
    stops: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis:
    """All findings.

    Attributes:
        backend: the one that would be used; None when none works.
        isolated: whether that backend isolates at all.
    """

    backend: str | None
    isolated: bool
    findings: Sequence[Finding]


def examine(config: Config) -> Diagnosis:
    """Run :func:`diagnose` to its end."""
    return asyncio.run(diagnose(config, SystemClock()))


async def diagnose(config: Config, clock: Clock) -> Diagnosis:
    """Build a sandbox as `serve` would, look for runtimes and tools, and take it all down."""
    with tempfile.TemporaryDirectory(
        prefix=".lambdad-doctor-", dir=_writable(config.server.data_dir)
    ) as scratch:
        place = Path(scratch)
        try:
            backend, notes = await choose(config.sandbox, place / "sandbox", clock)
        except HostUnfit as unfit:
            sandbox = [_unfit(config.sandbox.backend, unfit)]
            name, isolated, zygotes = None, False, False
        else:
            name, isolated, zygotes = backend.name, _isolates(backend), backend.zygotes
            sandbox = _backend(backend, notes)
            await backend.close()
        runtimes = _runtimes(config, place / "runtimes")
        return Diagnosis(
            backend=name,
            isolated=isolated,
            findings=(
                *sandbox,
                *runtimes,
                *_tools(),
                _snapstart(runtimes, zygotes=zygotes),
                *await examine_services(config.neighbours),
            ),
        )


def _isolates(backend: SandboxBackend) -> bool:
    return any(guard.state is not GuardState.ABSENT for guard in backend.guards())


def _unfit(name: str, unfit: HostUnfit) -> Finding:
    return Finding(
        section="sandbox", name=name, state="missing", detail=unfit.cause, remedy=unfit.remedy
    )


def _backend(backend: SandboxBackend, notes: Sequence[str]) -> list[Finding]:
    state: State = "ok" if _isolates(backend) else "degraded"
    chosen = Finding(section="sandbox", name=backend.name, state=state, detail="in use")
    return [
        chosen,
        *(Finding(section="sandbox", name="note", state="degraded", detail=note) for note in notes),
        *(
            Finding(
                section="guards",
                name=guard.name,
                state=_STATES[guard.state],
                detail=guard.detail,
                remedy=guard.remedy,
                stops=guard.stops,
            )
            for guard in backend.guards()
        ),
    ]


def _runtimes(config: Config, place: Path) -> list[Finding]:
    # What was installed into the data directory is read there, and nothing written.
    client = java_client.default_place(config.server.data_dir / "runtimes")
    settings = replace(config.runtimes, java_client=config.runtimes.java_client or client)
    catalogue = Catalogue(settings, place, variables=variables())
    return [
        Finding(
            section="runtimes",
            name=report.identifier,
            state=_runtime_state(report),
            detail=_runtime_detail(report),
            remedy=report.remedy,
        )
        for report in sorted(catalogue.report(), key=_by_version)
    ]


def _snapstart(runtimes: Sequence[Finding], *, zygotes: bool) -> Finding:
    """Say which published versions are restored from snapshots; all others have none, and say so.

    `zygotes`: whether the sandbox backend forks runtimes.
    """
    names = [each.name for each in runtimes if each.state != "missing"]
    served = [name for name in names if name.startswith(_RESTORED) and snapstart.supports(name)]
    missing, remedy = "", ""
    if not zygotes:
        missing, remedy = "the sandbox backend forks no runtimes", "Run lambdad as root."
    elif platform.machine() != _SNAPSHOT_MACHINE:
        missing = f"snapshots are made on {_SNAPSHOT_MACHINE} alone"
    elif not served:
        missing = "there is neither a Python nor a Java that AWS has it for"
        remedy = "Install Python 3.12 or Java 11, or later."
    detail = (
        f"{missing}: versions that ask for it are initialised on demand"
        if missing
        else f"versions of {', '.join(served)}; those of .NET are initialised on demand"
    )
    return Finding(
        section="features",
        name="SnapStart",
        state="missing" if missing else "ok",
        detail=detail,
        remedy=remedy,
    )


def _runtime_state(report: RuntimeReport) -> State:
    if report.version is None:
        return "missing"
    return "degraded" if report.stands_in else "ok"


def _runtime_detail(report: RuntimeReport) -> str:
    words = " stands in for it: `runtimes.fallback` is on" if report.stands_in else ""
    return f"{report.version or ''} {report.source}{words}".strip()


def _by_version(report: RuntimeReport) -> list[tuple[str, int]]:
    """Order `python3.9` before `python3.10`."""
    return [(text, int(number or 0)) for text, number in _WORDS.findall(report.identifier)]


def _tools() -> list[Finding]:
    findings = []
    for program, purpose, package in TOOLS:
        path = shutil.which(program, path=os.pathsep.join(SEARCH))
        findings.append(
            Finding(
                section="tools",
                name=program,
                state="ok" if path else "missing",
                detail=f"{path or 'not found'}: {purpose}",
                remedy="" if path else f"Install it: apt-get install {package}.",
            )
        )
    return findings


def _writable(data_dir: Path) -> Path | None:
    """Where `serve` would work: the same file system, if we may write there, decides alike."""
    for directory in (data_dir.absolute(), *data_dir.absolute().parents):
        if directory.is_dir():
            return directory if os.access(directory, os.W_OK) else None
    return None


async def examine_services(config: NeighboursConfig) -> list[Finding]:
    """Say of each neighbouring service what serves it and whether that answers."""
    found = [
        await _service(config, name, neighbours_wiring.choice(config, name)) for name in NEIGHBOURS
    ]
    return [*found, _others(config)]


async def _service(config: NeighboursConfig, name: str, kind: str) -> Finding:
    if kind == neighbours_wiring.BUILTIN:
        if neighbours_wiring.is_builtin(name):
            return Finding(section="services", name=name, state="ok", detail="builtin")
        return replace(_others(config), name=name)
    try:
        answers = await neighbours_wiring.remote(name, kind).answers()
    except HostUnfit as unfit:
        return Finding(
            section="services", name=name, state="missing", detail=unfit.cause, remedy=unfit.remedy
        )
    if answers:
        return Finding(section="services", name=name, state="ok", detail=kind)
    remedy = (
        "Give lambdad's process AWS credentials."
        if kind == AWS
        else f"Start what serves {name} there, or set neighbours.{name} to something else."
    )
    detail = f"{kind} does not answer"
    return Finding(section="services", name=name, state="missing", detail=detail, remedy=remedy)


def _others(config: NeighboursConfig) -> Finding:
    name, section = "others", "services"
    if neighbours_wiring.borrows(config):
        return Finding(section=section, name=name, state="ok", detail="moto")
    if config.others == neighbours_wiring.MOTO:
        return Finding(
            section=section,
            name=name,
            state="missing",
            detail="the package moto is not installed",
            remedy="pip install 'lambdad[neighbours]', unless nothing needs them.",
        )
    return Finding(section=section, name=name, state="missing", detail="served by nothing")
