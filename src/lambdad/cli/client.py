"""How commands reach the daemon: endpoint, credentials, and its errors in one line.

Profiles and files of the AWS tools are not read: they hold the user's real account, which is
nothing to send to a development endpoint. The environment variables are, as options.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

import click

from lambdad.cli.errors import Failure

DEFAULT_ENDPOINT = "http://127.0.0.1:4566"
DEFAULT_REGION = "us-east-1"

# A function may run for 15 minutes; what comes later is a dead connection.
READ_TIMEOUT_S = 930
CONNECT_TIMEOUT_S = 5

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the daemon is and who we are to it."""

    endpoint_url: str
    region: str
    access_key_id: str
    secret_access_key: str

    def client(self, service: str) -> Any:
        """Return a botocore client that never retries: what is shown is what happened."""
        from botocore.config import Config
        from botocore.session import Session

        nothing: Any = (None, None, None, None)
        session = Session(session_vars={"profile": nothing, "config_file": nothing})
        return session.create_client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=self.region,
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(
                retries={"total_max_attempts": 1},
                connect_timeout=CONNECT_TIMEOUT_S,
                read_timeout=READ_TIMEOUT_S,
                tcp_keepalive=True,
                proxies={},
            ),
        )


def endpoint_option(command: Command) -> Command:
    """Add `--endpoint-url`."""
    return click.option(
        "--endpoint-url",
        envvar=["LAMBDAD_ENDPOINT", "AWS_ENDPOINT_URL_LAMBDA", "AWS_ENDPOINT_URL"],
        default=DEFAULT_ENDPOINT,
        show_default=True,
        show_envvar=True,
        help="Where lambdad listens.",
    )(command)


def connection_options(command: Command) -> Command:
    """Add the endpoint, `--region` and credentials, which come from the usual variables."""
    for decorate in (
        click.option(
            "--secret-access-key", envvar="AWS_SECRET_ACCESS_KEY", default="test", hidden=True
        ),
        click.option(
            "--access-key-id",
            envvar="AWS_ACCESS_KEY_ID",
            default="test",
            help="Twelve digits choose that account.  [env var: AWS_ACCESS_KEY_ID; default: test]",
        ),
        click.option(
            "--region",
            envvar=["AWS_REGION", "AWS_DEFAULT_REGION"],
            default=DEFAULT_REGION,
            show_default=True,
            show_envvar=True,
        ),
        endpoint_option,
    ):
        command = decorate(command)
    return command


@contextlib.contextmanager
def one_line_errors(endpoint_url: str) -> Iterator[None]:
    """Turn botocore's exceptions into a `Failure` with AWS's message."""
    from botocore import exceptions

    try:
        yield
    except exceptions.ClientError as error:
        details = error.response.get("Error", {})
        raise Failure(f"{details.get('Code')}: {details.get('Message')}") from error
    except (exceptions.EndpointConnectionError, exceptions.ConnectTimeoutError) as error:
        raise not_running(endpoint_url) from error
    except (exceptions.BotoCoreError, exceptions.HTTPClientError, ValueError) as error:
        raise Failure(str(error)) from error


def not_running(endpoint_url: str) -> Failure:
    """Nobody answers there: say how to change that."""
    return Failure(
        f"Nothing answers at {endpoint_url}.",
        "Start the daemon with `lambdad serve`, or say where it is with --endpoint-url.",
    )
