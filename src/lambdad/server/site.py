"""What each request is for: a function URL, a page of lambdad's own, or AWS's API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote

from lambdad.api.app import App
from lambdad.api.code_location import verify
from lambdad.api.quick import QuickInvocations, is_plain
from lambdad.authz.authentication import Authenticator
from lambdad.domain import limits
from lambdad.domain.clock import Clock
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1 import BadHttp
from lambdad.protocol.sigv4_refusals import SignatureRefused
from lambdad.server.activity_pages import ActivityPages
from lambdad.server.doors import Reply
from lambdad.server.front_doors import FrontDoors
from lambdad.server.object_webhook import ObjectWebhook
from lambdad.server.queue_pages import QueuePages
from lambdad.server.runtime_page import RuntimePage
from lambdad.storage.base import PackageStore
from lambdad.triggers.execute_api import broken

_OWN = "/_lambdad/"
_STORE = "s3-events/"
_JSON = {"Content-Type": "application/json"}


class Site:
    """Answers every request of the endpoint."""

    def __init__(
        self,
        app: App,
        *,
        front_doors: FrontDoors,
        health: Callable[[], Awaitable[Mapping[str, Any]]],
        packages: PackageStore,
        queue: QueuePages,
        activity: ActivityPages,
        objects: ObjectWebhook,
        runtimes: RuntimePage,
        code_location_key: bytes,
        authenticator: Authenticator,
        clock: Clock,
    ) -> None:
        self._app = app
        self._invocations = QuickInvocations(app)
        self._front_doors = front_doors
        self._health = health
        self._packages = packages
        self._queue = queue
        self._activity = activity
        self._objects = objects
        self._runtimes = runtimes
        self._code_location_key = code_location_key
        self._authenticator = authenticator
        self._clock = clock

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request; never raises."""
        return await self._answer(request, guest=False)

    def quick(self, request: HttpRequest, reply: Reply) -> bool:
        """See `doors.Quick`."""
        if is_plain(request) and not self._front_doors.claims(request):
            return self._invocations.take(request, reply)
        answered = False

        def once(response: HttpResponse) -> None:
            nonlocal answered
            answered = True
            reply(response)

        try:
            return self._front_doors.take(request, once)
        except Exception as error:  # noqa: BLE001 - told and logged
            if not answered:
                reply(broken(error))
            return True

    async def handle_guest(self, request: HttpRequest) -> HttpResponse:
        """Answer one request that comes from inside a sandbox; never raises."""
        return await self._answer(request, guest=True)

    async def _answer(self, request: HttpRequest, *, guest: bool) -> HttpResponse:
        try:
            answering = self._front_doors.answer(request, guest=guest)
            if answering is not None:
                return await answering
            if request.path.startswith(_OWN):
                return await self._own(request, guest=guest)
            base_url = f"http://{request.headers.get('host', 'localhost')}"
            return await self._app.handle(request, base_url=base_url, guest=guest)
        except Exception as error:  # noqa: BLE001 - told and logged
            return broken(error)

    def refuse(self, bad: BadHttp, method: str, path: str) -> HttpResponse:
        """Answer bytes that are no request: in AWS's form where AWS has one."""
        if bad.status == 413 and path.endswith("/invocations"):
            return _error(
                413,
                "RequestTooLargeException",
                f"Request must be smaller than {limits.INVOKE_REQUEST_BYTES_MAX} bytes for the "
                "InvokeFunction operation",
            )
        if bad.status == 413:
            operation = "UpdateFunctionCode" if method == "PUT" else "CreateFunction"
            return _error(
                413,
                "RequestEntityTooLargeException",
                "Request must be smaller than "
                f"{limits.CREATE_FUNCTION_REQUEST_BYTES_MAX} bytes for the {operation} operation",
            )
        return _message(bad.status, bad.reason)

    async def _own(self, request: HttpRequest, *, guest: bool) -> HttpResponse:
        name = request.path.removeprefix(_OWN)
        if name.partition("/")[0] == "queue" or name in ("events", "sources"):
            refusal = self._not_the_operator(request, guest=guest)
            return refusal or await self._operators(request, name)
        if name.startswith(_STORE):
            return await self._stores(request, name.removeprefix(_STORE), guest=guest)
        if request.method not in ("GET", "HEAD"):
            return _message(405, "Only GET is served here.")
        return await self._page(request, name)

    async def _page(self, request: HttpRequest, name: str) -> HttpResponse:
        if name == "runtimes":
            return await self._runtimes.handle()
        if name == "health":
            body = json.dumps(await self._health(), indent=2).encode() + b"\n"
            return HttpResponse(status=200, headers=_JSON, body=body)
        if name.startswith("code/"):
            return await self._code(request)
        return _message(404, "There is no such page; /_lambdad/health is one.")

    async def _stores(self, request: HttpRequest, name: str, *, guest: bool) -> HttpResponse:
        """Take what another object store tells; its token is its proof."""
        if self._authenticator.must_prove(guest=guest) and not self._objects.guarded:
            return _message(403, "Set s3_events.token, and have the store send it.")
        return await self._objects.handle(request, unquote(name))

    async def _operators(self, request: HttpRequest, name: str) -> HttpResponse:
        if name in ("events", "sources"):
            return await self._activity.handle(request, name)
        return await self._queue.handle(request, name.removeprefix("queue").strip("/"))

    def _not_the_operator(self, request: HttpRequest, *, guest: bool) -> HttpResponse | None:
        """Refuse a page for operators to whoever must prove who they are and does not."""
        if not self._authenticator.must_prove(guest=guest):
            return None
        try:
            caller = self._authenticator.prove(request)
        except SignatureRefused as refused:
            error = refused.as_error("json")
            return _error(error.status or 403, error.code, error.message)
        if guest or caller.role_arn is not None:
            return _error(403, "AccessDeniedException", "Roles may not see this page.")
        return None

    async def _code(self, request: HttpRequest) -> HttpResponse:
        """The download behind GetFunction's `Code.Location`."""
        package = verify(
            self._code_location_key,
            path=request.path,
            query=request.query,
            now_s=self._clock.time(),
        )
        if package is None:
            return _message(403, "This link is not valid, or not any more; call GetFunction again.")
        archive = self._packages.archive(package.digest)
        try:
            body = await asyncio.to_thread(archive.read_bytes)
        except FileNotFoundError:
            return _message(404, "The code behind this link has been replaced since.")
        return HttpResponse(status=200, headers={"Content-Type": "application/zip"}, body=body)


def _message(status: int, text: str) -> HttpResponse:
    body = json.dumps({"message": text}).encode()
    return HttpResponse(status=status, headers=_JSON, body=body)


def _error(status: int, code: str, text: str) -> HttpResponse:
    body = json.dumps({"Type": "User", "message": text}).encode()
    return HttpResponse(status=status, headers={**_JSON, "x-amzn-ErrorType": code}, body=body)
