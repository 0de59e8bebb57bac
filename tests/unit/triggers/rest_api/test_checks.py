"""What stands before an integration: validators, keys, limits, policies, authorizers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lambdad.authz.policies import ANONYMOUS, Decision
from lambdad.testing.clock import FakeClock
from lambdad.triggers.rest_api import policies
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.gateway_responses import Refused, response_of
from lambdad.triggers.rest_api.model import Account
from lambdad.triggers.rest_api.usage import UsageMeter
from lambdad.triggers.rest_api.validation import validate

MakeCall = Callable[..., Call]
JSON = {"content-type": "application/json"}
MODEL_URL = "https://apigateway.amazonaws.com/restapis/abcdefghij/models"


def checked(make_call: MakeCall, models: dict[str, Any], body: bytes) -> None:
    parts = {
        "validators": {"v": {"validateRequestBody": True, "validateRequestParameters": True}},
        "models": {name: {"schema": json.dumps(schema)} for name, schema in models.items()},
    }
    method = {"requestValidatorId": "v", "requestModels": {"application/json": "Thing"}}
    validate(make_call(parts=parts, method=method, headers=JSON, body=body))


PET = {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}


@pytest.mark.parametrize(
    ("body", "good"),
    [(b'[{"name": "x"}]', True), (b"[{}]", False), (b"{}", False), (b"no", False), (b"", False)],
)
def test_models_may_refer_to_one_another(make_call: MakeCall, body: bytes, good: bool) -> None:
    models = {"Pet": PET, "Thing": {"type": "array", "items": {"$ref": f"{MODEL_URL}/Pet"}}}
    if good:
        checked(make_call, models, body)
        return
    with pytest.raises(Refused, match="Invalid request body") as caught:
        checked(make_call, models, body)
    assert caught.value.kind == "BAD_REQUEST_BODY"


DOUBLING = {f"m{n}": {"allOf": [{"$ref": f"#/definitions/m{n + 1}"}] * 2} for n in range(40)} | {
    "m40": {"type": "object"}
}


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"definitions": DOUBLING, "$ref": "#/definitions/m0"},
        {"$ref": "http://127.0.0.1:1/schema"},
        {"$ref": "file:///etc/passwd"},
        {"type": "nonsense"},
        {"properties": {"a": {"pattern": "(x+)+y"}}},
        {"patternProperties": {"(x+)+y": {}}},
    ],
)
@pytest.mark.timeout(20)
def test_a_hostile_model_is_an_error_of_the_api(make_call: MakeCall, schema: Any) -> None:
    body = json.dumps({"a": "x" * 200, "x" * 200: 1}).encode()
    with pytest.raises(Refused) as caught:
        checked(make_call, {"Thing": schema}, body)
    assert caught.value.kind == "API_CONFIGURATION_ERROR"


def test_parameters_that_are_required_must_be_there(make_call: MakeCall) -> None:
    method = {
        "requestValidatorId": "v",
        "requestParameters": {
            "method.request.header.X-One": True,
            "method.request.querystring.q": True,
            "method.request.querystring.r": False,
            "method.request.path.id": True,
        },
    }
    parts = {"validators": {"v": {"validateRequestParameters": True}}}
    with pytest.raises(Refused, match=r"Missing required request parameters: \[X-One, q\]"):
        validate(make_call(parts=parts, method=method, query="q="))
    validate(make_call(parts=parts, method=method, query="q=1", headers={"x-one": "1"}))


def test_a_gateway_response_is_that_of_its_type_or_of_all(make_call: MakeCall) -> None:
    custom = {
        "UNAUTHORIZED": {
            "statusCode": "418",
            "responseParameters": {"gatewayresponse.header.X-Ip": "context.identity.sourceIp"},
            "responseTemplates": {
                "application/json": (
                    '{"m":$context.error.messageString,"t":"$context.error.responseType"}'
                )
            },
        },
        "DEFAULT_4XX": {
            "responseParameters": {"gatewayresponse.header.Access-Control-Allow-Origin": "'*'"}
        },
    }
    call = make_call(parts={"gateway_responses": custom})
    own = response_of(Refused("UNAUTHORIZED", "Unauthorized"), call)
    assert (own.status, own.body) == (418, b'{"m":"Unauthorized","t":"UNAUTHORIZED"}')
    assert own.headers["x-ip"] == "203.0.113.9"
    common = response_of(Refused("THROTTLED", "Too Many Requests"), call)
    assert (common.status, common.body) == (429, b'{"message":"Too Many Requests"}')
    assert common.headers["access-control-allow-origin"] == "*"
    plain = response_of(Refused("DEFAULT_5XX", "Internal server error"), call)
    assert "access-control-allow-origin" not in plain.headers


class Client:
    """Somebody with an API key."""

    def __init__(self, make_call: MakeCall, **plan: Any) -> None:
        self.clock = FakeClock()
        self.meter = UsageMeter(self.clock)
        self.account = Account(account_id="123456789012", region="us-east-1")
        self.account.api_keys["k"] = {"id": "k", "value": "secret", "enabled": True}
        stage = {"apiId": "abcdefghij", "stage": "dev", **plan.pop("stage", {})}
        self.account.usage_plans["p"] = {"id": "p", "apiStages": [stage], **plan}
        self.account.usage_plan_keys["p"] = {"k"}
        self.make_call = make_call

    def call(self, key: str = "secret") -> str | None:
        """Call once; return the refusal's kind."""
        call = self.make_call(method={"apiKeyRequired": True}, headers={"x-api-key": key})
        try:
            self.meter.check_key(call, self.account)
        except Refused as refused:
            return refused.kind
        return None


def test_a_key_must_be_known_enabled_and_of_a_plan_of_the_stage(make_call: MakeCall) -> None:
    client = Client(make_call)
    assert (client.call(), client.call("other")) == (None, "INVALID_API_KEY")
    client.account.api_keys["k"] = {"id": "k", "value": "secret", "enabled": False}
    assert client.call() == "INVALID_API_KEY"
    assert Client(make_call, stage={"stage": "prod"}).call() == "INVALID_API_KEY"


def test_a_plan_lets_through_so_many_at_once_and_so_many_per_second(make_call: MakeCall) -> None:
    client = Client(make_call, throttle={"rateLimit": 1.0, "burstLimit": 2})
    assert [client.call() for _ in range(3)] == [None, None, "THROTTLED"]
    client.clock.advance(1)
    assert [client.call() for _ in range(2)] == [None, "THROTTLED"]


def test_a_method_of_a_plan_may_have_limits_of_its_own(make_call: MakeCall) -> None:
    own = {"throttle": {"/things/{id}/POST": {"rateLimit": 1.0, "burstLimit": 1}}}
    client = Client(make_call, stage=own, throttle={"rateLimit": 100.0, "burstLimit": 100})
    assert [client.call() for _ in range(2)] == [None, "THROTTLED"]


@pytest.mark.parametrize(("period", "days"), [("DAY", 1), ("WEEK", 7), ("MONTH", 31)])
def test_a_quota_begins_anew_with_its_period(make_call: MakeCall, period: str, days: int) -> None:
    client = Client(make_call, quota={"limit": 2, "period": period})
    assert [client.call() for _ in range(3)] == [None, None, "QUOTA_EXCEEDED"]
    client.clock.advance(days * 86_400)
    assert client.call() is None
    assert sum(client.meter.used("p", "k").values()) == 3


def test_a_stage_limits_methods(make_call: MakeCall) -> None:
    meter = UsageMeter(FakeClock())
    settings = {
        "*/*": {"throttlingRateLimit": 100.0, "throttlingBurstLimit": 100},
        "~1things~1{id}/POST": {"throttlingRateLimit": 1.0, "throttlingBurstLimit": 1},
    }
    call = make_call(stage={"methodSettings": settings})
    meter.check_stage(call)
    with pytest.raises(Refused, match="Too Many Requests"):
        meter.check_stage(call)


def a_policy(effect: str, resource: str, **members: Any) -> dict[str, Any]:
    statement = {"Effect": effect, "Principal": "*", "Action": "execute-api:Invoke"}
    return {"Statement": [{**statement, "Resource": resource, **members}]}


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (None, None),
        (a_policy("Allow", "execute-api:/dev/POST/things/*"), Decision.ALLOWED),
        (a_policy("Allow", "execute-api:/prod/*"), Decision.SILENT),
        (a_policy("Deny", "*"), Decision.DENIED),
        (
            a_policy("Allow", "*", Condition={"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
            Decision.ALLOWED,
        ),
        (
            a_policy("Allow", "*", Condition={"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}),
            Decision.SILENT,
        ),
    ],
)
def test_a_resource_policy_decides(
    make_call: MakeCall, policy: dict[str, Any] | None, expected: Decision | None
) -> None:
    text = None if policy is None else json.dumps(policy)
    assert policies.decide(make_call(api={"policy": text}), ANONYMOUS) is expected
    if text is not None:  # as GetRestApi answers it
        escaped = text.replace('"', '\\"')
        assert policies.decide(make_call(api={"policy": escaped}), ANONYMOUS) is expected
