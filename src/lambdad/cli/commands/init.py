"""`lambdad init`: a project to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import click

from lambdad.cli.errors import Failure

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@click.command()
@click.option(
    "--runtime",
    required=True,
    metavar="RUNTIME",
    help="An identifier like python3.13, or python, nodejs, ruby, java, dotnet, go, rust, shell.",
)
@click.argument("name", default="function")
def init(runtime: str, name: str) -> None:
    """Make a project with a first function: code, event, SAM template and README.

    NAME is that of the function and of the new directory.
    """
    from lambdad.cli.projects import LANGUAGES, language_of, project

    directory = Path(name)
    if not _NAME.fullmatch(directory.name):
        raise click.BadParameter("1 to 64 letters, digits, - and _", param_hint="NAME")
    language = language_of(runtime)
    if language is None:
        names = ", ".join(language.name for language in LANGUAGES)
        raise click.BadParameter(
            f"{runtime!r} leaves the language open. Give one of {names}.", param_hint="--runtime"
        )
    if runtime == language.name:
        runtime = language.runtime
    if directory.exists():
        raise Failure(f"{directory} is there already.", "Choose another name.")
    for path, (text, executable) in project(directory.name, language, runtime).items():
        place = directory / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(0o755 if executable else 0o644)
    click.echo(f"{directory} is a function in {runtime}; see {directory / 'README.md'}.")
