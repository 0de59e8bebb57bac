"""What was answered is there after `kill -9`."""

import hashlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.storage.base import Engine, LogQuery
from lambdad.storage.packages import FilePackageStore
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

WRITER = Path(__file__).with_name("crash_writer.py")


def answered_before_death(data_dir: Path, lines: int) -> list[str]:
    """Let the writer answer at least so many writes, kill it, return all it had answered."""
    with subprocess.Popen(
        [sys.executable, WRITER, str(data_dir)], stdout=subprocess.PIPE
    ) as writer:
        assert writer.stdout is not None
        output = b"".join(writer.stdout.readline() for _ in range(lines))
        writer.kill()
        output += writer.stdout.read()
    assert output.count(b"\n") >= lines, "the writer ended by itself"
    return [line.decode() for line in output.split(b"\n")[:-1]]


@pytest.mark.slow
@pytest.mark.parametrize("attempt", range(3))
async def test_every_answered_write_survives_sigkill(tmp_path: Path, attempt: int) -> None:
    answered = answered_before_death(tmp_path, random.randint(50, 4_000))  # noqa: S311
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    check_publications(store, {line[10:] for line in answered if line.startswith("published ")})
    for name in (line for line in answered if line.startswith("f")):
        key = FunctionKey(account_id="000000000000", region="us-east-1", name=name)
        found = store.functions.get(key)
        assert found is not None, f"{name} was answered and is lost"
        assert found.revision_id == ("r2" if int(name.split("-")[1]) % 4 == 3 else "r1")
    (group,) = await store.logs.groups("000000000000", "us-east-1", prefix="", after=None, limit=9)
    messages = {event.message for event in await store.logs.events(group.key, LogQuery())}
    logged = {line[4:] for line in answered if line.startswith("log ")}
    assert logged | {f"{name}, too" for name in logged} <= messages
    await store.close()
    await FilePackageStore(tmp_path / "code").collect(packages_in(tmp_path))
    check_packages(tmp_path, {line[8:] for line in answered if line.startswith("package ")})


def check_publications(store: Engine, answered: set[str]) -> None:
    """All that were answered are there, and none is there in part."""
    aliases = {resource.function for resource in store.resources.all("alias")}
    published = {
        function.key.name
        for function in store.functions.list("000000000000", "us-east-1", after=None, limit=99_999)
        if store.functions.get(function.key, "1") is not None
    }
    assert answered <= published
    assert published == aliases


def packages_in(data_dir: Path) -> frozenset[str]:
    return frozenset(path.name for path in (data_dir / "code").glob("*"))


def check_packages(data_dir: Path, answered: set[str]) -> None:
    """All that were answered are there, and none is there in part."""
    kept = packages_in(data_dir)
    assert answered <= kept
    for digest in kept:
        package = data_dir / "code" / digest
        assert len(list((package / "tree").iterdir())) == 20
        archive = (package / "package.zip").read_bytes()
        assert hashlib.sha256(archive).hexdigest() == digest
