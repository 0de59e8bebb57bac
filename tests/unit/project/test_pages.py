"""Pages that come from code are current, and links between pages lead somewhere."""

import importlib.util
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)|<img[^>]+src=\"([^\"]+)\"")


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


generate = load("generate_docs")


@pytest.mark.parametrize("path", generate.PAGES, ids=lambda path: path.name)
def test_generated_pages_are_current(path):
    """`make docs` mends this."""
    assert path.read_text(encoding="utf-8") == generate.PAGES[path]()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_to_files_lead_somewhere(page):
    for groups in LINK.findall(page.read_text(encoding="utf-8")):
        target = (groups[0] or groups[1]).split("#")[0]
        if target and "://" not in target and not target.startswith("mailto:"):
            assert (page.parent / target).exists(), target


def test_every_dependency_is_justified():
    """docs/dependencies.md has a row for each name in pyproject.toml, and no other."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    wanted = list(project["project"]["dependencies"])
    wanted += project["build-system"]["requires"]
    for group in project["dependency-groups"].values():
        wanted += [each for each in group if isinstance(each, str)]
    names = {re.split(r"[<>=\[ ]", each)[0] for each in wanted}
    packages = (ROOT / "docs/dependencies.md").read_text().partition("## From the host")[0]
    rows = re.findall(r"^\| `([^`]+)` \|", packages, re.MULTILINE)
    assert set(rows) == names


def test_every_package_is_in_the_architecture():
    packages = {path.parent.name for path in (ROOT / "src/lambdad").glob("*/__init__.py")}
    text = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    described = set(re.findall(r"^\*\*`([a-z_]+)/`\*\*", text, re.MULTILINE))
    assert described == packages


def test_what_holds_a_promise_exists():
    text = (ROOT / "SPECIFICATION.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:tests|benchmarks)/[^`:]+)`", text))
    assert named
    assert {path for path in named if not (ROOT / path).exists()} == set()
    rows = [line for line in text.splitlines() if re.match(r"\| [SR]\d", line)]
    held = ("tests/", "benchmarks/", "[test pending]")
    assert all(any(by in row for by in held) for row in rows)
