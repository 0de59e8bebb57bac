"""A daemon to which everybody must prove who they are."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from lambdad.config.service import variables
from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer
from lambdad.testing.role_calls import RoleCaller

pytestmark = [pytest.mark.root, pytest.mark.slow]

KEY, SECRET = "AKIADEPLOYEXAMPLE000", "0123456789abcdefghijklmnopqrstuvwxyz0123"
ACCOUNT = "111122223333"
ECHO = "def handler(event, context): return event"
MISMATCH = "The request signature we calculated does not match the signature you provided."


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaemonProcess]:
    directory = tmp_path_factory.mktemp("verify")
    keys = directory / "keys.toml"
    keys.write_text(f'[{KEY}]\nsecret = "{SECRET}"\naccount = "{ACCOUNT}"\nuser = "deploy"\n')
    keys.chmod(0o600)
    config = directory / "lambdad.toml"
    config.write_text(f'[auth]\nmode = "verify"\naccess_keys = "{keys}"\n')
    with DaemonProcess(directory / "data", "--config", str(config)) as it:
        yield it


def client(daemon: DaemonProcess, service: str, key: str = KEY, secret: str = SECRET) -> Any:
    return boto3.client(
        service,
        endpoint_url=daemon.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=key,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}),
    )


@pytest.fixture(scope="module")
def user(daemon: DaemonProcess) -> Deployer:
    user = Deployer(daemon.endpoint_url)
    for service in ("lambda_", "logs", "sts"):
        object.__setattr__(user, service, client(daemon, service.rstrip("_")))
    return user


def error_of(call: Any, **params: Any) -> tuple[int, str, str]:
    with pytest.raises(ClientError) as caught:
        call(**params)
    answer = caught.value.response
    return (
        answer["ResponseMetadata"]["HTTPStatusCode"],
        answer["Error"]["Code"],
        answer["Error"]["Message"],
    )


def test_a_known_key_is_its_user(user: Deployer) -> None:
    assert user.sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{ACCOUNT}:user/deploy"


INVALID = "The security token included in the request is invalid."


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("lambda", "list_functions", "UnrecognizedClientException"),
        ("logs", "describe_log_groups", "UnrecognizedClientException"),
        ("sts", "get_caller_identity", "InvalidClientTokenId"),
    ],
)
def test_unknown_keys_are_refused(
    daemon: DaemonProcess, service: str, call: str, code: str
) -> None:
    stranger = client(daemon, service, "test", "test")
    assert error_of(getattr(stranger, call)) == (403, code, INVALID)


@pytest.mark.parametrize(
    ("service", "call", "code"),
    [
        ("lambda", "list_functions", "InvalidSignatureException"),
        ("logs", "describe_log_groups", "InvalidSignatureException"),
        ("sts", "get_caller_identity", "SignatureDoesNotMatch"),
        ("sqs", "list_queues", "InvalidSignatureException"),
        ("s3", "list_buckets", "SignatureDoesNotMatch"),
    ],
)
def test_a_wrong_secret_is_refused_in_the_services_words(
    daemon: DaemonProcess, service: str, call: str, code: str
) -> None:
    status, found, text = error_of(getattr(client(daemon, service, KEY, "another"), call))
    assert (status, found) == (403, code)
    assert text.startswith("The request signature we calculated does not match the signature")


def ask(
    daemon: DaemonProcess,
    path: str,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    method: str = "GET",
) -> tuple[int, str | None, Any]:
    connection = http.client.HTTPConnection(urlsplit(daemon.endpoint_url).netloc, timeout=30)
    try:
        connection.request(method, path, body, dict(headers or {}))
        answer = connection.getresponse()
        return answer.status, answer.headers["x-amzn-ErrorType"], json.loads(answer.read())
    finally:
        connection.close()


def test_unsigned_requests_are_refused(daemon: DaemonProcess) -> None:
    status, code, document = ask(daemon, "/2015-03-31/functions/")
    assert (status, code) == (403, "MissingAuthenticationTokenException")
    assert document["message"] == "Missing Authentication Token"


def test_pages_for_operators_are_closed_and_health_is_not(daemon: DaemonProcess) -> None:
    assert ask(daemon, "/_lambdad/queue")[:2] == (403, "MissingAuthenticationTokenException")
    assert ask(daemon, "/_lambdad/health")[0] == 200


@pytest.mark.parametrize(("secret", "status"), [(SECRET, 0), ("another", 2)])
def test_the_command_signs_for_pages_of_operators(
    daemon: DaemonProcess, secret: str, status: int
) -> None:
    command = [sys.executable, "-m", "lambdad", "queue", "list", "--json"]
    done = subprocess.run(
        [*command, "--endpoint-url", daemon.endpoint_url],
        env={**variables(), "AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": secret},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == status, done.stderr
    assert ('"counts"' in done.stdout) == (status == 0)


def test_functions_call_with_their_own_credentials(user: Deployer) -> None:
    caller = RoleCaller(user)
    arn = caller.call("sts", "get_caller_identity")["Arn"]
    assert arn == f"arn:aws:sts::{ACCOUNT}:assumed-role/r/caller"
    invented = {"AWS_ACCESS_KEY_ID": ACCOUNT, "AWS_SESSION_TOKEN": ""}
    refused = caller.call("lambda", "list_functions", changes=invented)
    assert refused["code"] == "UnrecognizedClientException"


class Url:
    """A function URL that wants signatures."""

    def __init__(self, user: Deployer, daemon: DaemonProcess) -> None:
        user.deploy("echo", ECHO)
        config = user.lambda_.create_function_url_config(FunctionName="echo", AuthType="AWS_IAM")
        self.url, self.daemon = config["FunctionUrl"], daemon

    def ask(
        self,
        *,
        service: str = "lambda",
        region: str = "us-east-1",
        secret: str = SECRET,
        sent: bytes = b"hello",
        presign: bool = False,
    ) -> tuple[int, str | None, Any]:
        """POST `hello`, signed; `sent` is the body that goes out instead."""
        body = b"" if presign else b"hello"
        request = AWSRequest(
            "POST", self.url, data=body, headers={"Host": urlsplit(self.url).netloc}
        )
        signer = SigV4QueryAuth if presign else SigV4Auth
        signer(Credentials(KEY, secret), service, region).add_auth(request)
        target = urlsplit(str(request.url))
        path = f"{target.path}?{target.query}"
        sent = body if presign else sent
        return ask(self.daemon, path, dict(request.headers.items()), sent, "POST")


@pytest.fixture(scope="module")
def url(user: Deployer, daemon: DaemonProcess) -> Url:
    return Url(user, daemon)


@pytest.mark.parametrize("presign", [False, True])
def test_a_url_tells_its_function_who_calls(url: Url, presign: bool) -> None:
    status, _, event = url.ask(presign=presign)
    assert status == 200
    assert event["requestContext"]["accountId"] == ACCOUNT
    iam = event["requestContext"]["authorizer"]["iam"]
    assert iam["userId"].startswith("AIDA")
    assert iam == {
        "accessKey": KEY,
        "accountId": ACCOUNT,
        "callerId": iam["userId"],
        "cognitoIdentity": None,
        "principalOrgId": None,
        "userArn": f"arn:aws:iam::{ACCOUNT}:user/deploy",
        "userId": iam["userId"],
    }


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"sent": b"other"}, MISMATCH),
        ({"secret": "another"}, MISMATCH),
        ({"service": "s3"}, "Credential should be scoped to correct service: 'lambda'."),
        (
            {"region": "eu-west-1"},
            "Credential should be scoped to a valid region, not 'eu-west-1'.",
        ),
    ],
)
def test_a_url_refuses_what_is_not_signed_rightly(
    url: Url, wrong: dict[str, Any], text: str
) -> None:
    status, code, document = url.ask(**wrong)
    assert (status, code) == (403, "InvalidSignatureException")
    assert document["message"].startswith(text)


def test_a_url_refuses_what_is_not_signed_at_all(url: Url, daemon: DaemonProcess) -> None:
    status, code, document = ask(daemon, "/", {"Host": urlsplit(url.url).netloc})
    assert (status, code) == (403, "AccessDeniedException")
    assert document["Message"].startswith("Forbidden.")


def test_a_url_obeys_what_its_policy_denies(url: Url, user: Deployer) -> None:
    statement = {
        "Sid": "no",
        "Effect": "Deny",
        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/deploy"},
        "Action": "lambda:InvokeFunctionUrl",
        "Resource": f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:echo",
        "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}},
    }
    arn = statement["Resource"]
    user.lambda_.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Statement": [statement]}))
    try:
        status, code, document = url.ask()
        assert (status, code) == (403, "AccessDeniedException")
        assert document["Message"].startswith("Forbidden.")
    finally:
        user.lambda_.delete_resource_policy(ResourceArn=arn)


def test_large_objects_are_proven_and_stored(daemon: DaemonProcess) -> None:
    """What goes into a file as it comes is held to its signature, too."""
    body = bytes(range(256)) * 4_000
    s3 = client(daemon, "s3")
    s3.create_bucket(Bucket="proven")
    s3.put_object(Bucket="proven", Key="k", Body=body)
    assert s3.get_object(Bucket="proven", Key="k")["Body"].read() == body
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        client(daemon, "s3", secret="wrong").put_object(Bucket="proven", Key="bad", Body=body)
    signer = boto3.client(
        "s3",
        endpoint_url=daemon.endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(signature_version="s3v4"),
    )
    url = signer.generate_presigned_url("put_object", Params={"Bucket": "proven", "Key": "url"})
    parts = urlsplit(url)
    for signature, expected in (("", 200), ("0", 403)):
        connection = http.client.HTTPConnection(parts.netloc)
        connection.request("PUT", f"{parts.path}?{parts.query}{signature}", b"other" + body)
        assert connection.getresponse().status == expected
        connection.close()
    kept = [each["Key"] for each in s3.list_objects_v2(Bucket="proven")["Contents"]]
    assert kept == ["k", "url"]


def test_clients_of_a_registry_log_in_and_reach_no_other_account(daemon: DaemonProcess) -> None:
    place = urlsplit(daemon.endpoint_url).netloc
    client(daemon, "ecr").create_repository(repositoryName="verify/app")

    def status(path: str, host: str = place, authorization: str | None = None) -> tuple[int, str]:
        connection = http.client.HTTPConnection(place)
        headers = {"Authorization": authorization} if authorization else {}
        connection.request("GET", path, headers={"Host": host, **headers})
        response = connection.getresponse()
        response.read()
        connection.close()
        return response.status, response.headers.get("WWW-Authenticate", "")

    (data,) = client(daemon, "ecr").get_authorization_token()["authorizationData"]
    basic = f"Basic {data['authorizationToken']}"
    tags = "/v2/verify/app/tags/list"
    assert status("/v2/") == (401, 'Basic realm="lambdad",service="ecr.amazonaws.com"')
    assert status(tags)[0] == 401
    assert status("/v2/", authorization=basic)[0] == 200
    assert status(tags, authorization=basic)[0] == 200
    damaged = data["authorizationToken"][:-8] + "AAAAAAA="
    assert status(tags, authorization=f"Basic {damaged}")[0] == 401
    other = "444455556666.dkr.ecr.us-east-1.localhost"
    assert status(tags, other, basic)[0] == 404
    own = f"{ACCOUNT}.dkr.ecr.us-east-1.localhost"
    assert status(tags, own, basic)[0] == 200
