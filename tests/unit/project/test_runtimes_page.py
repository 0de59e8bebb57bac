"""The page of the runtimes says what the suite asks, and of which languages."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from lambdad.testing.languages import LANGUAGES

ROOT = Path(__file__).parents[3]
_SPEC = importlib.util.spec_from_file_location("runtimes_page", ROOT / "scripts/runtimes_page.py")
assert _SPEC is not None
assert _SPEC.loader is not None
runtimes_page = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(runtimes_page)


def test_the_page_has_every_promise_and_every_language():
    """`make test-runtimes` mends this."""
    page = runtimes_page.PAGE.read_text(encoding="utf-8")
    for name, text in runtimes_page.promises().items():
        assert f"- **{name}**: {text}\n" in page
    for language in LANGUAGES:
        assert f"\n| {language.name} " in page


def test_results_become_a_table(tmp_path):
    case = '<testcase classname="x.test_promises" name="test_{}[Go provided]">{}</testcase>'
    file = tmp_path / "results.xml"
    cases = case.format("echo", "") + case.format("crash", "<failure/>")
    cases += case.format("streaming", "<skipped/>")
    file.write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    (row,) = (line for line in runtimes_page.table(runtimes_page.results(file)).splitlines()[-1:])
    names = list(runtimes_page.promises())
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[0] == "Go provided"
    found = dict(zip(names, cells[1:], strict=True))
    assert (found["echo"], found["crash"], found["streaming"]) == ("yes", "**no**", "")
