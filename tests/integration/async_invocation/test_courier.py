"""Records on their way to AWS services, as botocore sends them to a server that listens."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from lambdad.async_invocation.delivery import AwsCourier, DeliveryFailed
from lambdad.async_invocation.policies import EventPolicies
from lambdad.domain.async_events import AsyncEvent, EventKind
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock
from lambdad.testing.events import an_event
from lambdad.testing.functions import a_function

LETTER = {
    "form": "dead-letter",
    "RequestID": "r-1",
    "ErrorCode": "200",
    "ErrorMessage": "no",
}
RECORD = {"form": "destination", "outcome": "Failure", "object_key": "aws/lambda/async/f/x"}


class Service:
    """Answers as it is told and keeps what it was sent."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.body = b"{}"
        service = self

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                service.seen.append((self.path, headers, body))
                self.send_response(service.status)
                self.send_header("Content-Length", str(len(service.body)))
                self.end_headers()
                self.wfile.write(service.body)

            do_POST = do_PUT = answer  # noqa: N815 - http.server's names

            def log_message(self, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
def courier(service: Service) -> Iterator[AwsCourier]:
    store = engine("memory")(Path("/nowhere"), FakeClock())
    policies = EventPolicies(store.functions, store.resources)
    courier = AwsCourier(service.url, policies=policies, clock=FakeClock())
    yield courier
    courier.close()


def report(target: str, details: dict[str, str]) -> AsyncEvent:
    return an_event(
        kind=EventKind.DELIVERY,
        payload=b'{"n":1}',
        target=target,
        details=details,
        trace_header="Root=1-2-3",
    )


async def test_a_record_becomes_a_message_with_the_trace(
    courier: AwsCourier, service: Service
) -> None:
    service.body = json.dumps({"MessageId": "m"}).encode()
    await courier.deliver(report("arn:aws:sqs:eu-west-1:000000000000:q", RECORD))
    [(_, headers, body)] = service.seen
    message = json.loads(body)
    assert headers["x-amz-target"] == "AmazonSQS.SendMessage"
    assert "/eu-west-1/sqs/" in headers["authorization"]
    assert "Credential=000000000000/" in headers["authorization"]
    assert message["QueueUrl"] == f"{service.url}/000000000000/q"
    assert message["MessageBody"] == '{"n":1}'
    assert message["MessageSystemAttributes"]["AWSTraceHeader"]["StringValue"] == "Root=1-2-3"


async def test_a_dead_letter_has_its_attributes(courier: AwsCourier, service: Service) -> None:
    await courier.deliver(report("arn:aws:sqs:us-east-1:000000000000:q", LETTER))
    [(_, _, body)] = service.seen
    assert json.loads(body)["MessageAttributes"] == {
        "RequestID": {"DataType": "String", "StringValue": "r-1"},
        "ErrorCode": {"DataType": "Number", "StringValue": "200"},
        "ErrorMessage": {"DataType": "String", "StringValue": "no"},
    }


async def test_a_topic_is_published_to(courier: AwsCourier, service: Service) -> None:
    service.body = (
        b'<PublishResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/"><PublishResult>'
        b"<MessageId>m</MessageId></PublishResult></PublishResponse>"
    )
    topic = "arn:aws:sns:us-east-1:000000000000:t"
    await courier.deliver(report(topic, LETTER))
    [(_, _, body)] = service.seen
    form = parse_qs(body.decode())
    assert (form["Action"], form["TopicArn"], form["Message"]) == (
        ["Publish"],
        [topic],
        ['{"n":1}'],
    )
    assert "ErrorCode" in [value for (value,) in form.values()]


async def test_a_bus_gets_an_event(courier: AwsCourier, service: Service) -> None:
    service.body = b'{"FailedEntryCount":0,"Entries":[{"EventId":"e"}]}'
    bus = "arn:aws:events:us-east-1:000000000000:event-bus/default"
    await courier.deliver(report(bus, RECORD))
    [(_, _, body)] = service.seen
    [entry] = json.loads(body)["Entries"]
    assert entry == {
        "EventBusName": bus,
        "Source": "lambda",
        "DetailType": "Lambda Function Invocation Result - Failure",
        "Resources": [bus, "arn:aws:lambda:us-east-1:000000000000:function:f:$LATEST"],
        "Detail": '{"n":1}',
    }


async def test_a_bus_that_refuses_the_entry_has_not_taken_it(
    courier: AwsCourier, service: Service
) -> None:
    service.body = b'{"FailedEntryCount":1,"Entries":[{"ErrorCode":"x"}]}'
    with pytest.raises(DeliveryFailed, match="x"):
        await courier.deliver(
            report("arn:aws:events:us-east-1:000000000000:event-bus/default", RECORD)
        )


async def test_a_bucket_gets_an_object(courier: AwsCourier, service: Service) -> None:
    service.body = b""
    await courier.deliver(report("arn:aws:s3:::b", RECORD))
    [(path, _, body)] = service.seen
    assert path == "/b/aws/lambda/async/f/x"
    assert b'{"n":1}' in body


@pytest.mark.parametrize(
    ("target", "details"),
    [
        ("arn:aws:sqs:us-east-1:000000000000:q", RECORD),
        ("arn:aws:kafka:us-east-1:000000000000:q", RECORD),
        ("arn:aws:s3:::b", LETTER),
        ("kafka://topic", RECORD),
        ("arn:aws:lambda:us-east-1:000000000000:function:absent", RECORD),
    ],
)
async def test_what_is_not_taken_is_an_error_that_says_so(
    courier: AwsCourier, service: Service, target: str, details: dict[str, str]
) -> None:
    service.status = 500
    with pytest.raises(DeliveryFailed):
        await courier.deliver(report(target, details))


async def test_a_function_gets_its_record_as_an_event_of_its_own() -> None:
    clock = FakeClock()
    store = engine("memory")(Path("/nowhere"), clock)
    await store.functions.insert(a_function())
    policies = EventPolicies(store.functions, store.resources)
    courier = AwsCourier("http://127.0.0.1:9", policies=policies, clock=clock)
    arn = "arn:aws:lambda:us-east-1:000000000000:function:f"
    follow_up: Any = await courier.deliver(report(f"{arn}:live", RECORD))
    courier.close()
    assert (follow_up.kind, follow_up.qualifier) == (EventKind.INVOCATION, "live")
    assert (follow_up.key.arn(), follow_up.payload) == (arn, b'{"n":1}')
    assert follow_up.request_id != an_event().request_id
    assert follow_up.trace_header == "Root=1-2-3", "the trace goes on"
