"""Random requests over HTTP, honest and mutated: every one is answered, none by a failure.

`make test` sends some three thousand; set TEST_FUZZ to a factor for more.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
from typing import Any
from urllib.parse import quote, urlencode

import botocore.session
import pytest
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lambdad.testing.deploy import zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

FACTOR = float(os.environ.get("TEST_FUZZ", "1"))
SESSION = botocore.session.get_session()
MODELS = {name: SESSION.get_service_model(name) for name in ("lambda", "logs", "sts")}
SETTINGS = settings(
    deadline=None,
    derandomize=FACTOR == 1,
    database=None,
    suppress_health_check=list(HealthCheck),
)

TEXT = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "",
            "f",
            "function:f",
            "f:$LATEST",
            "f:1",
            "arn:aws:lambda:us-east-1:000000000000:function:f",
            "arn:aws:lambda:eu-west-1:123456789012:function:f:live",
            "../../etc/passwd",
            "\x00",
            "'; DROP TABLE functions; --",
            "%s%n{}",
            "\ud7ff\uffff\U0010ffff",
            "x" * 300,
            "python3.12",
            "arn:aws:iam::000000000000:role/r",
            "/aws/lambda/f",
            "{ $.a = 1 }",
            "[a, b, ...]",
            "%a(b+)+$%",
        ]
    ),
)
NUMBER = st.one_of(
    st.integers(-(2**70), 2**70), st.sampled_from([0, 1, -1, 128, 900, 2**31, 2**63, 10_000])
)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBER | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
PACKAGE = zip_of({"app.py": "def handler(event, context):\n    return event\n"})


FUNCTION = "arn:aws:lambda:us-east-1:000000000000:function:f"
PLAUSIBLE: dict[str, list[Any]] = {
    "FunctionName": ["f", FUNCTION, "f:$LATEST", "made"],
    "Resource": [FUNCTION, f"{FUNCTION}:1"],
    "Qualifier": ["$LATEST", "1", "live"],
    "FunctionVersion": ["$LATEST", "1", "ALL"],
    "Name": ["live"],
    "Role": ["arn:aws:iam::000000000000:role/r"],
    "Runtime": ["python3.12", "provided.al2023", "nodejs20.x", "java8"],
    "Handler": ["app.handler", "x"],
    "Code": [{"ZipFile": base64.b64encode(PACKAGE).decode()}],
    "ZipFile": [base64.b64encode(PACKAGE).decode()],
    "LayerName": ["layer"],
    "VersionNumber": [1, 2],
    "StatementId": ["sid"],
    "Action": ["lambda:InvokeFunction", "lambda:GetLayerVersion"],
    "Principal": ["s3.amazonaws.com", "*", "123456789012"],
    "Marker": ["Zg==", ""],
    "MaxItems": [1, 50],
    "InvocationType": ["RequestResponse", "DryRun"],
    "Payload": ["{}", "null"],
    "logGroupName": ["/aws/lambda/f", "g"],
    "logStreamName": ["s"],
    "logGroupIdentifier": ["/aws/lambda/f"],
    "filterPattern": ["", "{ $.a = 1 }", "ERROR", "[a, b]"],
    "limit": [1, 50],
    "startTime": [0, 1_764_000_000_000],
    "logEvents": [[{"timestamp": 1_764_000_000_000, "message": "m"}], []],
}


def a_value(shape: Shape, depth: int = 0) -> st.SearchStrategy[Any]:
    """Mostly what the model wants; now and then any JSON."""
    honest = _honest(shape, depth)
    return st.integers(0, 9).flatmap(lambda dice: JSON if dice == 0 else honest)


def _honest(shape: Shape, depth: int) -> st.SearchStrategy[Any]:
    if isinstance(shape, StructureShape):
        return _structure(shape, depth)
    if isinstance(shape, ListShape):
        return st.lists(a_value(shape.member, depth + 1), max_size=3)
    if isinstance(shape, MapShape):
        return st.dictionaries(TEXT, a_value(shape.value, depth + 1), max_size=3)
    return _scalar(shape)


def _scalar(shape: Shape) -> st.SearchStrategy[Any]:
    if shape.type_name == "string" and shape.enum:
        return st.sampled_from(shape.enum)
    if shape.type_name in ("integer", "long"):
        low, high = shape.metadata.get("min", 0), shape.metadata.get("max", 10_000)
        return st.integers(int(low), int(high)) | NUMBER
    blobs = ["", "AAAA", "not base64", base64.b64encode(PACKAGE).decode()]
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "blob": st.sampled_from(blobs),
        "boolean": st.booleans(),
        "timestamp": NUMBER,
        "string": TEXT,
    }
    return kinds.get(shape.type_name, st.floats())


def _structure(shape: StructureShape, depth: int) -> st.SearchStrategy[dict[str, Any]]:
    if depth > 3:
        return st.just({})
    members = {name: _member(name, member, depth) for name, member in shape.members.items()}
    required = {name: members.pop(name) for name in shape.required_members}
    return st.fixed_dictionaries(required, optional=members)


def _member(name: str, shape: Shape, depth: int) -> st.SearchStrategy[Any]:
    """What often gets through validation, so that what lies behind it is reached as well."""
    value = a_value(shape, depth + 1)
    if name not in PLAUSIBLE:
        return value
    return st.integers(0, 9).flatmap(
        lambda dice: value if dice < 3 else st.sampled_from(PLAUSIBLE[name])
    )


def places(operation: OperationModel) -> dict[str, dict[str, str]]:
    """Names on the wire of input members, by place and by member."""
    found: dict[str, dict[str, str]] = {"uri": {}, "querystring": {}, "header": {}, "body": {}}
    shape = operation.input_shape
    for name, member in shape.members.items() if shape is not None else ():
        place = member.serialization.get("location", "body")
        found.setdefault(place, {})[name] = member.serialization.get("name", name)
    return found


def rest_request(operation: OperationModel, values: dict[str, Any]) -> tuple[str, bytes, Any]:
    """Path, body and headers by the bindings of the model, without botocore's checks."""
    bound = places(operation)
    path, _, query = operation.http["requestUri"].partition("?")
    for name, wire in bound["uri"].items():
        text = quote(_text(values.get(name, "f")), safe="")
        for label in (wire, f"{wire}+"):
            path = path.replace("{" + label + "}", text)
    pairs = [(wire, _text(values[n])) for n, wire in bound["querystring"].items() if n in values]
    query = "&".join(filter(None, (query, urlencode(pairs))))
    headers = {
        wire: _text(values[name]).encode("ascii", "ignore").translate(None, b"\r\n\0")
        for name, wire in bound["header"].items()
        if name in values
    }
    shape = operation.input_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    if payload is not None:
        body = _text(values.get(payload, "")).encode("utf-8", "replace")
    else:
        body = json.dumps({n: values[n] for n in bound["body"] if n in values}).encode()
    return f"{path}?{query}" if query else path, body, headers


def _text(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text.encode("utf-8", "replace").decode()


class Client:
    """Sends requests on one connection and looks at each answer."""

    def __init__(self, target: Any) -> None:
        self.target = target
        self.sent = 0
        self.connection = http.client.HTTPConnection(*target.address, timeout=30)

    def send(self, method: str, path: str, body: bytes, headers: Any) -> None:
        self.sent += 1
        try:
            self.connection.request(method, path, body, headers)
            response = self.connection.getresponse()
            content = response.read()
        except (ConnectionError, http.client.HTTPException):
            self.connection.close()
            raise
        shown = (method, path[:300], body[:300], headers, response.status, content[:600])
        assert response.status < 500, shown
        assert b"Traceback" not in content, shown
        if response.status >= 400:
            assert b"essage" in content, shown
            assert content.lstrip().startswith((b"{", b"<")), shown
            assert b"<html" not in content.lower(), shown

    def close(self) -> None:
        self.connection.close()


@pytest.fixture
def client(target: Any) -> Any:
    names = target.functions()
    if "f" not in names:
        target.user.deploy("f", {"app.py": "def handler(event, context):\n    return event\n"})
    client = Client(target)
    yield client
    client.close()
    assert target.healthy()
    assert target.resident_mib() < 512


SIGNED = (
    "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/{}/aws4_request, "
    "SignedHeaders=host, Signature=0"
)


@pytest.mark.parametrize("name", MODELS["lambda"].operation_names)
def test_lambda_answers_whatever_its_operations_are_given(client: Any, name: str) -> None:
    operation = MODELS["lambda"].operation_model(name)
    shape = operation.input_shape
    values = _structure(shape, 0) if shape is not None else st.just({})

    @settings(SETTINGS, max_examples=int(16 * FACTOR))
    @given(values)
    def fuzz(given_values: dict[str, Any]) -> None:
        path, body, headers = rest_request(operation, given_values)
        signed = {**headers, "Authorization": SIGNED.format("lambda")}
        client.send(operation.http["method"], path, body, signed)

    fuzz()


@pytest.mark.parametrize("service", ["logs", "sts"])
def test_neighbours_answer_whatever_their_operations_are_given(client: Any, service: str) -> None:
    model = MODELS[service]

    @settings(SETTINGS, max_examples=int((400 if service == "logs" else 100) * FACTOR))
    @given(st.data())
    def fuzz(data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(model.operation_names))
        shape = model.operation_model(name).input_shape
        values = data.draw(_structure(shape, 0)) if shape is not None else {}
        headers = {"Authorization": SIGNED.format(service)}
        if service == "sts":
            pairs = {"Action": name, "Version": model.api_version}
            pairs |= {key: _text(value) for key, value in values.items()}
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=utf-8"
            client.send("POST", "/", urlencode(pairs).encode(), headers)
        else:
            headers["X-Amz-Target"] = f"{model.metadata['targetPrefix']}.{name}"
            headers["Content-Type"] = "application/x-amz-json-1.1"
            client.send("POST", "/", json.dumps(values).encode(), headers)

    fuzz()


def test_any_path_and_any_body_are_answered(client: Any) -> None:
    """Paths of the model with segments exchanged, and bodies that are no JSON, or another."""
    model = MODELS["lambda"]
    operations = map(model.operation_model, model.operation_names)
    templates = sorted({operation.http["requestUri"] for operation in operations})
    segments = st.lists(TEXT.map(lambda text: quote(_text(text), safe="")), min_size=1, max_size=6)
    path = st.one_of(
        segments.map(lambda parts: "/" + "/".join(parts)),
        st.tuples(st.sampled_from(templates), TEXT).map(
            lambda pair: (
                quote(pair[0].split("?")[0].replace("{", "").replace("}", ""))
                + quote(_text(pair[1]), safe="/")
            )
        ),
    )
    body = st.one_of(st.binary(max_size=100), JSON.map(lambda value: json.dumps(value).encode()))
    headers = st.dictionaries(
        st.sampled_from(
            ["Authorization", "X-Amz-Target", "Content-Type", "X-Amz-Date", "X-Amz-Invocation-Type"]
        ),
        TEXT.map(lambda text: text.encode("ascii", "ignore").translate(None, b"\r\n\0")),
        max_size=3,
    )
    queries = st.sampled_from(["", "?", "?Qualifier=%00", "?MaxItems=x&Marker=%FF"])
    methods = st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"])

    @settings(SETTINGS, max_examples=int(600 * FACTOR))
    @given(methods, path, queries, body, headers)
    def fuzz(method: str, path: str, query: str, body: bytes, headers: Any) -> None:
        client.send(method, path + query, body, headers)

    fuzz()


def test_a_mutated_request_to_create_a_function_is_answered(client: Any) -> None:
    """One byte of an honest request differs, or a part of it is missing or there twice."""
    honest = json.dumps(
        {
            "FunctionName": "mutant",
            "Runtime": "python3.12",
            "Handler": "app.handler",
            "Role": "arn:aws:iam::000000000000:role/r",
            "Code": {"ZipFile": base64.b64encode(PACKAGE).decode()},
            "Environment": {"Variables": {"KEY": "value"}},
            "Tags": {"a": "b"},
        }
    ).encode()
    places = st.integers(0, len(honest) - 1)

    @settings(SETTINGS, max_examples=int(300 * FACTOR))
    @given(places, places, st.binary(max_size=4), st.booleans())
    def fuzz(start: int, end: int, piece: bytes, cut: bool) -> None:
        first, last = sorted((start, end))
        rest = honest[last:] if cut else honest[first:]
        client.send("POST", "/2015-03-31/functions", honest[:first] + piece + rest, {})
        client.send("DELETE", "/2015-03-31/functions/mutant", b"", {})

    fuzz()
