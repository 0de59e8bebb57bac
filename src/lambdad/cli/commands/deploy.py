"""`lambdad deploy`: a project, by its serverless.yml or its template."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from lambdad.cli.client import Connection, connection_options, one_line_errors
from lambdad.domain.clock import SystemClock

_OPTIONS = (
    click.argument("place", type=click.Path(exists=True, path_type=Path), default="."),
    click.option("--stage", help="Of a serverless.yml.  [default: the file's, else dev]"),
    click.option("--stack-name", help="[default: <service>-<stage>, or the directory's name]"),
    click.option(
        "--param",
        "params",
        multiple=True,
        metavar="NAME=VALUE",
        help="A parameter of the template, or for ${param:NAME}; may be repeated.",
    ),
    connection_options,
    click.pass_context,
)


def project_options(command: Any) -> Any:
    """Add what says which project, and where it goes; for :func:`deployment_of`."""
    for decorate in reversed(_OPTIONS):
        command = decorate(command)
    return command


@click.command()
@project_options
def deploy(context: click.Context, /, **given: Any) -> None:
    """Deploy a project: functions, their events, and all other resources, as one stack.

    PLACE is a directory with a serverless.yml (Serverless Framework) or a template.yaml (SAM or
    CloudFormation), or the file itself. Neither of those tools is needed. Deploying again changes
    what has changed. `lambdad remove` takes everything down.
    """
    from lambdad.cli.deployment.deploying import Lines
    from lambdad.cli.deployment.stacks import Stack

    clock = SystemClock()
    begun = clock.monotonic()
    with one_line_errors(given["endpoint_url"]):
        work = deployment_of(context, given)
        click.echo(f"Packaging {work.file}")
        project = work.project()
        for note in project.notes:
            click.echo(f"  note: {note}", err=True)
        click.echo(f"Deploying the stack {project.stack} to {work.connection.region}")
        stack = Stack(work.connection.client("cloudformation"), project.stack, Lines())
        changed = stack.deploy(
            project.template, work.artifacts, parameters=work.parameters, tags=project.tags
        )
        took = f"{clock.monotonic() - begun:.1f} s"
        click.echo(f"Deployed in {took}." if changed else f"No changes ({took}).")
        _show(stack.describe() or {}, work.connection, project.stage)


def deployment_of(context: click.Context, given: Mapping[str, Any]) -> Any:
    """Return the `Deployment` that the options of :func:`project_options` name."""
    from click.core import ParameterSource

    from lambdad.cli.deployment.deploying import Deployment
    from lambdad.cli.deployment.projects import found_in

    names = ("endpoint_url", "region", "access_key_id", "secret_access_key")
    unset = context.get_parameter_source("region") is ParameterSource.DEFAULT
    return Deployment(
        found_in(given["place"]),
        Connection(**{name: given[name] for name in names}),
        given_region=None if unset else given["region"],
        stage=given["stage"],
        stack=given["stack_name"],
        params=_pairs(given["params"]),
    )


def _pairs(params: tuple[str, ...]) -> dict[str, str]:
    result = {}
    for param in params:
        name, separator, value = param.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"{param!r} is not NAME=VALUE", param_hint="--param")
        result[name] = value
    return result


def _show(stack: Mapping[str, Any], connection: Connection, stage: str) -> None:
    paths = {"HttpApiId": "/", "RestApiId": f"/{stage}/", "WebsocketApiId": f"/{stage}"}
    for item in stack.get("Outputs", []):
        name, value = item["OutputKey"], item["OutputValue"]
        if name in paths:
            host = connection.endpoint_url.rstrip("/")
            if name == "WebsocketApiId":
                host = host.replace("http", "ws", 1)
            value = f"{host}/_aws/execute-api/{value}{paths[name]}"
        click.echo(f"  {name}: {value}")
