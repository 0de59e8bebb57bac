"""`lambdad serve`: from settings to a daemon that answers, and back to a clean host."""

from __future__ import annotations

import asyncio
import gc
import resource
import signal

import uvloop

from lambdad.config.sections import Config
from lambdad.domain.clock import SystemClock
from lambdad.server.announcements import Announcer, Readiness, Silence
from lambdad.server.daemon import Daemon
from lambdad.server.notify import notify
from lambdad.server.tasks import Tasks


def serve(config: Config, announcer: Announcer | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; returns the exit status.

    Raises:
        HostUnfit: the data directory or the chosen backend cannot be used.
        OSError: the address cannot be listened on.
    """
    _raise_descriptor_limit()
    try:
        return uvloop.run(_serve(config, announcer or Silence()))
    except BaseExceptionGroup as group:
        # A TaskGroup wraps what made it fail; people should read the cause itself.
        raise _first(group) from None


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


async def _serve(config: Config, announcer: Announcer) -> int:
    clock = SystemClock()
    begun = clock.monotonic()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        tasks = Tasks(group)
        daemon = Daemon(config, clock, tasks)
        try:
            await daemon.open()
            _quieten_collector()
            announcer.ready(
                Readiness(
                    endpoint_url=daemon.endpoint_url,
                    backend=daemon.backend_name,
                    isolated=daemon.isolated,
                    data_dir=config.server.data_dir.absolute(),
                    warnings=daemon.warnings,
                    started_in_s=clock.monotonic() - begun,
                )
            )
            notify(f"READY=1\nSTATUS=Serving {daemon.endpoint_url}")
            await stop.wait()
            notify("STOPPING=1")
            announcer.draining(daemon.running)
        finally:
            await daemon.close()
            tasks.cancel_all()
    announcer.stopped()
    return 0


def _quieten_collector() -> None:
    """Keep the garbage collector from walking what lives as long as the daemon."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def _raise_descriptor_limit() -> None:
    """Take all descriptors the host allows: an environment needs nine of them.

    Guests get their own limit, which is lower.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
