"""botocore and our protocols understand each other, for every operation and error of the models.

Each operation is its own test, so that a failure names it.
"""

from __future__ import annotations

import io
import string
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import botocore.parsers
import botocore.serialize
import pytest
from botocore.awsrequest import AWSRequest
from botocore.model import (
    ListShape,
    MapShape,
    OperationModel,
    ServiceModel,
    Shape,
    StructureShape,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from lambdad.protocol.bindings import output_bindings
from lambdad.protocol.errors import ProtocolError
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.protocol.model import load_service
from lambdad.protocol.parser import parse
from lambdad.protocol.router import Router
from lambdad.protocol.serializer import serialize, serialize_error


def model_of(name: str) -> ServiceModel:
    """Return a service's model; `sqs/query` has another protocol than the service's first."""
    service, _, protocol = name.partition("/")
    return load_service(service, protocol or None)


SERVICES = (
    "apigatewayv2",
    "cloudformation",
    "lambda",
    "logs",
    "sts",
    "sqs",
    "sqs/query",
    "sns",
    "s3",
    "dynamodb",
    "dynamodbstreams",
    "kinesis",
    "events",
    "scheduler",
    "cloudwatch",
    "cloudwatch/query",
)
# S3's older twins of operations have the same requests; one answer is no structure at all.
NOT_ROUTED = {
    "GetBucketLifecycle",
    "GetBucketLocation",
    "GetBucketNotification",
    "ListDirectoryBuckets",
    "PutBucketLifecycle",
    "PutBucketNotification",
    "WriteGetObjectResponse",
}
OPERATIONS = [
    (name, each)
    for name in SERVICES
    for each in model_of(name).operation_names
    if name != "s3" or each not in NOT_ROUTED
]
ROUTERS = {name: Router(model_of(name)) for name in SERVICES}
ERRORS = [(name, shape.name) for name in SERVICES for shape in model_of(name).error_shapes]
REQUEST_ID = "8286a188-ba32-4475-8077-530cd35c09a9"

_DEEPEST = 5
_TEXT = st.text(st.characters(min_codepoint=32, exclude_categories=("Cs", "Cc")), max_size=20)
_TOKEN = st.text(string.ascii_letters + string.digits + "-_:/=+$.%", min_size=1, max_size=20)
# Of a list in a header: there is nothing else in the models than lists of text.
_ELEMENT = st.text(string.ascii_letters + string.digits + '-_:/=+$.%,"', min_size=1, max_size=20)
_SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "string": _TEXT,
    "integer": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(allow_nan=False, allow_infinity=False, width=32),
    "double": st.floats(allow_nan=False, allow_infinity=False),
    "boolean": st.booleans(),
    "blob": st.binary(max_size=20),
    "timestamp": st.datetimes(
        min_value=datetime(1971, 1, 1),  # noqa: DTZ001 - hypothesis wants naive bounds
        max_value=datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ).map(lambda value: value.replace(microsecond=0)),
}


def values(shape: Shape, *, least: int = 0, depth: int = 0) -> st.SearchStrategy[Any]:
    """Return values of a shape, whatever its constraints; collections have `least` elements.

    The query protocol and query strings cannot tell an empty collection from an absent one.
    """
    if isinstance(shape, StructureShape):
        return structures(shape, least=least, depth=depth + 1)
    if isinstance(shape, ListShape | MapShape) and depth >= _DEEPEST:
        return st.just([] if isinstance(shape, ListShape) else {})
    if isinstance(shape, ListShape):
        element = values(shape.member, least=least, depth=depth + 1)
        return st.lists(element, min_size=least, max_size=3)
    if isinstance(shape, MapShape):
        element = values(shape.value, least=least, depth=depth + 1)
        return st.dictionaries(_TEXT, element, min_size=least, max_size=3)
    return _SCALARS[shape.type_name]


def structures(
    shape: StructureShape | None, *, least: int = 0, depth: int = 0
) -> st.SearchStrategy[dict[str, Any]]:
    """Return dictionaries with any of the structure's members."""
    if shape is None:
        return st.just({})
    needed: dict[str, st.SearchStrategy[Any]] = {}
    free: dict[str, st.SearchStrategy[Any]] = {}
    for name, member in shape.members.items():
        is_payload = name == shape.serialization.get("payload")
        if member.serialization.get("eventstream") or depth >= _DEEPEST:
            continue
        strategy = _member(member, is_payload=is_payload, least=least, depth=depth)
        located = member.serialization.get("location")
        if located == "uri" or (located and name in shape.required_members and least):
            needed[name] = strategy
        elif is_payload and isinstance(member, StructureShape):
            needed[name] = strategy  # botocore sends `{}` for none
        else:
            free[name] = strategy
    if shape.is_tagged_union:
        return st.one_of([st.fixed_dictionaries({name: each}) for name, each in free.items()])
    members = st.fixed_dictionaries(needed, optional=free)
    if least and free:
        return members.filter(bool)
    return members


def _member(member: Shape, *, is_payload: bool, least: int, depth: int) -> st.SearchStrategy[Any]:
    location = member.serialization.get("location")
    if location == "statusCode":
        return st.integers(200, 299).filter(lambda status: status not in (204, 205))
    if location == "headers":  # HTTP does not keep the case of names
        return st.dictionaries(st.text(string.ascii_lowercase, min_size=1), _TOKEN, min_size=1)
    if location in ("uri", "header", "querystring"):
        return _in_head(member)
    if is_payload and member.type_name == "string":
        return _TOKEN
    if is_payload and member.type_name == "blob":
        return st.binary(min_size=1, max_size=50)  # no bytes are no payload
    return values(member, least=least, depth=depth)


def _in_head(member: Shape) -> st.SearchStrategy[Any]:
    if member.type_name == "string":
        return _TOKEN
    if member.serialization["location"] == "header" and isinstance(member, ListShape):
        return st.lists(_ELEMENT, min_size=1, max_size=3)
    return values(member, least=1)


def sent_by_botocore(operation: OperationModel, params: dict[str, Any]) -> HttpRequest:
    """Return the request that botocore sends for these parameters."""
    protocol = operation.service_model.metadata["protocol"]
    serializer = botocore.serialize.create_serializer(protocol, include_validation=False)
    sent = serializer.serialize_to_request(params, operation)
    url = f"http://localhost{sent['url_path']}"
    request = AWSRequest(
        method=sent["method"],
        url=url,
        headers=sent["headers"],
        data=sent["body"],
        params=sent["query_string"],
    ).prepare()
    parts = urlsplit(request.url)
    body = request.body or b""
    return HttpRequest(
        method=request.method,
        path=parts.path,
        query=parts.query,
        headers={
            name.lower(): value.decode() if isinstance(value, bytes) else str(value)
            for name, value in request.headers.items()
        },
        body=body.encode() if isinstance(body, str) else bytes(body),
    )


def read_by_botocore(operation: OperationModel, response: HttpResponse) -> dict[str, Any]:
    """Return what botocore makes of a response."""
    protocol = operation.service_model.metadata["protocol"]
    parser = botocore.parsers.create_parser(protocol)
    raw = {
        "status_code": response.status,
        "headers": _CaseInsensitive(response.headers),
        "body": io.BytesIO(response.body) if operation.has_streaming_output else response.body,
    }
    parsed: dict[str, Any] = parser.parse(raw, operation.output_shape)
    return parsed


class _CaseInsensitive(dict[str, str]):
    def __init__(self, headers: Any) -> None:
        super().__init__({name.lower(): value for name, value in headers.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


# Of S3's objects, by HTTP itself.
SUPPLIED = ("ContentLength", "ContentType", "Metadata")


def examples(service: str) -> int:
    """How many examples of an operation: they all share the code that reads and writes."""
    return 50 if service in ("lambda", "logs", "sts", "sqs", "sqs/query") else 4


def fewest(service: str) -> int:
    """Of elements: these protocols cannot tell an empty collection from an absent one."""
    return 1 if model_of(service).metadata["protocol"] in ("query", "rest-xml") else 0


def told(value: Any) -> Any:
    """What is left of a value in the query protocol, which says nothing of empty structures."""
    if isinstance(value, dict):
        members = {name: told(each) for name, each in value.items()}
        return {name: each for name, each in members.items() if each not in ({}, [])}
    if isinstance(value, list):
        return [each for each in map(told, value) if each not in ({}, [])]
    return value


@pytest.mark.parametrize(("service", "name"), OPERATIONS)
def test_what_botocore_sends_is_what_is_parsed(service: str, name: str) -> None:
    operation = model_of(service).operation_model(name)
    least = fewest(service)

    @settings(max_examples=examples(service))
    @given(structures(operation.input_shape, least=least))
    def check(params: dict[str, Any]) -> None:
        request = sent_by_botocore(operation, params)
        route = ROUTERS[service].route(request)
        assert route.operation.name == name
        parsed = parse(route.operation, request, route.path_params)
        kept = {
            name: value for name, value in parsed.items() if name in params or name not in SUPPLIED
        }
        if model_of(service).metadata["protocol"] == "query":
            assert told(kept) == told(params)
        else:
            assert kept == params

    check()


@pytest.mark.parametrize(
    ("service", "name"),
    [
        (service, name)
        for service, name in OPERATIONS
        if not model_of(service).operation_model(name).has_event_stream_output
    ],
)
def test_what_is_serialised_is_what_botocore_reads(service: str, name: str) -> None:
    operation = model_of(service).operation_model(name)
    least = fewest(service)

    @settings(max_examples=examples(service))
    @given(structures(operation.output_shape, least=least))
    def check(result: dict[str, Any]) -> None:
        parsed = read_by_botocore(operation, serialize(operation, result, REQUEST_ID))
        metadata = parsed.pop("ResponseMetadata")
        assert metadata["RequestId"] == REQUEST_ID
        assert defaults_dropped(operation, parsed, result) == result

    check()


def defaults_dropped(
    operation: OperationModel, parsed: dict[str, Any], result: dict[str, Any]
) -> dict[str, Any]:
    """Drop what botocore supplies itself: a status, an empty payload."""
    bindings = output_bindings(operation)
    payload = bindings.payload.name if bindings.payload else None
    read = {
        name: value.read() if hasattr(value, "read") else value for name, value in parsed.items()
    }
    supplied = (bindings.status, payload, *SUPPLIED)
    return {name: value for name, value in read.items() if name in result or name not in supplied}


@pytest.mark.parametrize(("service", "code"), ERRORS)
def test_every_modelled_error_is_read_back(service: str, code: str) -> None:
    model = model_of(service)
    shape = next(each for each in model.error_shapes if each.name == code)
    response = serialize_error(
        model, code=code, message="Why <&> so", members={}, request_id=REQUEST_ID
    )
    operation = model.operation_model(model.operation_names[0])
    assert not operation.has_streaming_output
    parsed = read_by_botocore(operation, response)
    expected = shape.metadata.get("error", {})
    # A JSON client of a service with an older protocol is told the code of that one.
    older = shape._shape_model.get("queryError", expected)  # type: ignore[attr-defined]
    assert parsed["Error"]["Code"] == older.get("code", code)
    assert parsed["Error"]["Message"] == "Why <&> so"
    assert parsed["ResponseMetadata"]["RequestId"] == REQUEST_ID
    assert response.status == expected.get("httpStatusCode", response.status)
    assert 400 <= response.status < 600


REQUESTS = st.builds(
    HttpRequest,
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"]),
    path=st.one_of(st.just("/2015-03-31/functions"), st.text(max_size=40).map("/{}".format)),
    query=st.text(max_size=40),
    headers=st.dictionaries(st.sampled_from(["x-amz-target", "content-type"]), st.text()),
    body=st.one_of(st.binary(), st.sampled_from([b"Action=AssumeRole&Tags.member.x=1"])),
)


@given(st.sampled_from(SERVICES), REQUESTS)
def test_no_request_makes_more_of_a_mess_than_a_protocol_error(
    service: str, request: HttpRequest
) -> None:
    refused = None
    try:
        route = ROUTERS[service].route(request)
        parse(route.operation, request, route.path_params)
    except ProtocolError as error:
        refused = error.status
    assert refused in (None, 400, 404, 405)
