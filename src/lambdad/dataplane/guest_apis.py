"""What the processes of one init may call: the Runtime API, the Extensions API, credentials."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from lambdad.dataplane.container_credentials import PATH, ContainerCredentials
from lambdad.dataplane.extensions_api.session import (
    LOGS_PATH,
    PREFIX,
    TELEMETRY_PATH,
    ExtensionsSession,
)
from lambdad.dataplane.runtime_api.session import Reply, RuntimeSession
from lambdad.dataplane.streaming import Flow
from lambdad.protocol.http import HttpRequest

_OF_EXTENSIONS = (PREFIX, TELEMETRY_PATH, LOGS_PATH)


class GuestApis:
    """Passes each request to the session that it is for.

    Attributes:
        credentials: who answers for them, where they are no variables.
    """

    def __init__(self, runtime: RuntimeSession, extensions: ExtensionsSession) -> None:
        self.runtime = runtime
        self.extensions = extensions
        self.credentials: ContainerCredentials | None = None

    def handle(self, request: HttpRequest, reply: Reply) -> None:
        """Answer one request now, or park it."""
        if request.path.startswith(_OF_EXTENSIONS):
            self.extensions.handle(request, reply)
        elif request.path == PATH and self.credentials is not None:
            reply(self.credentials.answer(request))
        else:
            self.runtime.handle(request, reply)

    def open_stream(
        self, path: str, headers: Mapping[str, str], reply: Reply, flow: Flow
    ) -> Callable[[bytes], None] | None:
        """See `RuntimeSession`."""
        return self.runtime.open_stream(path, headers, reply, flow)

    def response_too_large(self) -> None:
        """See `RuntimeSession`."""
        self.runtime.response_too_large()

    def forget(self, reply: Reply) -> None:
        """A connection ended."""
        self.runtime.forget(reply)
        self.extensions.forget(reply)
