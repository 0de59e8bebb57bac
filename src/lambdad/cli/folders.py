"""What function is in a folder: by its SAM template, else by its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lambdad.cli.errors import Failure
from lambdad.cli.projects import LANGUAGES, Language, language_of

# One function's properties, as `lambdad init` writes them; no reader of YAML is needed for these.
_PROPERTY = re.compile(
    r"^ +(CodeUri|Handler|Runtime|MemorySize|Timeout): *\"?([^\s\"#!]+)\"? *$", re.MULTILINE
)
_NUMBERS = ("MemorySize", "Timeout")


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """A function in a folder.

    Attributes:
        code: the folder that is mounted; absolute.
        settings: members of CreateFunction: Runtime, Handler, and what the template has.
    """

    code: Path
    settings: dict[str, Any]


def described(folder: Path, *, runtime: str | None, handler: str | None) -> Described:
    """Find out what to deploy; what is given wins.

    Raises:
        Failure: runtime or handler cannot be told, or the code is not there.
    """
    settings: dict[str, Any] = {}
    code = folder
    template = folder / "template.yaml"
    if template.is_file():
        found = dict(_PROPERTY.findall(template.read_text(encoding="utf-8")))
        code = folder / found.pop("CodeUri", ".")
        settings = {key: int(text) if key in _NUMBERS else text for key, text in found.items()}
    language = language_of(runtime) if runtime else None
    mark = next(iter(_marks(code)), None)
    if mark is not None:
        guessed, file = mark
        settings.setdefault("Runtime", guessed.runtime)
        settings.setdefault("Handler", _handler(guessed, file))
    if runtime:
        named = language is not None and runtime == language.name
        settings["Runtime"] = language.runtime if language and named else runtime
    if handler:
        settings["Handler"] = handler
    if not code.is_dir():
        raise Failure(f"{code} is not there.", "Build it first: ./build.sh")
    if "Runtime" not in settings or "Handler" not in settings:
        raise Failure(
            f"{folder} does not say what it is.",
            "Give --runtime and --handler, or a template.yaml.",
        )
    return Described(code=code.resolve(), settings=settings)


def _marks(code: Path) -> list[tuple[Language, str]]:
    return [
        (language, file)
        for language in LANGUAGES
        for file in language.marks
        if (code / file).is_file()
    ]


def _handler(language: Language, file: str) -> str:
    if file == "bootstrap":
        return file
    stem = Path(file).stem
    function = "lambda_handler" if stem == "lambda_function" else "handler"
    return f"{stem}.{function}"
