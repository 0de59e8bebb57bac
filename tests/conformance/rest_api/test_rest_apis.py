"""REST APIs in front of functions, as boto3 makes them and as browsers call them."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.rest_api.conftest import REGION, Builder, Front

from lambdad.testing import event_types

pytestmark = [pytest.mark.root, pytest.mark.slow]


def test_the_event_of_a_proxy_is_that_of_the_developer_guide(front: Front, api: str) -> None:
    headers = {"X-Mixed-Case": "v", "User-Agent": "me"}
    event = front.call(api, "/dev/items/a%20b?x=1&x=2&y=%20", headers=headers).document
    assert sorted(event) == [
        "body",
        "headers",
        "httpMethod",
        "isBase64Encoded",
        "multiValueHeaders",
        "multiValueQueryStringParameters",
        "path",
        "pathParameters",
        "queryStringParameters",
        "requestContext",
        "resource",
        "stageVariables",
    ]
    assert (event["resource"], event["path"]) == ("/items/{id}", "/items/a%20b")
    assert event["pathParameters"] == {"id": "a%20b"}
    assert event["queryStringParameters"] == {"x": "2", "y": " "}
    assert event["multiValueQueryStringParameters"] == {"x": ["1", "2"], "y": [" "]}
    assert event["headers"]["X-Mixed-Case"] == "v"
    assert event["multiValueHeaders"]["User-Agent"] == ["me"]
    assert event["stageVariables"] == {"name": "rest-api-function"}
    assert (event["body"], event["isBase64Encoded"]) == (None, False)
    context = event["requestContext"]
    assert (context["accountId"], context["apiId"], context["stage"]) == (
        "000000000000",
        api,
        "dev",
    )
    assert (context["path"], context["resourcePath"]) == ("/dev/items/a%20b", "/items/{id}")
    assert context["identity"]["userAgent"] == "me"
    assert {"deploymentId", "extendedRequestId", "requestTimeEpoch", "resourceId"} <= set(context)


# The type wants what only methods with an authorizer, a key or a certificate have, and is older
# than the deployment in the context.
OPEN_TYPE = """
type Identity = Omit<L.APIGatewayEventIdentity, "apiKey" | "apiKeyId" | "clientCert">;
type OpenContext = Omit<L.APIGatewayEventRequestContext, "authorizer" | "identity">
  & {identity: Identity; deploymentId: string};
type Open = Omit<L.APIGatewayProxyEvent, "requestContext"> & {requestContext: OpenContext};
"""


def test_events_fit_the_published_types(
    front: Front, api: str, published_types: Path, tmp_path: Path
) -> None:
    events = {
        "plain": front.call(api, "/dev/items/a").document,
        "full": front.call(api, "/dev/items/a?x=1&x=2", headers={"X-A": "1"}).document,
    }
    named = dict.fromkeys(events, "Open")
    assert event_types.complaints(published_types, tmp_path, events, named, OPEN_TYPE) == ""


def test_the_most_specific_resource_takes_a_request(front: Front, api: str) -> None:
    assert front.call(api, "/dev/items/special").document["resource"] == "/items/special"
    greedy = front.call(api, "/dev/files/a/b/c", method="PUT", body=b"x").document
    assert (greedy["resource"], greedy["pathParameters"]) == ("/files/{rest+}", {"rest": "a/b/c"})
    assert greedy["body"] == "x"


@pytest.mark.parametrize("path", ["/dev/nothing", "/dev/items", "/dev"])
def test_a_path_without_a_method_is_refused_as_aws_does(front: Front, api: str, path: str) -> None:
    answer = front.call(api, path)
    assert (answer.status, answer.document) == (403, {"message": "Missing Authentication Token"})
    assert answer.headers["x-amzn-ErrorType"] == "MissingAuthenticationTokenException"
    assert answer.headers["x-amzn-RequestId"]
    assert answer.headers["x-amz-apigw-id"]


def test_an_unknown_stage_is_forbidden(front: Front, api: str) -> None:
    answer = front.call(api, "/prod/items/1")
    assert (answer.status, answer.document) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize(
    "form", ["/_aws/execute-api/{}/dev/items/1", "/restapis/{}/dev/_user_request_/items/1"]
)
def test_an_api_is_reached_by_path_where_names_cannot_be_resolved(
    front: Front, api: str, form: str
) -> None:
    with urllib.request.urlopen(f"{front.url}{form.format(api)}", timeout=30) as answer:  # noqa: S310
        assert json.load(answer)["path"] == "/items/1"


def test_the_answer_of_the_function_is_the_answer(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/files/teapot")
    assert (answer.status, answer.headers["X-Mine"], answer.body) == (418, "1", b"tea")
    assert answer.headers.get_all("Set-Cookie") == ["a=b", "c=d"]
    assert answer.headers.get_all("X-Two") == ["1", "2"]


@pytest.mark.parametrize("path", ["/dev/files/fail", "/dev/files/malformed"])
def test_a_function_that_fails_is_a_bad_gateway(front: Front, api: str, path: str) -> None:
    answer = front.call(api, path)
    assert (answer.status, answer.document) == (502, {"message": "Internal server error"})


def test_a_function_that_is_not_there_is_an_error(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/missing")
    assert (answer.status, answer.document) == (500, {"message": "Internal server error"})


def test_a_function_that_takes_too_long_is_not_waited_for(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/slow")
    assert (answer.status, answer.document) == (504, {"message": "Endpoint request timed out"})


def test_a_function_must_let_the_api_invoke_it_or_its_role_does(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/closed")
    assert (answer.status, answer.document) == (500, {"message": "Internal server error"})
    assert front.call(api, "/dev/by-role").status == 200


def test_a_function_may_be_invoked_without_waiting_for_it(front: Front, api: str) -> None:
    headers = {"Content-Type": "application/json"}
    body = b'{"wanted": "an-event"}'
    answer = front.call(api, "/dev/event", method="POST", body=body, headers=headers)
    assert (answer.status, answer.document) == (202, {"taken": True})
    deadline = time.monotonic() + 60
    while not _logged(front, "wanted: an-event"):
        assert time.monotonic() < deadline
        threading.Event().wait(0.05)


def _logged(front: Front, text: str) -> bool:
    """Whether the function has logged a text; its log group is made with its first line."""
    try:
        found = front.service("logs").filter_log_events(
            logGroupName="/aws/lambda/rest-api-function", filterPattern=f'"{text}"'
        )
    except ClientError:
        return False
    return bool(found["events"])


def test_stage_variables_choose_the_function(front: Front, api: str) -> None:
    assert front.call(api, "/dev/variable").document["resource"] == "/variable"


def test_binary_bodies_are_base64_in_events_and_bytes_outside(front: Front, api: str) -> None:
    headers = {"Content-Type": "image/png"}
    sent = front.call(api, "/dev/files/a", method="POST", body=b"\x89PNG", headers=headers).document
    assert (sent["body"], sent["isBase64Encoded"]) == ("iVBORw==", True)
    shown = front.call(api, "/dev/files/image", headers={"Accept": "image/png"})
    assert (shown.body, shown.headers["Content-Type"]) == (b"\x89PNG", "image/png")
    assert front.call(api, "/dev/files/image").body == b"iVBORw=="


def test_a_mock_answers_browsers_before_their_requests(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/items", method="OPTIONS")
    assert (answer.status, answer.headers["Access-Control-Allow-Origin"]) == (200, "*")
    assert answer.headers["X-Stage"] == "dev"


def test_templates_map_requests_and_answers(front: Front, api: str) -> None:
    headers = {"Content-Type": "application/json"}
    good = front.call(api, "/dev/custom", method="POST", body=b'{"want": "x"}', headers=headers)
    assert (good.status, good.document) == (200, {"answer": "x", "list": [1, 2]})
    bad = front.call(api, "/dev/custom", method="POST", body=b'{"want": "bad"}', headers=headers)
    assert (bad.status, bad.document) == (400, {"problem": "[BadRequest] you asked for it"})
    assert bad.headers["X-Type"] == "ValueError"


def test_a_body_that_no_template_takes_is_refused(front: Front, api: str) -> None:
    answer = front.call(
        api, "/dev/custom", method="POST", body=b"x", headers={"Content-Type": "text/plain"}
    )
    assert (answer.status, answer.document) == (415, {"message": "Unsupported Media Type"})


def test_a_hostile_template_ends_and_harms_nobody(front: Front, api: str) -> None:
    built = Builder(front, "rest-api-hostile")
    loop = "#foreach($i in [1..1000])"
    templates = {
        "loops": f"{loop}{loop}{loop}x#end#end#end",
        "doubles": f"#set($a = 'xx'){loop}#set($a = \"$a$a\")#end$a",
        "slow": "$input.body.matches('(x+x+)+y')",
    }
    for name, template in templates.items():
        integration = {"type": "MOCK", "requestTemplates": {"application/json": template}}
        built.method(f"POST /{name}", integration=integration)
        built.responses(f"POST /{name}", {"statusCode": "200"})
    built.stage()
    for name in templates:
        answer = front.call(
            built.id,
            f"/dev/{name}",
            method="POST",
            body=b"x" * 60,
            headers={"Content-Type": "application/json"},
        )
        assert (answer.status, answer.document) == (500, {"message": "Internal server error"})
    assert front.call(api, "/dev/items/1").status == 200


def test_headers_of_the_connection_come_back_by_another_name(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/files/remapped")
    assert answer.headers["x-amzn-Remapped-date"] == "then"
    assert answer.headers["X-Amzn-Trace-Id"].startswith("Root=1-")


def test_a_body_that_is_too_large_is_refused(front: Front, api: str) -> None:
    answer = front.call(api, "/dev/files/a", method="POST", body=b"x" * (10 * 1024 * 1024 + 1))
    assert (answer.status, answer.document) == (413, {"message": "Request Too Long"})


def test_a_domain_name_leads_to_a_stage(front: Front, api: str) -> None:
    domain = "rest-api.example.com"
    front.api.create_domain_name(
        domainName=domain,
        regionalCertificateArn=f"arn:aws:acm:{REGION}:000000000000:certificate/any",
        endpointConfiguration={"types": ["REGIONAL"]},
    )
    where = {"domainName": domain, "restApiId": api}
    front.api.create_base_path_mapping(**where, basePath="shop", stage="dev")
    front.api.create_base_path_mapping(**where, basePath="all")
    at = {"Host": domain}
    found = front.call(api, "/shop/items/5", headers=at).document
    assert (found["path"], found["requestContext"]["stage"]) == ("/items/5", "dev")
    assert found["requestContext"]["domainName"] == domain
    assert front.call(api, "/all/dev/items/5", headers=at).document["path"] == "/items/5"
    assert front.call(api, "/other", headers=at).status == 403
    front.api.delete_domain_name(domainName=domain)
    assert front.call(api, "/shop/items/5", headers=at).status != 200


def test_a_change_shows_after_its_deployment(front: Front, function: Mapping[str, Any]) -> None:
    built = Builder(front, "rest-api-deployments")
    built.method("GET /one", integration=function)
    built.stage()
    built.method("GET /two", integration=function)
    assert front.call(built.id, "/dev/one").status == 200
    assert front.call(built.id, "/dev/two").status == 403
    built.stage()
    assert front.call(built.id, "/dev/two").status == 200
