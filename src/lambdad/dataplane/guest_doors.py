"""What the processes of an environment call, served on the listeners inside its sandbox."""

from __future__ import annotations

from collections.abc import Callable

from lambdad.dataplane.guest_apis import GuestApis
from lambdad.dataplane.host import EnvironmentHost
from lambdad.dataplane.runtime_api.connection import RuntimeApiServer
from lambdad.domain.environments import RUNTIME_API_PORT
from lambdad.sandbox.base import Sandbox


class GuestDoors:
    """The Runtime API and lambdad's AWS endpoint of one environment.

    Mutable: both, once open, and whether they are closed for good.

    `apis` are those of the processes that there are. Who calls before the doors are open waits.
    """

    def __init__(self, host: EnvironmentHost, apis: Callable[[], GuestApis]) -> None:
        self._host = host
        self._apis = apis
        self._server: RuntimeApiServer | None = None
        self._endpoint_close: Callable[[], None] | None = None
        self._closed = False

    async def open(self, sandbox: Sandbox) -> None:
        """Begin to serve; may be called twice."""
        if self._server is None and not self._closed:
            listener = sandbox.listeners[RUNTIME_API_PORT].socket
            self._server = RuntimeApiServer(listener, self._apis)
            await self._server.open()
            if not self._closed:
                self._endpoint_close = await self._host.serve_endpoint(sandbox)
        if self._closed:  # perhaps meanwhile
            self.close()

    def disconnect(self) -> None:
        """Drop every connection to the Runtime API: its process is gone."""
        if self._server is not None:
            self._server.disconnect()

    def close(self) -> None:
        """Serve nothing any more; may be called twice."""
        self._closed = True
        if self._server is not None:
            self._server.close()
        if self._endpoint_close is not None:
            self._endpoint_close()
            self._endpoint_close = None
