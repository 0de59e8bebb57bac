"""What is shipped compiled is what its source says, and Java finds its classes made ready."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import lambdad
from lambdad.config.sections import RuntimesConfig
from lambdad.domain.errors import HostUnfit
from lambdad.runtimes.java import JavaProvider
from lambdad.testing.languages import CACHE

SOURCES = Path(lambdad.__file__).parent / "guest" / "java"
BUILD = Path(__file__).parents[3] / "scripts" / "build_java_classes"
CLIENT = CACHE / "java-client"
# What the classes that are shipped were compiled with: others write them a little differently.
COMPILER = 17


def need_the_compiler() -> None:
    compiler = shutil.which("javac")
    if compiler is None or not CLIENT.is_dir():
        pytest.skip("a JDK or AWS's client is not on this host (scripts/install_runtimes)")
    said = subprocess.run([compiler, "-version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"\d+", said)
    if version is None or int(version[0]) != COMPILER:
        pytest.skip(f"this host's compiler is {said.strip()}, not javac {COMPILER}")


@pytest.mark.slow
def test_the_classes_that_are_shipped_are_made_of_their_sources(tmp_path: Path) -> None:
    need_the_compiler()
    command = [str(BUILD), str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True)
    made, shipped = (
        {str(file.relative_to(place)): file.read_bytes() for file in place.rglob("*.class")}
        for place in (tmp_path, SOURCES / "classes")
    )
    assert made == shipped


@pytest.mark.slow
@pytest.mark.root
def test_classes_are_archived_once_for_each_java(tmp_path: Path) -> None:
    """Where Java can; the same directory serves every function and every daemon after that."""
    provider = JavaProvider(RuntimesConfig(java_client=CLIENT), tmp_path, {})
    try:
        runtime = provider.find("java17")
    except HostUnfit as unfit:
        pytest.skip(str(unfit))
    (place,) = (mount.source for mount in runtime.mounts if mount.target == "/var/runtime")
    archive = Path(place) / "classes.jsa"
    assert archive.stat().st_size > 2**20
    again = JavaProvider(RuntimesConfig(java_client=CLIENT), tmp_path, {}).find("java17")
    assert again.mounts == runtime.mounts
    assert [path.name for path in Path(place).parent.iterdir()] == [Path(place).name]
