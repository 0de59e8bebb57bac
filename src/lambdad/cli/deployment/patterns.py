"""Which files of a directory go into a package: patterns with `*`, `**`, `?`, `{a,b}` and `!`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

# What the Serverless Framework leaves out by itself, and what makes no sense in a package.
ALWAYS_OUT = (
    "!.git/**",
    "!.gitignore",
    "!**/.DS_Store",
    "!npm-debug.log",
    "!yarn-*.log",
    "!.serverless/**",
    "!.serverless_plugins/**",
    "!.aws-sam/**",
    "!serverless.yml",
    "!serverless.yaml",
    "!serverless.json",
    "!.env*",
    "!**/__pycache__/**",
)
_PARTS = re.compile(r"\*\*/?|\*|\?|\{[^{}]*\}|[^*?{]+|.", re.DOTALL)


def chosen(directory: Path, patterns: Sequence[str]) -> Iterator[tuple[str, Path]]:
    """Yield the files of a directory, by their relative names, in order.

    Later patterns win; a pattern with `!` takes out what it matches. Links to files are followed,
    links to directories too, once.
    """
    rules = [(not text.startswith("!"), _compiled(text.lstrip("!"))) for text in patterns]
    for name, path in sorted(_files(directory)):
        taken = True
        for takes, rule in rules:
            if rule.fullmatch(name):
                taken = takes
        if taken:
            yield name, path


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    seen = {directory.resolve()}
    for base, folders, files in os.walk(directory, followlinks=True):
        here = Path(base)
        fresh = []
        for folder in folders:
            real = (here / folder).resolve()
            if not (here / folder).is_symlink() or real not in seen:
                seen.add(real)
                fresh.append(folder)
        folders[:] = fresh
        for file in files:
            path = here / file
            if path.is_file():
                yield path.relative_to(directory).as_posix(), path


def _compiled(pattern: str) -> re.Pattern[str]:
    pattern = pattern.removeprefix("./")
    if pattern.endswith("/"):
        pattern += "**"
    return re.compile("".join(_regex(part) for part in _PARTS.findall(pattern)), re.DOTALL)


def _regex(part: str) -> str:
    if part == "**/":
        return "(?:.*/)?"
    if part == "**":
        return ".*"
    if part == "*":
        return "[^/]*"
    if part == "?":
        return "[^/]"
    if part.startswith("{") and part.endswith("}"):
        return "(?:" + "|".join(re.escape(choice) for choice in part[1:-1].split(",")) + ")"
    return re.escape(part)
