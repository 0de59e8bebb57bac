"""What an environment says of itself, and proves: its variables, credentials and AWS endpoint."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from lambdad.authz.role_credentials import LIFETIME_S, RoleCredentials
from lambdad.dataplane.container_credentials import (
    TEMPLATE_LIFETIME_S,
    ContainerCredentials,
    Tokens,
)
from lambdad.domain.environments import RUNTIME_API_PORT, InitializationType
from lambdad.domain.functions import Function
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import environment_of
from lambdad.sandbox.base import Listener, Sandbox

ServeEndpoint = Callable[[Listener], Awaitable[Callable[[], None]]]


class Identities:
    """Gives each environment its own.

    `serve_endpoint` and `endpoint_port` as in `EnvironmentHost`.
    """

    def __init__(
        self, credentials: RoleCredentials, serve_endpoint: ServeEndpoint, endpoint_port: int
    ) -> None:
        self._credentials = credentials
        self._serve_endpoint = serve_endpoint
        self._endpoint_port = endpoint_port
        self._tokens = Tokens()

    async def serve(self, sandbox: Sandbox) -> Callable[[], None]:
        """Serve the AWS endpoint inside a sandbox; credentials are good until that ends."""
        close = await self._serve_endpoint(sandbox.listeners[self._endpoint_port])
        self._credentials.begin(sandbox.environment_id)

        def end() -> None:
            self._credentials.end(sandbox.environment_id)
            close()

        return end

    def asked(
        self, sandbox: Sandbox, function: Function, *, template: bool
    ) -> ContainerCredentials:
        """Return what answers an environment that has no credentials and asks for them."""
        environment_id = sandbox.environment_id
        lifetime_s = TEMPLATE_LIFETIME_S if template else LIFETIME_S
        return ContainerCredentials(
            self._tokens.of(function),
            lambda: self._credentials.session(environment_id, function, lifetime_s),
        )

    def variables(
        self,
        sandbox: Sandbox,
        function: Function,
        *,
        runtime: Runtime,
        initialization: InitializationType,
        log_stream: str,
        asked: ContainerCredentials | None = None,
    ) -> Mapping[str, str]:
        """Return the variables of one init, with credentials of its own or where to ask."""
        runtime_api = sandbox.listeners[RUNTIME_API_PORT].address
        credentials = (
            self._credentials.issue(sandbox.environment_id, function)
            if asked is None
            else asked.variables(runtime_api)
        )
        return environment_of(
            runtime,
            function,
            runtime_api=runtime_api,
            endpoint_url=f"http://{sandbox.listeners[self._endpoint_port].address}",
            log_stream=log_stream,
            credentials=credentials,
            initialization_type=initialization,
            guest_path=sandbox.guest_path,
        )
