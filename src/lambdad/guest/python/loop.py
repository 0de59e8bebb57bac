"""The life of a Python runtime process: load the handler, then one event after another."""
# ruff: noqa: TID252

import _socket
import os
import sys

from . import ahead, codec, faults, handlers, logs, paths, snapshot_hooks
from .channel import REHEARSED, Channel, open_channel
from .client import Disconnected, RuntimeApi
from .context import LambdaContext, forget, text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Dict, Union

    from .handlers import Handler

    Api = Union[RuntimeApi, Channel]

_TOO_LARGE = 413


def run() -> None:
    """Serve events until the platform ends the process; return never, unless by an exception."""
    environment = os.environ
    logs.prepare_streams()
    sink = logs.open_sink()
    paths.prepare_ahead()
    sys.meta_path.insert(0, logs.LoggingWatcher(sink))
    channel = open_channel()
    template = ahead.wait(_rehearse)
    forget()
    snapshot_hooks.offer()
    paths.prepare(environment)
    api: "Api" = channel or RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    handler = _load(api, sink, environment.get("_HANDLER", ""))
    logs.flush_streams()
    if template is not None:
        template.settle(api, sink)
    try:
        while True:
            headers, body = api.next()
            _serve(api, sink, handler, headers, body)
    except Disconnected:
        # The platform has given this environment up: nobody is left to be told more.
        sys.exit(1)


def _rehearse() -> None:
    """Serve an event as every later one is served, over a channel to nowhere."""
    ours, theirs = _socket.socketpair(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        theirs.send(REHEARSED)
        channel = Channel(ours)
        headers, body = channel.next()
        _serve(channel, logs.Sink(), lambda event, context: event, headers, body)
    finally:
        ours.close()
        theirs.close()
        logs.Current.request_id = logs.Current.tenant_id = None
        _set_trace(None)


def _load(api: "Api", sink: logs.Sink, name: str) -> "Handler":
    try:
        return handlers.resolve(name)
    except Exception as error:  # noqa: BLE001 - a module may raise anything
        failure = faults.document(error)
    logs.warn_of_init_failure()
    logs.log_failure(failure, sink)
    logs.flush_streams()
    api.fail_init(_bytes(failure), failure["errorType"])
    sys.exit(1)


def _serve(
    api: "Api",
    sink: logs.Sink,
    handler: "Handler",
    headers: "Dict[bytes, bytes]",
    body: bytes,
) -> None:
    request = headers[b"lambda-runtime-aws-request-id"]
    request_id = request.decode("ascii")
    logs.Current.request_id = request_id
    logs.Current.tenant_id = text(headers, b"lambda-runtime-aws-tenant-id")
    _set_trace(text(headers, b"lambda-runtime-trace-id"))
    try:
        context = LambdaContext(request_id, headers, sink)
        result, content_type = codec.encode(handler(codec.decode(body), context))
    except Exception as error:  # noqa: BLE001 - a handler may raise anything
        failure = faults.document(error, request_id)
        logs.log_failure(failure, sink)
        logs.flush_streams()
        api.fail(request, _bytes(failure), failure["errorType"])
        return
    logs.flush_streams()
    if api.respond(request, result, content_type) == _TOO_LARGE:
        failure = faults.too_large()
        api.fail(request, _bytes(failure), failure["errorType"])


def _set_trace(header: "str | None") -> None:
    if header:
        os.environ["_X_AMZN_TRACE_ID"] = header
    else:
        os.environ.pop("_X_AMZN_TRACE_ID", None)


def _bytes(failure: "faults.Document") -> bytes:
    return codec.dumps(failure).encode("utf-8", "backslashreplace")
