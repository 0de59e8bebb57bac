"""The snapshots of versions that SnapStart applies to: which there are, making and forgetting them.

Decides when one is made, again too, and which is given up for want of room; how stands in
`snapstart`. None survives the daemon: the first demand after a start has it made anew, in the
background, while environments are initialised on demand.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, OrderedDict
from collections.abc import Awaitable, Callable
from functools import partial
from weakref import WeakValueDictionary

from lambdad.dataplane.environment import ExecutionEnvironment
from lambdad.dataplane.environment_log import EnvironmentLog
from lambdad.dataplane.environment_owner import EnvironmentOwner
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.restored_environment import (
    RestoredEnvironment,
    TemplateEnvironment,
    init_timeout_s,
)
from lambdad.dataplane.snapstart.image import Capture, Snapshot, SnapshotRefused
from lambdad.domain import snapstart
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import (
    FunctionError,
    PlatformError,
    TooManyRequestsException,
    VersionFailed,
)
from lambdad.domain.functions import Function

_LOGGER = logging.getLogger(__name__)

# Made at once of one account: more would slow down what is being invoked. Code that hangs holds
# nobody else up.
_AT_ONCE = 2
# So often in a row a snapshot of a version may be of no use.
_FAILURES_MAX = 3
# When the function is initialised all has been written: this is for our disk alone, and for a
# process that pretends.
_WRITTEN_S = 60.0

_Version = tuple[FunctionKey, str]
# Counts an environment on the host and waits for room; raises TooManyRequestsException.
Admit = Callable[[ExecutionEnvironment], Awaitable[None]]


class Snapshots:
    """The snapshots of this daemon.

    Mutable: those, by version, the one that was used longest ago first; the versions of which one
    is being made, or cannot be made until the daemon starts anew; and whether any may be made.

    Attributes:
        bytes_max: of all of them together, if there is more than one; 0 allows none.
    """

    def __init__(
        self,
        host: EnvironmentHost,
        owner: EnvironmentOwner,
        admit: Admit,
        *,
        bytes_max: int,
    ) -> None:
        self._host = host
        self._owner = owner
        self._admit = admit
        self.bytes_max = bytes_max
        self._snapshots: OrderedDict[_Version, Snapshot] = OrderedDict()
        self._making: set[_Version] = set()
        self._hopeless: set[_Version] = set()
        self._failures: Counter[_Version] = Counter()
        # As long as somebody is at one.
        self._gates: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._opened = asyncio.Event()

    def open(self) -> None:
        """Begin to make snapshots: environments can be made."""
        self._opened.set()

    def close(self) -> None:
        """Free all of them."""
        while self._snapshots:
            self._snapshots.popitem()[1].close()

    def report(self) -> dict[str, int]:
        """How many there are, how large together, and how many are being made."""
        return {
            "kept": len(self._snapshots),
            "bytes": self.size_bytes,
            "making": len(self._making),
        }

    @property
    def size_bytes(self) -> int:
        """Of all of them."""
        return sum(snapshot.size_bytes for snapshot in self._snapshots.values())

    def environment(self, function: Function) -> ExecutionEnvironment:
        """Return a new environment of a version, restored if there is a snapshot of it."""
        if snapstart.applies(function) and snapstart.optimised(function):
            version = (function.key, function.version)
            snapshot = self._snapshots.get(version)
            if snapshot is not None:
                self._snapshots.move_to_end(version)
                used = partial(self._used, version, snapshot)
                return RestoredEnvironment(function, self._host, self._owner, snapshot, used)
            self._begin_anew(function, version)
        return ExecutionEnvironment(function, self._host, self._owner)

    async def make(self, function: Function) -> bool:
        """Make the snapshot of a version; whether there is one now.

        Raises:
            VersionFailed: the function could not be initialised.
            PlatformError: the host lacks its runtime.
        """
        await self._opened.wait()
        version = (function.key, function.version)
        self._making.add(version)
        try:
            async with self._gate(function.key.account_id):
                snapshot = await self._snapshot(function)
        except SnapshotRefused as refusal:
            _LOGGER.info("%s has no snapshot: %s", function.arn, refusal)
            return False
        except FunctionError as error:
            raise VersionFailed(
                "An error occurred during function initialization.", "FunctionError"
            ) from error
        finally:
            abandoned = version not in self._making
            self._making.discard(version)
        if abandoned:
            snapshot.close()
            return False
        self.put(function, snapshot)
        return True

    def put(self, function: Function, snapshot: Snapshot) -> None:
        """Keep the snapshot of a version; others make room for it."""
        version = (function.key, function.version)
        self._drop(version)
        self._snapshots[version] = snapshot
        while len(self._snapshots) > 1 and self.size_bytes > self.bytes_max:
            self._drop(next(iter(self._snapshots)))

    def forget(self, key: FunctionKey, number: str | None = None) -> None:
        """A version is gone, or without a number all of a function."""
        versions = {*self._snapshots, *self._making, *self._hopeless, *self._failures}
        for version in versions:
            if version[0] == key and number in (None, version[1]):
                self._making.discard(version)
                self._hopeless.discard(version)
                self._failures.pop(version, None)
                self._drop(version)

    def _begin_anew(self, function: Function, version: _Version) -> None:
        if version in self._making or version in self._hopeless:
            return
        self._making.add(version)
        self._host.spawn_task(self._make_anew(function, version))

    async def _make_anew(self, function: Function, version: _Version) -> None:
        try:
            made = await self.make(function)
        except (VersionFailed, PlatformError) as error:
            _LOGGER.warning("the snapshot of %s cannot be made anew: %s", function.arn, error)
            made = False
        if not made:
            # Again only by the next daemon: its init would be paid for at every cold start.
            self._hopeless.add(version)

    def _drop(self, version: _Version) -> None:
        snapshot = self._snapshots.pop(version, None)
        if snapshot is not None:
            snapshot.close()

    def _used(self, version: _Version, snapshot: Snapshot, reason: str) -> None:
        """An environment has tried it; with a reason it was of no use, and the next is made anew.

        Not for ever: what fails time and again costs more than an init.
        """
        if not reason:
            self._failures.pop(version, None)
            return
        if self._snapshots.get(version) is not snapshot:
            return
        self._drop(version)
        self._failures[version] += 1
        if self._failures[version] >= _FAILURES_MAX:
            del self._failures[version]
            self._hopeless.add(version)

    def _gate(self, account_id: str) -> asyncio.Semaphore:
        gate = self._gates.get(account_id)
        if gate is None:
            gate = self._gates[account_id] = asyncio.Semaphore(_AT_ONCE)
        return gate

    async def _snapshot(self, function: Function) -> Snapshot:
        directory = self._host.snapshot_directory
        reason = await self._host.snapshot_obstacle(function)
        if reason is not None or directory is None or not self.bytes_max:
            reason = reason or "This host makes no snapshots (dataplane.snapshots_mb)."
            log = EnvironmentLog(function, self._host.clock, self._host.logs)
            log.notice(_off(reason))
            raise SnapshotRefused(reason)
        capture = Capture(directory, function.memory_mb)
        template = TemplateEnvironment(function, self._host, capture)
        try:
            await self._admit(template)
            await template.initialise_ahead(init_timeout_s(function))
            async with asyncio.timeout(_WRITTEN_S):
                return await capture.result()
        except (PlatformError, TooManyRequestsException, TimeoutError) as error:
            reason = str(error) or "It was not written in time."
            template.notice(_off(reason))
            raise SnapshotRefused(reason) from error
        finally:
            await template.close()
            capture.close()


def _off(reason: str) -> str:
    return f"SnapStart is off for this version, which is initialised on demand: {reason}"
