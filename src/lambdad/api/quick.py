"""Plain synchronous invocations, from request to answer by calls alone: no task, no future.

Serves what `prepared` knows, or can find out at once: everything else takes the general way. Both
have the same rules: who calls is found out each time, the checks of the request itself are the
operation's own functions, and answers are laid out by what the general way makes of a sample.
"""

from __future__ import annotations

from collections.abc import Callable

from lambdad.api.app import App, context_of, failure, laid_out
from lambdad.api.lambda_.invocations import answer_of, check_size, event_of, prepare
from lambdad.api.prepared import Prepared
from lambdad.authz.callers import Caller
from lambdad.authz.principals import DEFAULT_REGION
from lambdad.domain.errors import LambdadError
from lambdad.domain.invocations import Invocation, InvocationResult
from lambdad.protocol.aws_chunked import is_chunked
from lambdad.protocol.bindings import input_bindings
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.http1_responses import encode_response
from lambdad.protocol.sigv4 import Credential, claim_of, parse_credential
from lambdad.protocol.sigv4_refusals import SignatureRefused
from lambdad.protocol.validator import validate

Reply = Callable[[HttpResponse | bytes], None]

_OPERATION = "Invoke"
_ACTION = "InvokeFunction"
_BEGINNING, _END = "/2015-03-31/functions/", "/invocations"
_KIND, _PLAIN_KIND = "x-amz-invocation-type", "RequestResponse"
_HASH = "x-amz-content-sha256"
_TOKEN = "x-amz-security-token"  # noqa: S105 - the name of a header


def is_plain(request: HttpRequest) -> bool:
    """Whether a request may be such an invocation, as far as its first line tells."""
    path = request.path
    return (
        path.startswith(_BEGINNING)
        and path.endswith(_END)
        and request.method == "POST"
        and not request.query
        and request.upload is None
    )


class QuickInvocations:
    """Begins invocations. Without state of its own but the layout of an answer."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.service = app.offered["lambda"]
        self._signing_name = str(self.service.model.signing_name)
        self._permissions = app.services.functions.permissions
        self._prepared = app.services.prepared
        self._begin_work = app.services.invoker.begin
        self._request_ids = app.request_ids
        self.operation = self.service.model.operation_model(_OPERATION)
        bound = {each.wire_name.lower() for each in input_bindings(self.operation).headers}
        self._special = frozenset(bound - {_KIND} | {"x-amz-target"})
        self.layout = _layout(self)

    def take(self, request: HttpRequest, reply: Reply) -> bool:
        """Begin a request that `is_plain` and is for AWS's endpoint.

        `reply` gets the answer, which may be now, or its bytes. False, and nothing was done: it
        has to take the general way.
        """
        headers = request.headers
        if not self._special.isdisjoint(headers):
            return False
        if _HASH in headers and is_chunked(request):
            return False
        if _KIND in headers and headers[_KIND] != _PLAIN_KIND:
            return False
        claim = None if _TOKEN in headers else claim_of(headers.get("authorization", ""))
        found = None if claim is None else self._prepared.recall(request.path, claim)
        if found is None:
            found = self._find(request)
            if found is None:
                return False
            if claim is not None and not found[0].proven:
                self._prepared.keep(request.path, claim, *found)
        caller, prepared = found
        self._begin(request, reply, caller, prepared)
        return True

    def _find(self, request: HttpRequest) -> tuple[Caller, Prepared] | None:
        """Find out who calls, and what is known of that and of the function."""
        credential = parse_credential(request)
        app = self.app
        if app.elsewhere.identify(request, credential) != self.service.name:
            return None
        try:
            caller = app.authenticator.authenticate(
                request, service=self._signing_name, credential=credential
            )
        except SignatureRefused:
            return None
        region = credential.region if credential is not None else DEFAULT_REGION
        name = request.path[len(_BEGINNING) : -len(_END)]
        prepared = self._prepared.find(name, caller, region)
        if prepared is None:
            prepared = self._first(request, name, credential, caller)
        return None if prepared is None else (caller, prepared)

    def _first(
        self, request: HttpRequest, name: str, credential: Credential | None, caller: Caller
    ) -> Prepared | None:
        """Check in full; None where the general way has to, or tells best why it is refused."""
        context = context_of(
            request,
            credential,
            caller,
            self.app.services,
            authenticator=self.app.authenticator,
            request_id="",
        )
        try:
            validate(self.operation, {"FunctionName": name})
            return prepare(context, name)
        except Exception:  # noqa: BLE001 - the general way comes to the same, and tells
            return None

    def _begin(
        self, request: HttpRequest, reply: Reply, caller: Caller, prepared: Prepared
    ) -> None:
        request_id = next(self._request_ids)
        asked = _Asked(self, request, reply, caller, request_id)
        target = prepared.target
        try:
            check_size(request)
            if not prepared.settled:
                self._permissions.require(target, caller.principal, _ACTION)
            invocation = Invocation(
                request_id=request_id,
                payload=event_of(request.body),
                invoked_arn=prepared.invoked_arn,
                trace_header=request.headers.get("x-amzn-trace-id"),
            )
            self._begin_work(target.key, target.qualifier, invocation, asked)
        except Exception as error:  # noqa: BLE001 - told and logged
            asked.fail(error)


class _Asked:
    """A request that waits for its outcome; see `dataplane.work.Waiter`."""

    __slots__ = ("_door", "_reply", "_request", "_told", "caller", "request_id")

    def __init__(
        self,
        door: QuickInvocations,
        request: HttpRequest,
        reply: Reply,
        caller: Caller,
        request_id: str,
    ) -> None:
        self.caller = caller
        self.request_id = request_id
        self._door = door
        self._request = request
        self._reply = reply
        self._told = False

    def done(self) -> bool:
        """Whether it has its answer."""
        return self._told

    def set_result(self, result: InvocationResult, /) -> None:
        """Answer with an outcome: the plain one in the known layout."""
        self._told = True
        if result.function_error is not None:
            self._reply(_response(self._door, self.request_id, result))
            return
        texts = (self.request_id, result.executed_version, result.trace_header)
        head = self._door.layout % (*texts, len(result.payload))
        self._reply(head.encode("latin-1") + result.payload)

    def set_exception(self, exception: LambdadError, /) -> None:
        """It did not come to the function."""
        self.fail(exception)

    def fail(self, error: Exception) -> None:
        """Answer with an error."""
        self._told = True
        door = self._door
        context = context_of(
            self._request,
            parse_credential(self._request),
            self.caller,
            door.app.services,
            authenticator=door.app.authenticator,
            request_id=self.request_id,
        )
        self._reply(failure(door.service, self._request, context, error))


def _response(door: QuickInvocations, request_id: str, result: InvocationResult) -> HttpResponse:
    return laid_out(door.operation, answer_of(result), request_id)


def _layout(door: QuickInvocations) -> str:
    """Return the head of a plain answer, as the general way makes it, to be filled in."""
    names = ("request-id", "version", "trace")
    sample = InvocationResult(payload=b"", executed_version="version", trace_header="trace")
    response = _response(door, "request-id", sample)
    head = encode_response(response, keep_alive=True).decode("latin-1").replace("%", "%%")
    places = [head.index(f": {name}\r\n") for name in names]
    assert places == sorted(places), head  # noqa: S101 - the order in which they are filled in
    for name in names:
        head = head.replace(f": {name}\r\n", ": %s\r\n")
    return head.replace("Content-Length: 0\r\n", "Content-Length: %d\r\n")
