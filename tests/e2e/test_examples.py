"""Each example is built, deployed and invoked; and is what `lambdad init` makes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.cli.folders import described
from lambdad.cli.projects import LANGUAGES, Language, project
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.languages import CACHE, DOTNET, here, settings

EXAMPLES = Path(__file__).parents[2] / "examples"
_PATIENCE_S = 60.0


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    if os.geteuid() != 0:
        pytest.skip("needs root: sandboxes are made of namespaces and cgroups")
    environ = {**settings(), "LAMBDAD_DEVELOPMENT_HOT_RELOAD": "true"}
    with DaemonProcess(tmp_path_factory.mktemp("examples") / "data", environ=environ) as daemon:
        yield daemon
        assert daemon.stop() == 0
    assert "Traceback" not in daemon.stderr, daemon.stderr


def build(language: Language, folder: Path) -> None:
    tools = {"java": "javac", "go": "go", "rust": "cargo", "dotnet": "dotnet"}
    tool = shutil.which(tools[language.name])
    if tool is None and language.name == "dotnet" and shutil.which("mcs") and DOTNET.is_dir():
        build_with_mono(folder)
        return
    if tool is None:
        pytest.skip(f"{tools[language.name]} is not installed")
    # The crates are compiled already for the conformance suite.
    environ = {"PROFILE": "dev", "CARGO_TARGET_DIR": str(CACHE / "rust-target")}
    subprocess.run(["./build.sh"], cwd=folder, check=True, env={**os.environ, **environ})


def build_with_mono(folder: Path) -> None:
    """What `dotnet publish` makes, without the SDK."""
    framework = sorted(DOTNET.glob("shared/Microsoft.NETCore.App/*"))[-1]
    found = (*framework.glob("System.*.dll"), framework / "Microsoft.Win32.Primitives.dll")
    references = [f"-r:{path}" for path in found if ".Native." not in path.name]
    (folder / "package").mkdir()
    options = ["-nologo", "-noconfig", "-nostdlib", "-langversion:7", "-target:library"]
    command = ["mcs", *options, *references, "-out:package/Function.dll", "Function.cs"]
    subprocess.run(command, cwd=folder, check=True)
    version = framework.name.rpartition(".")[0] + ".0"
    config = {"framework": {"name": "Microsoft.NETCore.App", "version": version}}
    runtime_config = json.dumps({"runtimeOptions": config})
    (folder / "package" / "Function.runtimeconfig.json").write_text(runtime_config)


def runtime_here(language: Language) -> str:
    """The identifier of the example, or one of the family that this host serves."""
    served = here()
    found = [name for name in served if name.startswith(language.prefix)]
    if language.runtime in served:
        return language.runtime
    if not found:
        pytest.skip(f"nothing serves {language.runtime} here")
    return found[0]


def copied(language: Language, place: Path) -> Path:
    folder = place / language.name
    shutil.copytree(EXAMPLES / language.name, folder)
    place.chmod(0o755)
    if language.built:
        build(language, folder)
    return folder


def deploy(user: Deployer, language: Language, folder: Path) -> None:
    found = described(folder, runtime=None, handler=None)
    files = sorted(path for path in found.code.rglob("*") if path.is_file())
    user.deploy(
        f"example-{language.name}",
        {str(path.relative_to(found.code)): path.read_bytes() for path in files},
        executable=tuple(
            str(path.relative_to(found.code)) for path in files if path.stat().st_mode & 0o100
        ),
        **{**found.settings, "Runtime": runtime_here(language)},
    )


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_an_example_answers_its_event(
    daemon: DaemonProcess, tmp_path: Path, language: Language
) -> None:
    runtime_here(language)
    folder = copied(language, tmp_path)
    user = Deployer(daemon.endpoint_url)
    deploy(user, language, folder)
    event = json.loads((folder / "event.json").read_text())
    answer = user.invoke(f"example-{language.name}", event)
    assert answer.error is None, answer.payload
    assert answer.payload == {"greeting": "Hello, world!"}
    assert "greeting world" in answer.log
    assert user.invoke(f"example-{language.name}", {"name": "you"}).payload == {
        "greeting": "Hello, you!"
    }


@pytest.mark.parametrize("language", LANGUAGES, ids=lambda language: language.name)
def test_an_example_is_what_init_makes(language: Language) -> None:
    """If not: remove its folder, and `lambdad init --runtime NAME NAME` in `examples`."""
    folder = EXAMPLES / language.name
    made = project(language.name, language, language.runtime)
    for path, (text, executable) in made.items():
        assert (folder / path).read_text() == text, path
        assert bool((folder / path).stat().st_mode & 0o100) == executable, path


@pytest.mark.slow
@pytest.mark.root
def test_dev_serves_what_is_saved_and_shows_the_log(daemon: DaemonProcess, tmp_path: Path) -> None:
    python = next(language for language in LANGUAGES if language.name == "python")
    folder = copied(python, tmp_path)
    runtime = runtime_here(python)
    command = [sys.executable, "-m", "lambdad", "dev", str(folder), "--name", "at-desk"]
    command += ["--runtime", runtime, "--endpoint-url", daemon.endpoint_url]
    user = Deployer(daemon.endpoint_url)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        assert process.stdout is not None
        assert "at-desk runs" in process.stdout.readline()
        try:
            assert user.invoke("at-desk", {}).payload == {"greeting": "Hello, world!"}
            while "greeting world" not in process.stdout.readline():
                assert process.poll() is None
            code = folder / "src" / "app.py"
            code.write_text(code.read_text().replace("Hello", "Goodbye"))
            awaited(user, {"greeting": "Goodbye, world!"})
        finally:
            process.send_signal(signal.SIGINT)
    # A second time it is there already.
    again = subprocess.run([*command, "--no-log"], capture_output=True, text=True, check=True)
    assert "at-desk runs" in again.stdout


def awaited(user: Deployer, answer: Any) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while (found := user.invoke("at-desk", {}).payload) != answer:
        assert time.monotonic() < deadline, found
