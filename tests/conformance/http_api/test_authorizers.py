"""Who may call routes of HTTP APIs: tokens, functions and signatures decide."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from joserfc.jwk import RSAKey

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.http_apis import Answered, ApiUser, Issuer

pytestmark = [pytest.mark.root, pytest.mark.slow]

DECIDES = """
import os, json
asked = 0
def handler(event, context):
    global asked
    asked += 1
    source = event["identitySource"]
    who = source[0] if isinstance(source, list) else source
    if who == "broken":
        return "?"
    if event["version"] == "2.0" and who.startswith("simple"):
        seen = {name: event[name] for name in ("type", "routeArn", "routeKey", "rawPath")}
        return {"isAuthorized": who != "simple-no", "context": {"asked": asked, "seen": seen}}
    arn = event.get("routeArn") or event["methodArn"]
    effect = "Allow" if who.startswith("yes") else "Deny"
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": arn}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": who, "policyDocument": document, "context": {"asked": asked}}
"""
AUDIENCE = "shop"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with Issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def front(daemon: DaemonProcess) -> ApiUser:
    return ApiUser(daemon)


@pytest.fixture(scope="module")
def api(front: ApiUser, issuer: Issuer) -> str:
    """An API whose routes are guarded in every way."""
    arn = front.deploy("http-authorizers-echo")
    decides = front.deploy("http-authorizers-decides", DECIDES)
    api_id = front.http_api("guarded")
    create = front.client.create_authorizer
    jwt = create(
        ApiId=api_id,
        AuthorizerType="JWT",
        Name="jwt",
        IdentitySource=["$request.header.Authorization"],
        JwtConfiguration={"Issuer": issuer.url, "Audience": [AUDIENCE]},
    )["AuthorizerId"]
    uri = f"arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/{decides}/invocations"
    common = {"ApiId": api_id, "AuthorizerType": "REQUEST", "AuthorizerUri": uri}
    common["IdentitySource"] = ["$request.header.X-Who"]
    simple = create(
        Name="simple",
        AuthorizerPayloadFormatVersion="2.0",
        EnableSimpleResponses=True,
        AuthorizerResultTtlInSeconds=300,
        **common,
    )["AuthorizerId"]
    policy = create(Name="policy", AuthorizerPayloadFormatVersion="1.0", **common)["AuthorizerId"]
    functions = front.function(arn), front.function(arn, "1.0")
    token = {"AuthorizationType": "JWT", "AuthorizerId": jwt}
    front.route(api_id, "GET /token", functions[0], **token)
    front.route(api_id, "GET /token1", functions[1], **token)
    front.route(api_id, "GET /scope", functions[0], AuthorizationScopes=["read", "all"], **token)
    custom = {"AuthorizationType": "CUSTOM"}
    front.route(api_id, "GET /simple/{id}", functions[0], AuthorizerId=simple, **custom)
    front.route(api_id, "GET /policy", functions[0], AuthorizerId=policy, **custom)
    front.route(api_id, "ANY /signed", functions[0], AuthorizationType="AWS_IAM")
    return api_id


def claims(**more: Any) -> dict[str, Any]:
    return {"aud": AUDIENCE, "exp": int(time.time()) + 600, "sub": "me", **more}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def authorizer_of(answer: Answered) -> Any:
    assert answer.status == 200, answer.body
    return answer.document["requestContext"]["authorizer"]


@pytest.mark.parametrize("algorithm", ["RS256", "ES256"])
def test_a_good_token_passes_and_its_claims_are_told(
    front: ApiUser, api: str, issuer: Issuer, algorithm: str
) -> None:
    token = issuer.token(claims(groups=["a", "b"], admin=True), algorithm=algorithm)
    told = authorizer_of(front.call(api, "/token", headers=bearer(token)))["jwt"]
    assert told["scopes"] is None
    assert told["claims"]["sub"] == "me"
    assert told["claims"]["groups"] == "[a b]"
    assert told["claims"]["admin"] == "true"
    first = authorizer_of(front.call(api, "/token1", headers=bearer(token)))
    assert first["claims"]["sub"] == "me"


def test_what_is_no_good_token_is_unauthorized(front: ApiUser, api: str, issuer: Issuer) -> None:
    now = int(time.time())
    stranger = RSAKey.generate_key(2048, {"kid": "first"})
    real, issuer.rsa = issuer.rsa, stranger
    forged = issuer.token(claims())
    issuer.rsa = real
    head, body, signature = issuer.token(claims()).split(".")
    bad = [
        "",
        "nonsense",
        f"{head}.{body}.",
        f"eyJhbGciOiJub25lIn0.{body}.",
        f"{head}.{body}.{'A' * len(signature)}",
        forged,
        issuer.token(claims(exp=now - 60)),
        issuer.token(claims(nbf=now + 60)),
        issuer.token(claims(aud="another")),
        issuer.token(claims(iss="http://elsewhere")),
        issuer.token(claims(exp="tomorrow")),
        issuer.token(claims(), kid="unknown"),
    ]
    for token in bad:
        answer = front.call(api, "/token", headers=bearer(token))
        assert (answer.status, answer.document) == (401, {"message": "Unauthorized"}), token
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert front.call(api, "/token").status == 401


def test_a_token_without_the_scope_is_forbidden(front: ApiUser, api: str, issuer: Issuer) -> None:
    lacking = front.call(api, "/scope", headers=bearer(issuer.token(claims(scope="write"))))
    assert (lacking.status, lacking.document) == (403, {"message": "Forbidden"})
    assert "insufficient_scope" in lacking.headers["www-authenticate"]
    good = issuer.token(claims(scope="write read"))
    told = authorizer_of(front.call(api, "/scope", headers=bearer(good)))["jwt"]
    assert told["scopes"] == ["read", "all"]


def test_keys_are_asked_for_once_whoever_makes_up_key_ids(
    front: ApiUser, api: str, issuer: Issuer
) -> None:
    front.call(api, "/token", headers=bearer(issuer.token(claims())))
    for number in range(5):
        token = issuer.token(claims(), kid=f"made-up-{number}")
        assert front.call(api, "/token", headers=bearer(token)).status == 401
    assert issuer.asked.count("/keys") <= 3


def test_a_function_says_yes_or_no_and_is_remembered(front: ApiUser, api: str) -> None:
    path, who = "/simple/7", {"X-Who": "simple-yes"}
    told = authorizer_of(front.call(api, path, headers=who))["lambda"]
    assert told["seen"]["routeArn"].endswith(f"{api}/$default/GET/simple/7")
    assert told["seen"]["routeKey"] == "GET /simple/{id}"
    assert told["seen"]["type"] == "REQUEST"
    again = authorizer_of(front.call(api, "/simple/8", headers=who))["lambda"]
    assert again["asked"] == told["asked"]
    front.client.reset_authorizers_cache(ApiId=api, StageName="$default")
    anew = authorizer_of(front.call(api, path, headers=who))["lambda"]
    assert anew["seen"]["rawPath"] == path
    refused = front.call(api, path, headers={"X-Who": "simple-no"})
    assert (refused.status, refused.document) == (403, {"message": "Forbidden"})


def test_a_function_answers_with_a_policy(front: ApiUser, api: str) -> None:
    told = authorizer_of(front.call(api, "/policy", headers={"X-Who": "yes"}))
    assert told["lambda"]["asked"] > 0
    assert front.call(api, "/policy", headers={"X-Who": "no"}).status == 403


def test_without_identity_the_function_is_not_asked(front: ApiUser, api: str) -> None:
    answer = front.call(api, "/policy")
    assert (answer.status, answer.document) == (401, {"message": "Unauthorized"})


def test_an_authorizer_that_answers_nonsense_is_an_error(front: ApiUser, api: str) -> None:
    answer = front.call(api, "/simple/1", headers={"X-Who": "broken"})
    assert (answer.status, answer.document) == (500, {"message": "Internal Server Error"})


def signed(front: ApiUser, api: str, key: str, service: str = "execute-api") -> Mapping[str, str]:
    host = f"{api}.execute-api.us-east-1.localhost"
    request = AWSRequest("GET", f"{front.url}/signed", headers={"Host": host})
    SigV4Auth(Credentials(key, "test"), service, "us-east-1").add_auth(request)
    return dict(request.headers.items())


def test_a_signed_request_tells_who_signed(front: ApiUser, api: str) -> None:
    told = authorizer_of(front.call(api, "/signed", headers=signed(front, api, "test")))["iam"]
    assert (told["accountId"], told["accessKey"]) == ("000000000000", "test")


@pytest.mark.parametrize(("key", "service"), [("test", "lambda"), ("111122223333", "execute-api")])
def test_another_service_or_account_is_forbidden(
    front: ApiUser, api: str, key: str, service: str
) -> None:
    answer = front.call(api, "/signed", headers=signed(front, api, key, service))
    assert (answer.status, answer.document) == (403, {"message": "Forbidden"})
    assert front.call(api, "/signed").status == 403


def test_authorizers_are_checked_when_they_are_made(front: ApiUser, api: str) -> None:
    client = front.client
    jwt = {"Issuer": "http://x.example", "Audience": ["a"]}
    wrong: list[dict[str, Any]] = [
        {"AuthorizerType": "JWT", "JwtConfiguration": jwt, "IdentitySource": ["Authorization"]},
        {"AuthorizerType": "JWT", "JwtConfiguration": {"Issuer": "http://x.example"}},
        {"AuthorizerType": "REQUEST", "AuthorizerUri": "arn:x"},
        {"AuthorizerType": "REQUEST", "AuthorizerPayloadFormatVersion": "2.0"},
    ]
    for each in wrong:
        given = {"IdentitySource": ["$request.header.Authorization"], **each}
        with pytest.raises(client.exceptions.BadRequestException):
            client.create_authorizer(ApiId=api, Name="wrong", **given)
    found = client.get_authorizers(ApiId=api)["Items"]
    assert {each["Name"] for each in found} == {"jwt", "simple", "policy"}
    used = next(each for each in found if each["Name"] == "jwt")["AuthorizerId"]
    with pytest.raises(client.exceptions.ConflictException):
        client.delete_authorizer(ApiId=api, AuthorizerId=used)
    with pytest.raises(ClientError):
        client.create_route(
            ApiId=api, RouteKey="GET /x", AuthorizationType="CUSTOM", AuthorizerId=used
        )
    assert json.dumps(client.get_authorizer(ApiId=api, AuthorizerId=used)["JwtConfiguration"])
