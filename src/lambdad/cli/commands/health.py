"""`lambdad health`: what the daemon says of itself."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from urllib.parse import urlsplit

import click

from lambdad.cli.client import CONNECT_TIMEOUT_S, endpoint_option, not_running
from lambdad.cli.errors import Failure
from lambdad.cli.output import write_json

PATH = "/_lambdad/health"
LIMIT_BYTES = 1024 * 1024


@click.command()
@endpoint_option
@click.option("--json", "as_json", is_flag=True, help="Print the daemon's JSON.")
def health(endpoint_url: str, as_json: bool) -> None:
    """Ask a running daemon how it is."""
    document = read_health(endpoint_url)
    if as_json:
        write_json(document)
        return
    for line in _lines(document):
        click.echo(line)


def read_health(endpoint_url: str) -> Mapping[str, object]:
    """Return what `GET /_lambdad/health` answers.

    Raises:
        Failure: nobody answers, or not lambdad.
    """
    url = urlsplit(endpoint_url)
    if url.scheme not in {"http", "https"} or not url.hostname:
        raise Failure(f"{endpoint_url} is not an HTTP address.")
    kind = http.client.HTTPSConnection if url.scheme == "https" else http.client.HTTPConnection
    connection = kind(url.hostname, url.port, timeout=CONNECT_TIMEOUT_S)
    try:
        connection.request("GET", url.path.rstrip("/") + PATH)
        response = connection.getresponse()
        body = response.read(LIMIT_BYTES)
    except OSError as error:
        raise not_running(endpoint_url) from error
    except http.client.HTTPException as error:
        raise Failure(f"What answers at {endpoint_url} does not speak HTTP.") from error
    finally:
        connection.close()
    return _document(body, response.status, endpoint_url)


def _document(body: bytes, status: int, endpoint_url: str) -> Mapping[str, object]:
    try:
        document = json.loads(body)
    except ValueError:
        document = None
    if status != http.client.OK or not isinstance(document, dict):
        raise Failure(f"What answers at {endpoint_url} is not lambdad (HTTP {status}).")
    return document


def _lines(document: Mapping[str, object], indent: str = "") -> list[str]:
    lines = []
    for key, value in document.items():
        if isinstance(value, dict):
            lines += [f"{indent}{key}:", *_lines(value, indent + "  ")]
        elif isinstance(value, list):
            lines.append(f"{indent}{key}:")
            lines += [f"{indent}  {_inline(each)}" for each in value]
        else:
            lines.append(f"{indent}{key}: {value}")
    return lines


def _inline(value: object) -> str:
    if isinstance(value, dict):
        return "  ".join(str(each) for each in value.values() if each not in ("", None))
    return str(value)
