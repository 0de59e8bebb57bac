"""The life of a Python runtime process: load the handler, then one event after another."""
# ruff: noqa: TID252

import os
import sys

from . import ahead, codec, faults, handlers, logs, paths, snapshot_hooks, trace
from .channel import REHEARSED, Channel, open_channel
from .client import Disconnected, RuntimeApi
from .context import LambdaContext, forget

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Union

    from .client import Event
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
    template = ahead.wait(_rehearse, _prepare)
    api: "Api" = channel or RuntimeApi(environment["AWS_LAMBDA_RUNTIME_API"])
    handler = _load(api, sink, environment.get("_HANDLER", ""))
    logs.flush_streams()
    if template is not None:
        template.settle(api, sink)
    try:
        while True:
            _serve(api, sink, handler, api.next())
    except Disconnected:
        # The platform has given this environment up: nobody is left to be told more.
        sys.exit(1)


def _prepare() -> None:
    """Do what depends on the function's variables."""
    snapshot_hooks.offer()
    paths.prepare(os.environ)


def _rehearse() -> None:
    """Serve an event as every later one is served, over a channel to nowhere."""
    trace.prepare()
    reads, feed = os.pipe()
    answers, writes = os.pipe()
    try:
        os.write(feed, REHEARSED)
        channel = Channel(reads, writes)
        _serve(channel, logs.Sink(), lambda event, context: event, channel.next())
    finally:
        for descriptor in (reads, feed, answers, writes):
            os.close(descriptor)
        logs.CURRENT.request_id = logs.CURRENT.tenant_id = None
        trace.show(b"")
        forget()


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


def _serve(api: "Api", sink: logs.Sink, handler: "Handler", event: "Event") -> None:
    request, _, _, trace_header, _, _, tenant, body = event
    current = logs.CURRENT
    current.request_id = request_id = request.decode("ascii")
    current.tenant_id = tenant_id = tenant.decode("utf-8", "replace") if tenant else None
    trace.show(trace_header)
    try:
        context = LambdaContext(request_id, tenant_id, event, sink)
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


def _bytes(failure: "faults.Document") -> bytes:
    return codec.dumps(failure).encode("utf-8", "backslashreplace")
