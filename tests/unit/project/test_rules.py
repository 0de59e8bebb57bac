"""House rules that a tool enforces, and figures that must not drift apart."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

from lambdad import __version__

ROOT = Path(__file__).resolve().parents[3]


def test_imports_point_down_the_tree():
    done = subprocess.run(
        [str(Path(sys.executable).parent / "lint-imports"), "--no-logo"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_pip_installs_what_uv_locked():
    """constraints.txt pins the versions of uv.lock; `make lock` writes both."""
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    locked = {each["name"]: each["version"] for each in lock["package"] if "version" in each}
    locked.pop("lambdad", None)
    pinned = dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    assert pinned
    assert {name: locked.get(name) for name in pinned} == pinned


def test_every_dependency_is_locked():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    lock = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))
    (entry,) = (each for each in lock["package"] if each["name"] == "lambdad")
    locked = {each["name"] for each in entry["metadata"]["requires-dist"]}
    extras = project["project"]["optional-dependencies"].values()
    declared = [*project["project"]["dependencies"], *(each for extra in extras for each in extra)]
    wanted = {re.split(r"[<>=\[ ]", each)[0] for each in declared}
    assert wanted == locked


def test_the_version_is_the_changelogs_latest_or_still_unreleased():
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    released = re.findall(r"^## \[(\d+\.\d+\.\d+)\]", text, re.MULTILINE)
    assert not released or released[0] == __version__


def test_make_lists_every_documented_target():
    done = subprocess.run(
        ["make", "-C", str(ROOT), "--no-print-directory"],
        check=True,
        capture_output=True,
        text=True,
    )
    listed = {line.split()[0] for line in done.stdout.splitlines() if line.strip()}
    assert listed >= {"setup", "demo", "fmt", "check", "unit", "test", "bench", "clean"}
