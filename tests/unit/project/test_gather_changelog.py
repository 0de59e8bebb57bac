"""The changelog is gathered from fragments; a bad fragment is found before the release."""

import importlib.util
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


def load(name):
    spec = importlib.util.spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


gather = load("gather_changelog")


def test_fragments_are_grouped_by_type_in_a_fixed_order(tmp_path):
    (tmp_path / "b.fixed.md").write_text("A bug\nin two lines.\n")
    (tmp_path / "a.added.md").write_text("- A command.\n")
    entries = gather.read_fragments(tmp_path)
    assert gather.section("1.2.3", "2026-01-02", entries) == (
        "## [1.2.3] - 2026-01-02\n\n### Added\n\n- A command.\n\n### Fixed\n\n"
        "- A bug in two lines.\n\n"
    )


@pytest.mark.parametrize("name", ["topic.md", "topic.improved.md", "topic.added.md"])
def test_a_fragment_without_type_or_text_is_refused(tmp_path, name):
    (tmp_path / name).write_text("" if name == "topic.added.md" else "text")
    with pytest.raises(ValueError, match=name):
        gather.read_fragments(tmp_path)


def test_the_fragments_of_this_project_are_well_formed():
    gather.read_fragments(ROOT / "changelog.d")
