"""What there is to deploy in a directory, and as what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdad.cli.errors import Failure

SERVERLESS_FILES = ("serverless.yml", "serverless.yaml", "serverless.json")
TEMPLATE_FILES = ("template.yaml", "template.yml", "template.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A template whose packages are stored, and what its stack is called.

    Attributes:
        template: of SAM or CloudFormation.
        stack: name of the stack.
        stage: of its REST API.
        tags: of the stack.
        notes: what was left out of the file, and why; for people.
    """

    template: Mapping[str, Any]
    stack: str
    stage: str
    tags: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def found_in(place: Path) -> Path:
    """Return the file to deploy: `place` itself, or the first known one in it.

    Raises:
        Failure: there is none.
    """
    if place.is_file():
        return place
    for name in (*SERVERLESS_FILES, *TEMPLATE_FILES):
        if (place / name).is_file():
            return place / name
    names = ", ".join((SERVERLESS_FILES[0], TEMPLATE_FILES[0]))
    raise Failure(f"{place} has nothing to deploy.", f"Looked for {names}. Give the file.")


def is_serverless(file: Path) -> bool:
    """Whether a file is the Serverless Framework's, by its name."""
    return file.stem.startswith("serverless")
