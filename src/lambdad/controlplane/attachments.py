"""What functions can have beside code, configuration and versions, in one place for the wiring."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from lambdad.controlplane.account_concurrency import AccountConcurrency
from lambdad.controlplane.code_signing import CodeSigning
from lambdad.controlplane.concurrency import ReservedConcurrency
from lambdad.controlplane.event_invoke_configs import EventInvokeConfigs
from lambdad.controlplane.event_source_mappings import EventSourceMappings
from lambdad.controlplane.function_urls import FunctionUrls
from lambdad.controlplane.locks import FunctionLocks
from lambdad.controlplane.mapping_transitions import EventSourcePollers
from lambdad.controlplane.ports import ConcurrencyObserver
from lambdad.controlplane.provisioned_concurrency import ProvisionedConcurrencyConfigs
from lambdad.controlplane.recursion import RecursionConfigs
from lambdad.controlplane.runtime_management import RuntimeManagementConfigs
from lambdad.domain import limits
from lambdad.domain.clock import Clock
from lambdad.storage.base import Engine


class Attachments:
    """All of it; an async context manager that owns the tasks of what has some."""

    def __init__(
        self,
        engine: Engine,
        *,
        locks: FunctionLocks,
        clock: Clock,
        concurrency: ConcurrencyObserver,
        account_concurrency: int = limits.CONCURRENT_EXECUTIONS,
        pollers: EventSourcePollers | None = None,
    ) -> None:
        """`locks` are those of the functions, so that nothing is attached to what goes away.

        `account_concurrency` is the limit of concurrent executions of every account and region.
        """
        self.account_concurrency = AccountConcurrency(engine.resources, account_concurrency)
        self.reserved_concurrency = ReservedConcurrency(
            engine, self.account_concurrency, locks=locks, observer=concurrency
        )
        self.provisioned_concurrency = ProvisionedConcurrencyConfigs(
            engine, self.account_concurrency, locks=locks, clock=clock, observer=concurrency
        )
        self.code_signing = CodeSigning(engine, locks=locks, clock=clock)
        self.event_invoke_configs = EventInvokeConfigs(engine, locks=locks, clock=clock)
        self.event_source_mappings = EventSourceMappings(engine, clock=clock, pollers=pollers)
        self.function_urls = FunctionUrls(engine, locks=locks, clock=clock)
        self.recursion = RecursionConfigs(engine, locks=locks)
        self.runtime_management = RuntimeManagementConfigs(engine, locks=locks)

    async def __aenter__(self) -> Self:
        await self.event_source_mappings.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.event_source_mappings.__aexit__(kind, error, trace)
