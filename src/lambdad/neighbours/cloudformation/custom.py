"""Custom resources: a function or topic is told what to do, and answers at a URL of ours.

A request has the same id each time it is repeated, and its first answer counts and is durable; so a
stop in between costs nothing but a repetition. Mutable: who waits for which answer.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from functools import partial
from typing import Any

from lambdad.neighbours.cloudformation import rows
from lambdad.neighbours.cloudformation.types.base import Made, ResourceFailed, Work
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.storage.database import Database

PATH = "/_cloudformation/responses/"
_TIMEOUT_S = 3_600
_BODY_MAX = 1 << 20


class CustomResources:
    """See the module."""

    def __init__(self, db: Database, endpoint_url: str) -> None:
        self._db = db
        self._endpoint_url = endpoint_url
        self._waiting: dict[str, asyncio.Event] = {}

    async def answer(self, request: HttpRequest) -> HttpResponse:
        """Take what a custom resource sends to its response URL."""
        token = request.path.removeprefix(PATH)
        if request.method != "PUT" or not token or len(request.body) > _BODY_MAX:
            return HttpResponse(status=403, headers={}, body=b"")
        event = self._waiting.get(token)
        if event is not None:
            text = request.body.decode("utf-8", "replace")
            await self._db.write(partial(rows.put_response, token=token, body=text))
            event.set()
        return HttpResponse(status=200, headers={}, body=b"")

    async def request(
        self,
        kind: str,
        resource_type: str,
        work: Work,
        run: Callable[..., Any],
        stopped: asyncio.Event | None = None,
    ) -> Made:
        """Have it create, update or delete, and wait for its answer.

        Raises:
            ResourceFailed: it says so, or says nothing in time or before the operation `stopped`.
        """
        event = self._waiting.setdefault(work.token, asyncio.Event())
        try:
            stored = await self._db.read(partial(rows.take_response, token=work.token))
            if stored is None:
                await run(partial(_send, kind, resource_type, work, self._endpoint_url))
                async with asyncio.timeout(float(work.get("ServiceTimeout") or _TIMEOUT_S)):
                    await first_of(event, stopped)
                stored = await self._db.read(partial(rows.take_response, token=work.token))
                if stored is None:
                    raise ResourceFailed(f"Resource {kind.lower()[:-1]}ion cancelled")
        except TimeoutError:
            raise ResourceFailed(
                "CloudFormation did not receive a response from your Custom Resource. Please check "
                f"your logs for requestId [{work.token}]. If you are using the Python cfn-response "
                "module, you may need to update your Lambda function code so that CloudFormation "
                "can attach the updated version."
            ) from None
        finally:
            self._waiting.pop(work.token, None)
        return _made(stored or "", work, kind)


async def first_of(one: asyncio.Event, other: asyncio.Event | None) -> None:
    """Return when one of two events happens."""
    if other is None:
        await one.wait()
        return
    tasks = [asyncio.ensure_future(each.wait()) for each in (one, other)]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for each in tasks:
            each.cancel()


def _send(kind: str, resource_type: str, work: Work, endpoint_url: str) -> None:
    properties = work.without("ServiceTimeout")
    target = str(work.get("ServiceToken"))
    event = {
        "RequestType": kind,
        "ServiceToken": target,
        "ResponseURL": f"{endpoint_url}{PATH}{work.token}",
        "StackId": work.stack_id,
        "RequestId": work.token,
        "LogicalResourceId": work.logical_id,
        "ResourceType": resource_type,
        "ResourceProperties": _texts(properties),
        **({"PhysicalResourceId": work.physical_id} if kind != "Create" else {}),
        **({"OldResourceProperties": _texts(work.previous)} if kind == "Update" else {}),
    }
    if ":sns:" in target:
        work.call(
            "sns",
            "Publish",
            TopicArn=target,
            Message=json.dumps(event),
            Subject="AWS CloudFormation custom resource request",
        )
    else:
        work.call(
            "lambda",
            "Invoke",
            FunctionName=target,
            InvocationType="Event",
            Payload=json.dumps(event),
        )


def _texts(value: Any) -> Any:
    """Return properties as AWS sends them: every number and boolean as text."""
    if isinstance(value, dict):
        return {name: _texts(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_texts(each) for each in value]
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else str(value)


def _made(text: str, work: Work, kind: str) -> Made:
    try:
        found = json.loads(text)
        status, reason = found["Status"], found.get("Reason")
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ResourceFailed("Invalid response object: it is no answer in JSON.") from None
    if status != "SUCCESS":
        raise ResourceFailed(
            f"Received response status [FAILED] from custom resource. Message returned: {reason} "
            f"(RequestId: {work.token})"
        )
    physical_id = found.get("PhysicalResourceId") or work.physical_id
    if not physical_id:
        raise ResourceFailed("Invalid PhysicalResourceId")
    data = found.get("Data") or {}
    return Made(physical_id=str(physical_id), attributes=_flat(data))


def _flat(data: Any, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in data.items() if isinstance(data, dict) else ():
        found[prefix + name] = value
        found |= _flat(value, f"{prefix}{name}.")
    return found
