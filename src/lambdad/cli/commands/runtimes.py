"""`lambdad runtimes`: which identifiers a running daemon serves, and what can be added."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lambdad.cli.client import endpoint_option
from lambdad.cli.errors import Failure
from lambdad.cli.output import write_json, write_table
from lambdad.cli.own_pages import ask
from lambdad.cli.settings import config_option, configuration

COLUMNS = ("identifier", "state", "version", "prewarmed", "source")


@click.group(invoke_without_command=True)
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print the daemon's JSON.")
@click.option("--all", "everything", is_flag=True, help="Also those that nothing here serves.")
@click.pass_context
def runtimes(context: click.Context, endpoint_url: str, *, as_json: bool, everything: bool) -> None:
    """List the runtime identifiers that a running daemon serves.

    A version that `stands in` is another one than the identifier names; see runtimes.fallback.
    """
    if context.invoked_subcommand is not None:
        return
    document = ask(endpoint_url, "runtimes")
    if as_json:
        write_json(document)
        return
    found = [item for item in document["runtimes"] if everything or item["version"] is not None]
    write_table(f"{len(found)} runtimes", COLUMNS, [_row(item) for item in found])


@runtimes.command()
@click.argument("language", type=click.Choice(["java"]))
@config_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The daemon's.  [default: .lambdad]",
)
@click.option(
    "--from", "repository", metavar="URL", help="Maven repository.  [default: Maven Central]"
)
def install(
    language: str, path: Path | None, data_dir: Path | None, repository: str | None
) -> None:
    """Fetch what a language needs and no package of the system has.

    For Java that is AWS's own runtime interface client, with what it depends on; every file is
    compared with the digest that lambdad was tested with. Java itself is installed otherwise.
    """
    from lambdad.domain.errors import HostUnfit
    from lambdad.runtimes import java_client

    config = configuration(path, {"server.data_dir": data_dir})
    place = config.runtimes.java_client or java_client.default_place(
        config.server.data_dir / "runtimes"
    )
    try:
        java_client.install(place, repository or java_client.MAVEN_CENTRAL)
    except HostUnfit as unfit:
        raise Failure(unfit.cause, unfit.remedy) from unfit
    click.echo(f"What {language} needs is in {place}.")


@runtimes.command()
@click.argument("identifier")
@config_option
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="The daemon's.  [default: .lambdad]",
)
@click.option(
    "--from",
    "repository",
    metavar="REPOSITORY",
    help="Where AWS's base images are.  [default: public.ecr.aws/lambda]",
)
@click.option(
    "--architecture",
    type=click.Choice(["x86_64", "arm64"]),
    help="[default: this host's]",
)
def pull(
    identifier: str,
    path: Path | None,
    data_dir: Path | None,
    repository: str | None,
    architecture: str | None,
) -> None:
    """Fetch AWS's base image of a runtime, to serve that instead of this host's language.

    It is several hundred megabytes. A daemon that runs takes it up at its next start; it needs
    the backend native.
    """
    import asyncio
    import platform

    from lambdad.domain.errors import LambdadError
    from lambdad.images.store import ImageStore
    from lambdad.runtimes.pulled import REPOSITORY, image_of
    from lambdad.server.image_wiring import pull_runtime

    config = configuration(path, {"server.data_dir": data_dir})
    uri = image_of(identifier, repository or REPOSITORY)
    if uri is None:
        raise click.BadParameter(f"AWS has no base image of {identifier!r}.")
    machine = architecture or ("arm64" if platform.machine() == "aarch64" else "x86_64")
    images = ImageStore(config.server.data_dir / "images", config.images)
    try:
        resolved = asyncio.run(pull_runtime(images, identifier, uri, machine))
    except LambdadError as error:
        raise Failure(f"{uri}: {error}") from error
    click.echo(f"{identifier} is {resolved}.")


def _row(item: Mapping[str, Any]) -> tuple[str, ...]:
    here = "stands in" if item["stands_in"] else "ok"
    return (
        item["identifier"],
        "missing" if item["version"] is None else here,
        item["version"] or "",
        "yes" if item["prewarmed"] else "no",
        " ".join(filter(None, (item["source"], item["remedy"]))),
    )
