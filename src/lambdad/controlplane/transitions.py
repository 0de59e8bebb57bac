"""Brings created and updated versions into service, in the background and after a restart.

Decides nothing about configurations; writes one more row when a version is ready and says so. Until
then the old configuration serves: it is stored beside the new one, so a restart changes nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Mapping
from types import TracebackType
from typing import Any, Self

from lambdad.controlplane import configuration
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.ports import VersionObserver, VersionPreparer
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import LambdadError, VersionFailed
from lambdad.domain.functions import Function
from lambdad.domain.images import ImageProblem
from lambdad.storage.base import FunctionStore, RevisionMismatch

_LOGGER = logging.getLogger(__name__)

_Version = tuple[FunctionKey, str]


class Transitions:
    """Owner of the tasks that finish creations and updates; an async context manager.

    Leaving it gives up preparations that still go on; the next start takes them up again.
    Mutable state: `_running`, the events that are set when a transition that is one write has
    ended; `_tasks`, the transitions that are more.
    """

    def __init__(
        self,
        store: FunctionStore,
        locks: FunctionLocks,
        *,
        observer: VersionObserver,
        preparer: VersionPreparer | None = None,
        least_s: float = 0.0,
    ) -> None:
        """Without a preparer a version is ready `least_s` seconds after it is stored."""
        self._store = store
        self._locks = locks
        self._observer = observer
        self._preparer = preparer
        self._least_s = least_s
        self._group = asyncio.TaskGroup()
        self._running: dict[_Version, asyncio.Event] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        for function in self._store.unfinished():
            self.begin(function)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await self._group.__aexit__(kind, error, trace)

    def begin(self, function: Function) -> None:
        """Bring this stored, unfinished version into service; returns at once."""
        version = (function.key, function.version)
        ended = asyncio.Event()
        if not self._lasts(function):
            self._running[version] = ended
            self._group.create_task(self._finish(function, version, ended))
            return
        # What another update began goes on, in vain.
        self._running.pop(version, None)
        task = self._group.create_task(self._finish(function, version, ended))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def uninterrupted(self, write: Awaitable[None]) -> None:
        """Await a write that goes on to its end even if the caller is cancelled meanwhile.

        Raises what the write raises.
        """
        outcome = await asyncio.shield(self._group.create_task(_outcome(write)))
        if outcome is not None:
            raise outcome

    async def settled(self, key: FunctionKey, version: str) -> None:
        """Wait for the write that ends a transition, if that write is all there is to wait for.

        Clients look again only after one to five seconds, so a reader that comes within the
        millisecond of that write is better served late than with a passing state.
        """
        if (ended := self._running.get((key, version))) is not None:
            await ended.wait()

    async def _finish(self, function: Function, version: _Version, ended: asyncio.Event) -> None:
        try:
            await self._write(function, await self._prepare(function))
        except Exception:
            # The row stays unfinished; the next start of lambdad takes it up again.
            _LOGGER.exception("%s stays unfinished.", function.key.arn(function.version))
        finally:
            ended.set()
            if self._running.get(version) is ended:
                del self._running[version]

    def _lasts(self, function: Function) -> bool:
        """Whether its transition is more than one write."""
        concerns = self._preparer is not None and self._preparer.concerns(function)
        return concerns or self._least_s > 0

    async def _prepare(self, function: Function) -> LambdadError | Mapping[str, Any]:
        """Why it cannot be brought into service, else what members it has from now on."""
        prepared: Mapping[str, Any] = {}
        if not self._lasts(function):
            return prepared
        pause = self._group.create_task(asyncio.sleep(self._least_s))
        try:
            if self._preparer is not None and self._preparer.concerns(function):
                prepared = await self._preparer.prepare(function)
            await pause
        except LambdadError as error:
            _LOGGER.warning(
                "Version %s of %s is not ready: %s", function.version, function.arn, error
            )
            return error
        finally:
            pause.cancel()
        return prepared

    async def _write(self, function: Function, outcome: LambdadError | Mapping[str, Any]) -> None:
        async with self._locks.of(function.key):
            # Read again: tags may have changed since, which leaves the revision alone.
            current = self._store.get(function.key, function.version)
            if current is None or current.revision_id != function.revision_id:
                return
            ended = (
                configuration.failed(current, reason=str(outcome), code=_reason_code(outcome))
                if isinstance(outcome, LambdadError)
                else configuration.in_service(current, outcome)
            )
            with contextlib.suppress(RevisionMismatch):
                await self._store.replace(ended, expected_revision=current.revision_id)
                self._observer.version_changed(ended)


def _reason_code(failure: LambdadError) -> str:
    if isinstance(failure, ImageProblem | VersionFailed):
        return failure.reason_code
    return "InternalError"


async def _outcome(write: Awaitable[None]) -> BaseException | None:
    """Return what the write raised: raised in a task of the group, it would end the others."""
    [outcome] = await asyncio.gather(write, return_exceptions=True)
    return outcome
