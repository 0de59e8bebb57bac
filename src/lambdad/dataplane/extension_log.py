"""What an external extension writes, in the log stream of its environment."""

from __future__ import annotations

from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.observability.lines import LineSplitter


class ExtensionLog:
    """Output of one extension. Mutable: its unfinished line, which is no other process's.

    See `OutputLog`.
    """

    def __init__(self, log: EnvironmentLog) -> None:
        self._log = log
        self._lines = LineSplitter()

    @property
    def congested(self) -> bool:
        """Whether the disk cannot keep up."""
        return self._log.congested

    async def uncongested(self) -> None:
        """Wait until the disk has caught up."""
        await self._log.uncongested()

    def output(self, data: bytes) -> None:
        """The extension wrote to stdout or stderr."""
        for line in self._lines.feed(data):
            self._log.line(line)

    def telemetry(self, data: bytes) -> None:
        """Only runtimes write framed records."""

    def end_of_output(self) -> None:
        """The extension is gone."""
        for line in self._lines.flush():
            self._log.line(line)
