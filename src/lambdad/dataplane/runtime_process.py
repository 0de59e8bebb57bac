"""A process of an environment, runtime or extension: its exit and its output."""

from __future__ import annotations

import select
import signal
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

from lambdad.dataplane.output import OutputReader
from lambdad.sandbox.base import ExitStatus, GuestProcess


class OutputLog(Protocol):
    """Where the output of a process goes."""

    @property
    def congested(self) -> bool:
        """Whether the disk cannot keep up, so that the guest should wait."""
        ...

    async def uncongested(self) -> None:
        """Wait until the disk has caught up."""
        ...

    def output(self, data: bytes) -> None:
        """The process wrote to stdout or stderr."""
        ...

    def telemetry(self, data: bytes) -> None:
        """The process wrote framed records."""
        ...

    def end_of_output(self) -> None:
        """The process is gone."""
        ...


class Calls(Protocol):
    """What the process calls the platform by, beside HTTP."""

    def drain(self) -> None:
        """Serve what it has said so far."""
        ...

    def close(self) -> None:
        """Hear nothing more; may be called twice."""
        ...


class RuntimeProcess:
    """Ties a guest process to the log of its environment, and to its calls.

    Mutable: the callback told of its exit, gone once the exit is expected.
    """

    def __init__(
        self,
        process: GuestProcess,
        log: OutputLog,
        exited: Callable[[ExitStatus], None],
        spawn_task: Callable[[Coroutine[Any, Any, None]], None],
        calls: Calls | None = None,
    ) -> None:
        self._process = process
        self._calls = calls
        self._log = log
        self._exited: Callable[[ExitStatus], None] | None = exited
        self._spawn_task = spawn_task
        self._paused = False
        self._readers = [OutputReader(process.output, self._consume(log.output))]
        if process.telemetry is not None:
            self._readers.append(OutputReader(process.telemetry, self._consume(log.telemetry)))
        self._anything = select.poll()
        for reader in self._readers:
            self._anything.register(reader.descriptor, select.POLLIN)
        spawn_task(self._wait())

    def drain(self) -> None:
        """Log what the process has written so far."""
        # After most invocations there is nothing: one look costs less than a read of each.
        if self._anything.poll(0):
            for reader in self._readers:
                reader.drain()

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens when it has ended."""
        self._process.signal(number)

    async def ended(self) -> None:
        """Wait until it has ended."""
        await self._process.wait()

    def disown(self) -> None:
        """Its exit is expected from now on."""
        self._exited = None

    def close(self) -> None:
        """Log the rest of the output and free the pipes; may be called twice."""
        self.disown()
        self.drain()
        self._log.end_of_output()
        for reader in self._readers:
            reader.close()
        if self._calls is not None:
            self._calls.close()

    async def _wait(self) -> None:
        status = await self._process.wait()
        if self._calls is not None and self._exited is not None:
            # Its last words came before its end.
            self._calls.drain()
        if self._exited is not None:
            self._exited(status)

    def _consume(self, write: Callable[[bytes], None]) -> Callable[[bytes], None]:
        def consume(data: bytes) -> None:
            write(data)
            if self._log.congested and not self._paused:
                self._paused = True
                self._spawn_task(self._pause())

        return consume

    async def _pause(self) -> None:
        """Leave the output in its pipe, where it blocks the guest, until the disk catches up."""
        for reader in self._readers:
            reader.pause()
        await self._log.uncongested()
        self._paused = False
        for reader in self._readers:
            reader.resume()
