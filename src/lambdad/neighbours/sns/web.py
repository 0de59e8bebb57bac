"""Takes messages to web endpoints, beside what `Courier` reaches."""

from __future__ import annotations

import asyncio
import base64
import ssl
from urllib.parse import urlsplit

from lambdad.neighbours.delivery.courier import Courier
from lambdad.neighbours.delivery.model import DeliveryFailed, Envelope
from lambdad.neighbours.forwarding import ForwardingFailed, Streams, forward
from lambdad.neighbours.hosting import Setup
from lambdad.neighbours.reach import NotReached, Reach
from lambdad.protocol.http import HttpRequest

_TIMEOUT_S = 15.0
_OK, _TOO_MANY, _SERVER_ERROR = range(200, 300), 429, 500


class TopicCourier(Courier):
    """See `outbox.Sender`. Its targets are ARNs and web addresses."""

    def __init__(self, setup: Setup, name: str) -> None:
        super().__init__(setup, name)
        own_port = urlsplit(setup.endpoint_url).port or 0
        self._reach = Reach(own_port=own_port, local=setup.outgoing.local_addresses)

    async def deliver(self, envelope: Envelope, payload: str) -> None:
        """Deliver once.

        Raises:
            DeliveryFailed: the endpoint did not take it.
        """
        if not envelope.arn.startswith(("http://", "https://")):
            await super().deliver(envelope, payload)
            return
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                status = await self._post(envelope, payload.encode())
        except NotReached as error:
            raise DeliveryFailed("SDK_CLIENT_ERROR", str(error), final=True) from error
        except (TimeoutError, ForwardingFailed, OSError, UnicodeError) as error:
            raise DeliveryFailed("SDK_CLIENT_ERROR", str(error) or "it took too long") from error
        if status not in _OK:
            final = status < _SERVER_ERROR and status != _TOO_MANY
            raise DeliveryFailed("SDK_CLIENT_ERROR", f"it answered {status}", final=final)

    async def _post(self, envelope: Envelope, body: bytes) -> int:
        address = urlsplit(envelope.arn)
        tls = ssl.create_default_context() if address.scheme == "https" else None
        host, port = str(address.hostname), address.port or (443 if tls else 80)

        async def connect() -> Streams:
            return await self._reach.connect(host, port, tls)

        headers = {
            **envelope.options.get("headers", {}),
            "host": address.netloc.rpartition("@")[2],
            "content-type": "text/plain; charset=UTF-8",
            "user-agent": "Amazon Simple Notification Service Agent",
            **_basic(address.username, address.password),
        }
        request = HttpRequest(
            method="POST",
            path=address.path or "/",
            query=address.query,
            headers=headers,
            body=body,
        )
        response = await forward(request, connect)
        if response.pieces is not None:
            await response.pieces.aclose()
        return response.status


def _basic(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    token = base64.b64encode(f"{user}:{password or ''}".encode()).decode()
    return {"authorization": f"Basic {token}"}
