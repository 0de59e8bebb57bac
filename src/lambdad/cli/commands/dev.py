"""`lambdad dev`: a folder as a function that follows what is saved, and its log."""

from __future__ import annotations

import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click

from lambdad.cli.client import Connection, connection_options, one_line_errors
from lambdad.cli.errors import Failure
from lambdad.domain.clock import SystemClock

_ROLE = "arn:aws:iam::000000000000:role/development"
_WAIT_S, _TRIES = 0.2, 150


@click.command()
@click.argument(
    "folder", type=click.Path(exists=True, file_okay=False, path_type=Path), default="."
)
@click.option("--name", help="Of the function.  [default: the folder's]")
@click.option("--runtime", help="Identifier.  [default: by template.yaml or the code]")
@click.option("--handler", help="[default: by template.yaml or the code]")
@click.option("--log/--no-log", default=True, help="Show its log until Ctrl-C.")
@connection_options
def dev(
    folder: Path,
    name: str | None,
    runtime: str | None,
    handler: str | None,
    log: bool,
    **connection: str,
) -> None:
    """Serve a folder as a function: whatever is saved there is what runs.

    FOLDER is a project of `lambdad init`, or a folder with code. The daemon must allow it:
    `lambdad serve --hot-reload`, or development.hot_reload in its configuration.
    """
    from lambdad.cli.folders import described

    found = described(folder.resolve(), runtime=runtime, handler=handler)
    name = name or folder.resolve().name
    service = Connection(**connection)
    with one_line_errors(service.endpoint_url):
        client = service.client("lambda")
        _deploy(client, name, found.code, found.settings)
        click.echo(f"{name} runs {found.code} ({found.settings['Runtime']}). Invoke it with:")
        click.echo(f"  lambdad invoke {name} --payload '{{}}'")
        if log:
            _show_log(service.client("logs"), name)


def _deploy(client: Any, name: str, code: Path, settings: dict[str, Any]) -> None:
    source = {"S3Bucket": "hot-reload", "S3Key": str(code)}
    try:
        client.get_function_configuration(FunctionName=name)
    except client.exceptions.ResourceNotFoundException:
        client.create_function(FunctionName=name, Code=source, Role=_ROLE, **settings)
    else:
        client.update_function_configuration(FunctionName=name, **settings)
        _await(client, name)
        client.update_function_code(FunctionName=name, **source)
    _await(client, name)


def _await(client: Any, name: str) -> None:
    for _ in range(_TRIES):
        configuration = client.get_function_configuration(FunctionName=name)
        update = configuration.get("LastUpdateStatus")
        if "Failed" in (configuration["State"], update):
            reason = configuration.get("LastUpdateStatusReason", configuration.get("StateReason"))
            raise Failure(f"{name} does not come into service: {reason}")
        if configuration["State"] == "Active" and update == "Successful":
            return
        time.sleep(_WAIT_S)
    raise Failure(f"{name} is not in service yet.", "See `aws lambda get-function`.")


def _show_log(client: Any, name: str) -> None:
    from lambdad.cli.commands.logs import LogReader, line

    begin = SystemClock().now() - timedelta(seconds=1)
    start_ms = int(begin.timestamp() * 1000)
    reader = LogReader(client, f"/aws/lambda/{name}", start_ms, "")
    try:
        for event in reader.follow(time.sleep):
            click.echo(line(event, as_json=False))
    except KeyboardInterrupt:
        return  # the usual way to end
