"""What becomes of an invocation before it is counted: which version runs it, in which chain it is.

Nothing is kept here: an invocation that is refused leaves no trace but in the metrics.
"""

from __future__ import annotations

from lambdad.dataplane.fleet import Fleet
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.lineage import DROPPED_METRIC, arrive, first, received_lineage
from lambdad.dataplane.provisioned import ConfigReader
from lambdad.dataplane.routing import Draw, FunctionReader, is_drawn, route
from lambdad.dataplane.tracing import trace_header
from lambdad.domain.arns import FunctionKey
from lambdad.domain.errors import (
    EFSMountFailureException,
    HostUnfit,
    RecursiveInvocationException,
)
from lambdad.domain.functions import Function
from lambdad.domain.invocations import Invocation
from lambdad.domain.recursion import ALLOW, recursion_config_key, recursive_loop
from lambdad.domain.tenancy import check_tenant, isolates_tenants


class Route:
    """What runs an invocation that names a function so. Mutable: its fleet, once looked up.

    Attributes:
        function: the version.
        lineage: of a chain that begins with it, as it is in the trace header.
    """

    __slots__ = ("fleet", "function", "lineage")

    def __init__(self, function: Function, lineage: str) -> None:
        self.function = function
        self.lineage = lineage
        self.fleet: Fleet | None = None


class Arrivals:
    """Looks at invocations as they come.

    Mutable: what runs whatever comes for it, and at which count of changes it does.
    """

    def __init__(
        self,
        functions: FunctionReader,
        resources: ConfigReader,
        host: EnvironmentHost,
        draw: Draw,
    ) -> None:
        self._functions = functions
        self._resources = resources
        self._host = host
        self._draw = draw
        self._changes = -1
        # By account, region, name and qualifier, whose hashes are known.
        self._known: dict[tuple[str, str, str, str | None], Route] = {}
        self._time = host.clock.time

    def route(
        self, key: FunctionKey, qualifier: str | None, invocation: Invocation
    ) -> tuple[Route, str]:
        """Return what runs an invocation, and its trace header.

        Raises:
            ResourceNotFoundException, ResourceConflictException: see `routing.route`.
            InvalidParameterValueException: it lacks a tenant, or has one too many.
            EFSMountFailureException: a file system is not there.
            RecursiveInvocationException: it is part of a loop.
        """
        if self._changes != self._functions.changes:
            self._changes = self._functions.changes
            self._known.clear()
        name = (key.account_id, key.region, key.name, qualifier)
        route = self._known.get(name)
        if route is None or invocation.tenant_id is not None:
            function = self._route(key, qualifier, invocation.tenant_id)
            route = Route(function, first(key.arn()))
            if self._always(function, key, qualifier):
                self._known[name] = route
        received = invocation.trace_header
        lineage = self._lineage(key, received) if received else route.lineage
        return route, trace_header(received, self._time(), lineage=lineage)

    def _route(self, key: FunctionKey, qualifier: str | None, tenant_id: str | None) -> Function:
        function = route(self._functions, self._resources, key, qualifier, draw=self._draw)
        check_tenant(function, tenant_id)
        self._check_file_systems(function)
        return function

    def _always(self, function: Function, key: FunctionKey, qualifier: str | None) -> bool:
        """Whether it runs whatever names it so, without a tenant, until something changes."""
        if isolates_tenants(function) or "FileSystemConfigs" in function.echoed:
            return False
        return qualifier is None or not is_drawn(self._resources, key, qualifier)

    def _lineage(self, key: FunctionKey, trace: str) -> str:
        try:
            return arrive(
                received_lineage(trace), key.arn(), allowed=lambda: self._may_loop(key)
            ).text
        except RecursiveInvocationException:
            self._host.metrics.add(DROPPED_METRIC, key.arn())
            raise

    def _may_loop(self, key: FunctionKey) -> bool:
        return recursive_loop(self._resources.get(recursion_config_key(key))) == ALLOW

    def _check_file_systems(self, function: Function) -> None:
        try:
            self._host.file_systems(function)
        except HostUnfit as error:
            raise EFSMountFailureException(str(error)) from error
