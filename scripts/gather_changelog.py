"""Move the fragments in changelog.d/ into a new section of CHANGELOG.md.

    scripts/gather_changelog.py 0.1.0

A fragment is `changelog.d/<topic>.<type>.md`, the type one of `TYPES`. Run at a release, on a
clean tree; look at the result before committing it.
"""

from __future__ import annotations

import datetime
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TYPES = ("added", "changed", "deprecated", "removed", "fixed", "security", "parity")
MARK = "<!-- releases below -->\n"


def read_fragments(directory: Path) -> dict[str, list[str]]:
    """Return the texts by type.

    Raises:
        ValueError: a file's name has no known type, or it is empty.
    """
    entries: dict[str, list[str]] = {}
    for path in sorted(directory.glob("*.md")):
        kind = path.name.split(".")[-2] if path.name.count(".") > 1 else ""
        text = " ".join(path.read_text(encoding="utf-8").split()).removeprefix("- ")
        if kind not in TYPES or not text:
            raise ValueError(f"{path.name}: must be <topic>.<{'|'.join(TYPES)}>.md with a text")
        entries.setdefault(kind, []).append(text)
    return entries


def section(version: str, date: str, entries: dict[str, list[str]]) -> str:
    """Return the section of a release in the form of Keep a Changelog."""
    lines = [f"## [{version}] - {date}", ""]
    for kind in TYPES:
        if kind in entries:
            lines += [f"### {kind.capitalize()}", "", *(f"- {each}" for each in entries[kind]), ""]
    return "\n".join(lines) + "\n"


def main(version: str) -> None:
    """Write CHANGELOG.md and remove the fragments."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit("Usage: make changelog VERSION=x.y.z")
    directory = ROOT / "changelog.d"
    entries = read_fragments(directory)
    if not entries:
        raise SystemExit("changelog.d has no fragments: nothing to release.")
    changelog = ROOT / "CHANGELOG.md"
    before, mark, after = changelog.read_text(encoding="utf-8").partition(MARK)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    changelog.write_text(
        f"{before}{mark}\n{section(version, today, entries)}{after.lstrip()}", encoding="utf-8"
    )
    for path in directory.glob("*.md"):
        path.unlink()
    print(f"CHANGELOG.md has a section {version}; look at it, set __version__, commit, tag.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
