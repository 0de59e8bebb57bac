"""The languages of the conformance suite: a small handler each, and how it becomes a package.

What a build makes is kept in `~/.cache/lambdad-test/fixtures` under a name that says what it was
made of, so that it is made once per host. A language that cannot be built here says why.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CACHE = Path.home() / ".cache" / "lambdad-test"
DOTNET = CACHE / "dotnetcore2" / "dotnetcore2" / "bin"
_BUILD_S = 600.0


class NotHere(Exception):
    """This host cannot build or run a language; the text says what is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Language:
    """One way of writing a function.

    Attributes:
        name: for people and for test ids.
        folder: of the handler, below `tests/fixtures/runtimes`.
        handler: what the function is configured with; `stream` answers with a stream.
        error_type: of the error that the handler's `throw` gives.
        runtimes: identifiers to try.
        stream: the handler that streams; None where AWS has no streaming.
        lacks: promises that the handler cannot show, each with the reason.
        build: makes a directory with the package out of the folder.
        executable: the programs in it.
        background: `errorType` of a failure outside the handler's own flow.
        memory_mb: enough for this language.
        init_error: `errorType` of a failure before the first event, where it is reported.
        timeout_s: of the function that sleeps: longer than its init.
        records: the level of what it logs, where that becomes JSON when the function asks for it.
        managed: whether AWS brings the language, so that AWS_EXECUTION_ENV is set.
    """

    name: str
    folder: str
    runtimes: Sequence[str]
    handler: str
    error_type: str
    build: Callable[[Path, Path], None]
    background: str = "Runtime.ExitError"
    stream: str | None = None
    executable: tuple[str, ...] = ()
    lacks: Mapping[str, str]
    memory_mb: int = 256
    init_error: str | None = None
    timeout_s: int = 2
    records: str | None = None
    managed: bool = True

    def package(self, fixtures: Path) -> Mapping[str, bytes]:
        """Return the files of the package, built if need be.

        Raises:
            NotHere: a tool is missing, or the build failed.
        """
        source = fixtures / self.folder
        place = CACHE / "fixtures" / f"{self.folder}-{_digest(source)}"
        if not place.is_dir():
            new = place.with_name(f"{place.name}.{os.getpid()}")
            new.mkdir(parents=True)
            try:
                self.build(source, new)
                new.rename(place)
            except subprocess.CalledProcessError as error:
                raise NotHere(f"{error.cmd[0]} failed: {error.stderr[-2000:]}") from error
            finally:
                shutil.rmtree(new, ignore_errors=True)
        files = sorted(path for path in place.rglob("*") if path.is_file())
        return {str(path.relative_to(place)): path.read_bytes() for path in files}


@functools.cache
def here() -> Mapping[str, str]:
    """Identifiers that this host serves, as the doctor says with :func:`settings`.

    With the version that stands in for it, where one does; empty where it is the right one.
    """
    command = [sys.executable, "-m", "lambdad", "doctor", "--json"]
    environ = {**os.environ, **settings()}  # noqa: TID251 - passed on whole
    done = subprocess.run(  # noqa: S603 - our own program
        command, check=False, capture_output=True, timeout=60, env=environ
    )
    findings = json.loads(done.stdout)["findings"]
    runtimes = [f for f in findings if f["section"] == "runtimes" and f["state"] != "missing"]
    return {
        found["name"]: found["detail"].split()[0] if found["state"] == "degraded" else ""
        for found in runtimes
    }


def settings() -> Mapping[str, str]:
    """Variables that tell a daemon where the installed languages of the tests are."""
    return {
        "LAMBDAD_RUNTIMES_FALLBACK": "true",
        "LAMBDAD_RUNTIMES_SEARCH": str(DOTNET),
        "LAMBDAD_RUNTIMES_JAVA_CLIENT": str(CACHE / "java-client"),
    }


def _digest(source: Path) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(source.rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(source)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:16]


def tool(name: str, *more: str) -> str:
    """Return the first of these programs that is there; raises `NotHere`."""
    for candidate in (name, *more):
        if (found := shutil.which(candidate)) is not None:
            return found
    raise NotHere(f"{name} is not installed (scripts/install_runtimes installs it)")


def _run(*command: str, cwd: Path, **environ: str) -> None:
    subprocess.run(  # noqa: S603 - tools of this host
        command,
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
        timeout=_BUILD_S,
        env={**os.environ, **environ},  # noqa: TID251 - tools find their own caches by it
    )


def _as_it_is(source: Path, place: Path) -> None:
    for path in source.iterdir():
        if path.suffix != ".pyc" and path.is_file():
            shutil.copy(path, place / path.name)


def _build_c(source: Path, place: Path) -> None:
    program = str(place / "bootstrap")
    _run(tool("gcc", "cc"), "-O1", "-o", program, "bootstrap.c", cwd=source)


def _build_go(source: Path, place: Path) -> None:
    _go(source, place / "bootstrap")


def _build_go1x(source: Path, place: Path) -> None:
    # The same program: how it is started decides how it is asked.
    _go(source.with_name("go"), place / "app", version="v1.13.3")


def _go(source: Path, program: Path, version: str | None = None) -> None:
    work = program.with_name("work")
    shutil.copytree(source, work)
    try:
        go = tool("go", "/usr/local/go/bin/go")
        if version is not None:
            library = f"github.com/aws/aws-lambda-go@{version}"
            _run(go, "mod", "edit", f"-require={library}", cwd=work)
        _run(go, "mod", "tidy", cwd=work)
        _run(go, "build", "-o", str(program), ".", cwd=work, CGO_ENABLED="0")
    finally:
        shutil.rmtree(work)


def _build_rust(source: Path, place: Path) -> None:
    work = CACHE / "rust-target"
    crate = place / "work"
    (crate / "src").mkdir(parents=True)
    shutil.copy(source / "Cargo.toml", crate)
    shutil.copy(source / "main.rs", crate / "src")
    _run(tool("cargo"), "build", "--quiet", cwd=crate, CARGO_TARGET_DIR=str(work))
    shutil.copy(work / "debug" / "bootstrap", place / "bootstrap")
    shutil.rmtree(crate)


def _build_java(source: Path, place: Path) -> None:
    core = CACHE / "java-client" / "aws-lambda-java-core-1.4.0.jar"
    if not core.is_file():
        raise NotHere("AWS's client for Java is absent (scripts/install_runtimes fetches it)")
    options = ("-source", "8", "-target", "8", "-Xlint:-options", "-encoding", "UTF-8")
    _run(tool("javac"), *options, "-cp", str(core), "-d", str(place), "Handler.java", cwd=source)


def _build_dotnet(source: Path, place: Path) -> None:
    frameworks = sorted(DOTNET.glob("shared/Microsoft.NETCore.App/*"))
    if not frameworks:
        raise NotHere(".NET is absent (scripts/install_runtimes fetches it)")
    framework = frameworks[-1]
    found = (*framework.glob("System.*.dll"), framework / "Microsoft.Win32.Primitives.dll")
    options = [f"-r:{path}" for path in found if ".Native." not in path.name]
    options += ["-nologo", "-noconfig", "-nostdlib", "-langversion:7"]
    compiler = tool("mcs")
    core, example = place / "Amazon.Lambda.Core.dll", place / "Example.dll"
    for out, kind, file, *more in (
        (core, "library", "Core.cs"),
        (example, "library", "Example.cs", f"-r:{core}"),
        (place / "Program.dll", "exe", "Program.cs"),
    ):
        _run(compiler, *options, *more, f"-target:{kind}", f"-out:{out}", file, cwd=source)
    version = framework.name.rpartition(".")[0] + ".0"
    config = {"framework": {"name": "Microsoft.NETCore.App", "version": version}}
    for name in ("Example", "Program"):
        text = json.dumps({"runtimeOptions": config})
        (place / f"{name}.runtimeconfig.json").write_text(text)


_NO_JSON = "the handler has no JSON library"
_BLOCKING = {"streaming": "AWS has no streaming for it"}

LANGUAGES = (
    Language(
        name="Python",
        folder="python",
        runtimes=[f"python3.{minor}" for minor in range(14, 5, -1)] + ["python2.7"],
        handler="app.handler",
        error_type="Unlucky",
        init_error="RuntimeError",
        build=_as_it_is,
        lacks=_BLOCKING,
    ),
    Language(
        name="Node.js",
        folder="nodejs",
        runtimes=[f"nodejs{major}.x" for major in (24, 22, 20, 18, 16, 14, 12)],
        handler="app.handler",
        stream="app.stream",
        error_type="Unlucky",
        init_error="RangeError",
        background="Runtime.UnhandledPromiseRejection",
        records="INFO",
        build=_as_it_is,
        lacks={},
    ),
    Language(
        name="Java",
        folder="java",
        runtimes=("java25", "java21", "java17", "java11", "java8.al2"),
        handler="example.Handler",
        error_type="example.Handler$Unlucky",
        init_error="example.Handler$Unlucky",
        timeout_s=5,
        records="INFO",
        build=_build_java,
        memory_mb=512,
        lacks=_BLOCKING,
    ),
    Language(
        name="Ruby",
        folder="ruby",
        runtimes=("ruby4.0", "ruby3.4", "ruby3.3", "ruby3.2", "ruby2.7", "ruby2.5"),
        handler="app.handler",
        error_type="Function<Unlucky>",
        init_error="Init<RuntimeError>",
        records="INFO",
        build=_as_it_is,
        lacks=_BLOCKING,
    ),
    Language(
        name=".NET",
        folder="dotnet",
        runtimes=("dotnet10", "dotnet8", "dotnet6", "dotnetcore3.1"),
        handler="Example::Example.Function::Handle",
        error_type="Unlucky",
        init_error="Unlucky",
        timeout_s=5,
        records="Information",
        build=_build_dotnet,
        memory_mb=512,
        lacks=_BLOCKING,
    ),
    Language(
        name="Go",
        folder="go",
        runtimes=("provided.al2023",),
        handler="handle",
        stream="stream",
        error_type="errorString",
        build=_build_go,
        executable=("bootstrap",),
        background="Runtime.ExitError",
        lacks={},
        managed=False,
    ),
    Language(
        name="Go (RPC)",
        folder="go1x",
        runtimes=("go1.x",),
        handler="app",
        error_type="errorString",
        build=_build_go1x,
        executable=("app",),
        lacks=_BLOCKING,
    ),
    Language(
        name="Rust",
        folder="rust",
        runtimes=("provided.al2023",),
        handler="handle",
        stream="stream",
        error_type="Unlucky",
        build=_build_rust,
        executable=("bootstrap",),
        lacks={},
        managed=False,
    ),
    Language(
        name="C",
        folder="c",
        runtimes=("provided.al2023",),
        handler="handle",
        error_type="Function.Unlucky",
        init_error="Function.Unlucky",
        build=_build_c,
        executable=("bootstrap",),
        lacks={"context": _NO_JSON, "isolation": _NO_JSON, "sized": _NO_JSON, **_BLOCKING},
        managed=False,
    ),
    Language(
        name="shell",
        folder="shell",
        runtimes=("provided.al2023",),
        handler="handle",
        stream="stream",
        error_type="Function.Unlucky",
        init_error="Function.Unlucky",
        build=_as_it_is,
        executable=("bootstrap",),
        lacks={
            "context": _NO_JSON,
            "isolation": _NO_JSON,
            "six_megabytes": "a shell is no place for them",
            "background": "a shell has one flow of control",
        },
        managed=False,
    ),
)
