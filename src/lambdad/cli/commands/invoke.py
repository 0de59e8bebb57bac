"""`lambdad invoke`: call a function and print what it returns."""

from __future__ import annotations

import base64
import sys
from typing import IO, Any

import click

from lambdad.cli.client import Connection, connection_options, one_line_errors
from lambdad.cli.errors import FUNCTION_ERROR


@click.command()
@click.argument("name")
@click.option("--payload", "text", metavar="JSON", help="The event.")
@click.option(
    "--payload-file",
    "file",
    type=click.File("rb"),
    metavar="FILE",
    help="Read the event from a file; - is stdin.",
)
@click.option("--qualifier", help="Version or alias.")
@click.option(
    "--log",
    type=click.Choice(["none", "tail"]),
    default="none",
    show_default=True,
    help="Print the last 4 KiB of the log to stderr.",
)
@connection_options
def invoke(
    name: str,
    text: str | None,
    file: IO[bytes] | None,
    qualifier: str | None,
    log: str,
    **connection: str,
) -> None:
    """Invoke a function and wait for its answer.

    NAME is a name or an ARN. Without --payload and --payload-file the event is what is piped
    in, else {}. The answer goes to stdout.

    Exit status: 0 the function returned, 1 it failed, 2 it could not be invoked.
    """
    if text is not None and file is not None:
        raise click.UsageError("Give --payload or --payload-file, not both.")
    request: dict[str, Any] = {"FunctionName": name, "Payload": _event(text, file)}
    if qualifier:
        request["Qualifier"] = qualifier
    if log == "tail":
        request["LogType"] = "Tail"
    failed = _invoke(Connection(**connection), request)
    click.get_current_context().exit(FUNCTION_ERROR if failed else 0)


def _event(text: str | None, file: IO[bytes] | None) -> bytes:
    if text is not None:
        return text.encode()
    if file is not None:
        return file.read()
    # A terminal has nothing to say here, and waiting for it would look like a hang.
    return b"{}" if sys.stdin.isatty() else sys.stdin.buffer.read() or b"{}"


def _invoke(connection: Connection, request: dict[str, Any]) -> bool:
    """Print answer and log; return whether the function failed."""
    with one_line_errors(connection.endpoint_url):
        client: Any = connection.client("lambda")
        response = client.invoke(**request)
        payload = response["Payload"].read()
    if "LogResult" in response:
        tail = base64.b64decode(response["LogResult"]).decode(errors="replace")
        click.echo(tail, err=True, nl=not tail.endswith("\n"))
    sys.stdout.buffer.write(payload if payload.endswith(b"\n") else payload + b"\n")
    sys.stdout.buffer.flush()
    return "FunctionError" in response
