"""Requests and answers of integrations that are mapped."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lambdad.triggers.rest_api import custom, parameters
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.custom import Answer
from lambdad.triggers.rest_api.gateway_responses import Refused

MakeCall = Callable[..., Call]
JSON = {"content-type": "application/json; charset=utf-8"}


def an_answer(subject: str | None = "200", body: bytes = b"{}", **headers: str) -> Answer:
    return Answer(
        subject=subject,
        body=body,
        header=lambda name: [headers[name]] if name in headers else [],
    )


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("method.request.header.X-One", "h"),
        ("method.request.querystring.q", "2"),
        ("method.request.multivaluequerystring.q", "1,2"),
        ("method.request.path.id", "7"),
        ("method.request.body", '{"a": [5, "x"]}'),
        ("method.request.body.a[0]", "5"),
        ("'static'", "static"),
        ("context.identity.sourceIp", "203.0.113.9"),
        ("stageVariables.colour", "red"),
        ("method.request.header.Missing", None),
        ("method.request.body.nothing", None),
        ("context.authorizer.principalId", None),
    ],
)
def test_parameters_are_mapped(make_call: MakeCall, source: str, expected: str | None) -> None:
    call = make_call(
        headers={"x-one": "h"},
        query="q=1&q=2",
        body=b'{"a": [5, "x"]}',
        stage={"variables": {"colour": "red"}},
    )
    outgoing = parameters.mapped({"integration.request.header.To": source}, call)
    assert outgoing.headers.get("To") == expected


@pytest.mark.parametrize(
    ("behaviour", "templates", "content_type", "passes"),
    [
        ("WHEN_NO_MATCH", {}, "text/plain", True),
        ("WHEN_NO_MATCH", {"application/json": "{}"}, "text/plain", True),
        ("WHEN_NO_TEMPLATES", {}, "text/plain", True),
        ("WHEN_NO_TEMPLATES", {"application/json": "{}"}, "text/plain", False),
        ("NEVER", {}, "text/plain", False),
        ("NEVER", {"application/json": "{}"}, "application/json", True),
        ("NEVER", {"application/json": "{}"}, "", True),
    ],
)
def test_bodies_without_a_template_pass_as_the_integration_says(
    make_call: MakeCall, behaviour: str, templates: dict[str, str], content_type: str, passes: bool
) -> None:
    call = make_call(headers={"content-type": content_type}, body=b"x")
    integration = {"passthroughBehavior": behaviour, "requestTemplates": templates}
    if passes:
        custom.prepare(call, integration)
        return
    with pytest.raises(Refused) as caught:
        custom.prepare(call, integration)
    assert (caught.value.kind, caught.value.status) == ("UNSUPPORTED_MEDIA_TYPE", 415)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$input.body", '{"a": {"b": [1, 2]}}'),
        ("$input.json('$.a')", '{"b":[1,2]}'),
        ("$input.path('$.a.b').size()", "2"),
        ("$input.path('$.a.b')", "[1,2]"),
        ("$input.json('$.missing')", '""'),
        ("$input.params('id') $input.params('q') $input.params('X-One')", "7 1 h"),
        ("$input.params().querystring.q $input.params().get('path').id", "1 7"),
        ("$!input.params('nothing').", "."),
        ("$context.stage $context.httpMethod $context.resourcePath", "dev POST /things/{id}"),
        ("$context.nothing.at.all.", "."),
        ("$stageVariables.colour $stageVariables['colour']", "red red"),
        ("$util.escapeJavaScript('it''s \"x\"')", 'it\\\'s \\"x\\"'),
        ("$util.urlEncode('a b&c') $util.urlDecode('a+b')", "a+b%26c a b"),
        ("$util.base64Encode('x') $util.base64Decode('eA==')", "eA== x"),
        ("$util.parseJson('{\"k\": [3]}').k[0]", "3"),
    ],
)
def test_templates_see_the_request(make_call: MakeCall, template: str, expected: str) -> None:
    call = make_call(
        headers={**JSON, "x-one": "h"},
        query="q=1",
        body=b'{"a": {"b": [1, 2]}}',
        stage={"variables": {"colour": "red"}},
    )
    prepared = custom.prepare(call, {"requestTemplates": {"application/json": template}})
    assert prepared.text == expected


def test_a_template_overrides_parameters(make_call: MakeCall) -> None:
    template = (
        '#set($context.requestOverride.header.to = "b")'
        '#set($context.requestOverride.path.id = "c")'
        '#set($context.requestOverride.querystring.q = "d")'
    )
    integration = {
        "requestParameters": {"integration.request.header.To": "'a'"},
        "requestTemplates": {"application/json": template},
    }
    outgoing = custom.prepare(make_call(headers=JSON), integration).outgoing
    assert (outgoing.headers, outgoing.path, outgoing.query) == (
        {"to": "b"},
        {"id": "c"},
        {"q": ["d"]},
    )


def test_a_template_that_needs_json_refuses_other_bodies(make_call: MakeCall) -> None:
    integration = {"requestTemplates": {"application/json": "$input.json('$.a')"}}
    with pytest.raises(Refused, match="Could not parse request body into json") as caught:
        custom.prepare(make_call(headers=JSON, body=b"no"), integration)
    assert caught.value.status == 400
    assert custom.prepare(make_call(headers=JSON), integration).text == '""'


@pytest.mark.parametrize(
    "text", ['{"statusCode": 404}', "{statusCode:404}", '{ "statusCode" : "404", }']
)
def test_a_mock_answers_with_the_status_that_it_is_told(make_call: MakeCall, text: str) -> None:
    integration = {"requestTemplates": {"application/json": text}}
    assert custom.mock_status(custom.prepare(make_call(headers=JSON), integration)) == "404"


RESPONSES: dict[str, Any] = {
    "default": {"statusCode": "200"},
    "bad": {"statusCode": "400", "selectionPattern": ".*bad.*"},
    "gone": {"statusCode": "404", "selectionPattern": "4\\d{2}"},
}


@pytest.mark.parametrize(
    ("subject", "status"),
    [(None, 200), ("all well", 200), ("so bad!", 400), ("410", 404), ("4100", 200)],
)
def test_a_pattern_selects_the_response(
    make_call: MakeCall, subject: str | None, status: int
) -> None:
    integration = {"integrationResponses": RESPONSES}
    assert custom.respond(make_call(), integration, an_answer(subject)).status == status


def test_without_a_default_what_no_pattern_takes_is_an_error(make_call: MakeCall) -> None:
    responses = {"bad": RESPONSES["bad"]}
    with pytest.raises(Refused) as caught:
        custom.respond(make_call(), {"integrationResponses": responses}, an_answer())
    assert (caught.value.kind, caught.value.status) == ("API_CONFIGURATION_ERROR", 500)


def test_a_pattern_that_could_take_for_ever_is_an_error(make_call: MakeCall) -> None:
    responses = {"slow": {"statusCode": "200", "selectionPattern": "(a+)+b"}}
    with pytest.raises(Refused):
        custom.respond(make_call(), {"integrationResponses": responses}, an_answer("a" * 60))


def test_an_answer_is_mapped(make_call: MakeCall) -> None:
    template = '#set($context.responseOverride.status = 202){"n": $input.path("$.n")}'
    response = {
        "statusCode": "200",
        "responseTemplates": {"application/json": template},
        "responseParameters": {
            "method.response.header.X-From": "integration.response.header.From",
            "method.response.header.X-N": "integration.response.body.n",
            "method.response.header.X-Plain": "'text'",
            "method.response.header.X-None": "integration.response.header.None",
        },
    }
    answer = an_answer(body=b'{"n": 5}', From="there")
    mapped = custom.respond(make_call(), {"integrationResponses": {"200": response}}, answer)
    assert (mapped.status, mapped.body) == (202, b'{"n": 5}')
    assert mapped.headers == {
        "content-type": "application/json",
        "x-from": "there",
        "x-n": "5",
        "x-plain": "text",
    }


def test_content_is_converted_as_the_integration_says(make_call: MakeCall) -> None:
    api = {"binaryMediaTypes": ["image/*"]}
    call = make_call(api=api, headers={"content-type": "image/png"}, body=b"\x89P")
    assert custom.prepare(call, {}).body == b"\x89P"
    assert custom.prepare(call, {"contentHandling": "CONVERT_TO_TEXT"}).body == b"iVA="
    back = {"statusCode": "200", "contentHandling": "CONVERT_TO_BINARY"}
    answer = an_answer(body=b"iVA=")
    assert custom.respond(call, {"integrationResponses": {"200": back}}, answer).body == b"\x89P"
