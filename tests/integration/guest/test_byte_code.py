"""Byte code that was compiled ahead is found where it is looked for, and nothing else changes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from lambdad.guest.python import compiler

GUEST = Path(compiler.__file__).parent
BINARY = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"

# Imports modules with the packs in its descriptors and says which of them were compiled.
PROBE = """
import json, os, sys
sys.path[:0] = [{task!r}, {guest!r}]
import bytecode
os.environ["_LAMBDAD_BYTECODE"] = {numbers!r}
bytecode.prepare(os.environ)
compiled = []
sys.addaudithook(
    lambda event, details:
        compiled.append(os.path.basename(details[1])) if event == "compile" and details[1] else None
)
{program}
compiled = [name for name in compiled if isinstance(name, str)]
print(json.dumps({{"compiled": compiled, "told": told, "left": "_LAMBDAD_BYTECODE" in os.environ}}))
"""


def pack_of(*places: Path) -> Path:
    """Compile what is there as the sandboxed program does."""
    pack = places[0].parent / f"{places[0].name}.pack"
    arguments = [str(BINARY), "-I", "-S", "-B", str(GUEST / "compiler.py"), *map(str, places)]
    command = ["/bin/sh", "-c", 'pack=$1; shift; exec "$@" 4>"$pack"', "sh", str(pack), *arguments]
    subprocess.run(command, check=True, timeout=60)
    return pack


def probe(task: Path, packs: Sequence[Path], program: str) -> dict[str, Any]:
    files = [pack.open("rb") for pack in packs]
    numbers = [file.fileno() for file in files]
    source = PROBE.format(
        task=str(task), guest=str(GUEST), numbers=",".join(map(str, numbers)), program=program
    )
    done = subprocess.run(
        [str(BINARY), "-S", "-B", "-c", source],
        check=True,
        pass_fds=numbers,
        capture_output=True,
        timeout=60,
    )
    for file in files:
        file.close()
    told: dict[str, Any] = json.loads(done.stdout)
    return {**told, "said": done.stderr.decode()}


@pytest.fixture
def task(tmp_path: Path) -> Path:
    place = tmp_path / "task"
    (place / "package").mkdir(parents=True)
    (place / "package" / "__init__.py").write_text("from . import inner\n")
    (place / "package" / "inner.py").write_text("def fail():\n    raise KeyError('inner')\n")
    return place


def test_modules_of_a_pack_are_not_compiled_again(task: Path) -> None:
    program = "import package; told = [package.__cached__, package.__file__, sys.pycache_prefix]"
    with_pack, without = (probe(task, packs, program) for packs in ([pack_of(task)], []))
    assert with_pack["compiled"] == []
    assert without["compiled"] == ["__init__.py", "inner.py"]
    assert with_pack["told"] == without["told"]
    assert not with_pack["left"]
    assert not list(task.rglob("__pycache__"))


def test_tracebacks_show_the_source(task: Path) -> None:
    program = """
import traceback, package
try: package.inner.fail()
except KeyError: told = traceback.format_exc()
"""
    told = probe(task, [pack_of(task)], program)["told"]
    assert f'File "{task}/package/inner.py", line 2, in fail' in told
    assert "raise KeyError('inner')" in told


def test_what_cannot_be_compiled_says_so_at_its_import(task: Path) -> None:
    (task / "broken.py").write_text("def x(:\n")
    (task / "null.py").write_bytes(b"x = 1\0")
    program = """
try: import broken
except SyntaxError as error: told = [error.filename, error.lineno]
"""
    found = probe(task, [pack_of(task)], program)
    assert found["told"] == [str(task / "broken.py"), 1]


def test_warnings_of_the_compiler_are_given_at_each_start(task: Path) -> None:
    (task / "odd.py").write_text("x = 1\nassert (x, 'always true')\n")
    found = probe(task, [pack_of(task)], "import odd; told = odd.x")
    assert found["compiled"] == ["odd.py"]
    assert "SyntaxWarning: assertion is always true" in found["said"]


def test_byte_code_that_a_package_brings_comes_first(task: Path) -> None:
    (task / "own.py").write_text("x = 'source'\n")
    other = task.parent / "other.py"
    other.write_text("x = 'brought'\n")
    brought = task / "__pycache__" / f"own.{sys.implementation.cache_tag}.pyc"
    script = (
        "import py_compile as p, sys; mode = p.PycInvalidationMode.UNCHECKED_HASH;"
        "p.compile(sys.argv[1], sys.argv[2], invalidation_mode=mode)"
    )
    command = [str(BINARY), "-c", script, str(other), str(brought)]
    subprocess.run(command, check=True, timeout=60)
    assert probe(task, [pack_of(task)], "import own; told = own.x")["told"] == "brought"


def test_loaders_that_compile_in_their_own_way_do(task: Path) -> None:
    program = """
import importlib.machinery as m, importlib.util as u
class Loader(m.SourceFileLoader):
    def source_to_code(self, data, path, **options):
        return super().source_to_code(data.replace(b"inner", b"changed"), path)
path = os.path.join(sys.path[0], "package", "inner.py")
module = u.module_from_spec(u.spec_from_file_location("x", path, loader=Loader("x", path)))
module.__spec__.loader.exec_module(module)
try: module.fail()
except KeyError as error: told = error.args[0]
"""
    assert probe(task, [pack_of(task)], program)["told"] == "changed"


@pytest.mark.parametrize("content", [b"", b"x", b"lambdad-pyc\0" + b"\xff" * 40])
def test_a_pack_that_makes_no_sense_is_none(task: Path, content: bytes) -> None:
    pack = task.parent / "pack"
    pack.write_bytes(content)
    found = probe(task, [pack], "import package; told = 1")
    assert found["compiled"] == ["__init__.py", "inner.py"]


def test_links_and_devices_are_left_alone(task: Path) -> None:
    os.mkfifo(task / "pipe.py")
    (task / "endless.py").symlink_to("/dev/zero")
    (task / "again").symlink_to(".")
    found = probe(task, [pack_of(task)], "import package; told = 1")
    assert found["compiled"] == []
