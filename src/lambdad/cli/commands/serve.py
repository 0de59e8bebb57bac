"""`lambdad serve`: run the daemon in the foreground."""

from __future__ import annotations

from pathlib import Path

import click

from lambdad.cli.errors import Failure
from lambdad.cli.settings import config_option, configuration

# Which configuration key an option overrides.
KEYS = {
    "host": "server.host",
    "port": "server.port",
    "data_dir": "server.data_dir",
    "drain_timeout": "server.drain_timeout_s",
    "backend": "sandbox.backend",
    "runtime_fallback": "runtimes.fallback",
    "hot_reload": "development.hot_reload",
}


@click.command()
@click.option("--host", help="Address to listen on.  [default: 127.0.0.1]")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port to listen on; 0 takes a free one.  [default: 4566]",
)
@click.option(
    "--data-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where everything durable lives.  [default: .lambdad]",
)
@config_option
@click.option(
    "--backend",
    help="Isolation: auto, native, bwrap or process.  [default: auto]",
)
@click.option(
    "--drain-timeout",
    type=click.FloatRange(0),
    metavar="SECONDS",
    help="How long running functions may go on after SIGTERM.  [default: 30]",
)
@click.option(
    "--runtime-fallback",
    is_flag=True,
    default=None,
    help="Serve a language version that is missing by the nearest one.",
)
@click.option(
    "--hot-reload",
    is_flag=True,
    default=None,
    help="Let callers run code from directories of this host, for `lambdad dev`.",
)
def serve(path: Path | None, **options: object) -> None:
    """Run the daemon until SIGTERM or Ctrl-C.

    Options win over LAMBDAD_* variables, which win over the file.
    """
    config = configuration(path, {KEYS[name]: value for name, value in options.items()})
    from lambdad.cli.banner import Banner
    from lambdad.domain.errors import HostUnfit
    from lambdad.server.main import serve as run

    try:
        status = run(config, announcer=Banner())
    except HostUnfit as error:
        raise Failure(error.cause, error.remedy) from error
    except OSError as error:
        raise Failure(why_not_listening(error, config.server.host, config.server.port)) from error
    click.get_current_context().exit(status)


def why_not_listening(error: OSError, host: str, port: int) -> str:
    """Say why the endpoint cannot be opened, with the remedy if there is one."""
    import errno

    if error.errno == errno.EADDRINUSE:
        return f"Port {port} of {host} is taken: another lambdad? Choose one with --port."
    if error.errno == errno.EACCES and port and port < 1024:
        return f"Port {port} needs root; choose one above 1023 with --port."
    return str(error)
