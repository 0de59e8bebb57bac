"""Who must prove who they are, and whose proof holds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest
from botocore.auth import S3SigV4QueryAuth, SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from lambdad.authz.access_keys import read_access_keys
from lambdad.authz.authentication import Authenticator, AuthMode
from lambdad.authz.policies import Decision, Request, evaluate
from lambdad.authz.role_credentials import LIFETIME_S, RoleCredentials
from lambdad.authz.sessions import Sessions
from lambdad.domain.errors import HostUnfit
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.testing.clients import to_http_request
from lambdad.testing.clock import FakeClock
from lambdad.testing.functions import a_function

KEY = bytes(range(32))
KEYS = """
[AKIADEPLOY]
secret = "0123456789abcdef0123"
account = "111122223333"
user = "deploy"
"""


class Bench:
    """An authenticator with an environment, and requests to it."""

    def __init__(self, tmp_path: Path, mode: AuthMode = AuthMode.OPEN) -> None:
        self.clock = FakeClock()
        self.sessions = Sessions(KEY)
        self.roles = RoleCredentials(self.sessions, self.clock)
        path = tmp_path / "keys.toml"
        path.write_text(KEYS)
        path.chmod(0o600)
        self.authenticator = Authenticator(
            mode=mode,
            sessions=self.sessions,
            role_credentials=self.roles,
            access_keys=read_access_keys(path),
            clock=self.clock,
        )

    def environment(self, environment_id: str = "e1") -> Mapping[str, str]:
        """Variables of a living environment."""
        self.roles.begin(environment_id)
        return self.roles.issue(environment_id, a_function())

    def signed(
        self,
        key: str,
        secret: str,
        token: str | None = None,
        *,
        signer: Callable[..., SigV4Auth] = SigV4Auth,
        service: str = "lambda",
    ) -> HttpRequest:
        request = AWSRequest(method="GET", url="http://localhost/2015-03-31/functions")
        now = self.clock.now().replace(tzinfo=None)
        with patch("botocore.auth.get_current_datetime", return_value=now):
            signer(Credentials(key, secret, token), service, "us-east-1").add_auth(request)
        sent = to_http_request(request.prepare())
        return replace(sent, headers={"host": "localhost", **sent.headers})

    def by(self, variables: Mapping[str, str], **changes: str) -> HttpRequest:
        """A request signed with credentials from variables, some of them changed."""
        given = {**variables, **changes}
        return self.signed(
            given["AWS_ACCESS_KEY_ID"],
            given["AWS_SECRET_ACCESS_KEY"],
            given.get("AWS_SESSION_TOKEN"),
        )

    def fault(self, request: HttpRequest, *, guest: bool = False) -> Fault:
        with pytest.raises(SignatureRefused) as caught:
            self.authenticator.authenticate(request, guest=guest)
        return caught.value.fault


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def test_strangers_are_taken_at_their_word_by_default(bench: Bench) -> None:
    caller = bench.authenticator.authenticate(bench.signed("444455556666", "any"))
    assert (caller.account_id, caller.proven) == ("444455556666", False)
    assert caller.arn == "arn:aws:iam::444455556666:root"
    unsigned = HttpRequest(method="GET", path="/")
    assert bench.authenticator.authenticate(unsigned).account_id == "000000000000"


def test_an_environment_is_a_session_of_its_role(bench: Bench) -> None:
    caller = bench.authenticator.authenticate(bench.by(bench.environment()))
    function = a_function()
    account_id, role = function.key.account_id, function.role.rpartition("/")[2]
    assert caller.proven
    assert caller.account_id == account_id
    assert caller.arn == f"arn:aws:sts::{account_id}:assumed-role/{role}/{function.key.name}"
    assert caller.role_arn == function.role
    assert caller.user_id.startswith("AROA")
    assert caller.user_id.endswith(f":{function.key.name}")


def test_environments_share_no_part_of_their_credentials(bench: Bench) -> None:
    one, other = bench.environment("e1"), bench.environment("e2")
    assert not set(one.values()) & set(other.values())
    assert one["AWS_ACCESS_KEY_ID"].startswith("ASIA")
    assert (len(one["AWS_ACCESS_KEY_ID"]), len(one["AWS_SECRET_ACCESS_KEY"])) == (20, 40)


def test_credentials_cannot_be_tampered_with(bench: Bench) -> None:
    own, other = bench.environment("e1"), bench.environment("e2")
    token = own["AWS_SESSION_TOKEN"]
    assert bench.fault(bench.by(own, AWS_SECRET_ACCESS_KEY="another")) is Fault.MISMATCH
    assert bench.fault(bench.by(own, AWS_SESSION_TOKEN=token[:-1])) is Fault.INVALID_TOKEN
    assert bench.fault(bench.by(own, AWS_SESSION_TOKEN="IQoJ")) is Fault.INVALID_TOKEN
    stolen = bench.by(own, AWS_SESSION_TOKEN=other["AWS_SESSION_TOKEN"])
    assert bench.fault(stolen) is Fault.INVALID_TOKEN
    request = bench.by(own)
    tokenless = {k: v for k, v in request.headers.items() if k != "x-amz-security-token"}
    assert bench.fault(replace(request, headers=tokenless)) is Fault.UNKNOWN_KEY
    assert bench.fault(bench.by(own, AWS_ACCESS_KEY_ID="ASIA000000000000")) is Fault.UNKNOWN_KEY


def test_every_letter_of_a_token_counts(bench: Bench) -> None:
    own = bench.environment()
    token = own["AWS_SESSION_TOKEN"]
    for place in range(0, len(token), 7):
        letter = "A" if token[place] != "A" else "B"
        forged = f"{token[:place]}{letter}{token[place + 1 :]}"
        assert bench.fault(bench.by(own, AWS_SESSION_TOKEN=forged)) in (
            Fault.INVALID_TOKEN,
            Fault.UNKNOWN_KEY,
        )


def test_credentials_end_with_their_environment(bench: Bench) -> None:
    own = bench.environment()
    bench.roles.end("e1")
    assert bench.fault(bench.by(own)) is Fault.EXPIRED_TOKEN


def test_what_was_issued_before_a_restart_ended_with_its_environment(
    bench: Bench, tmp_path: Path
) -> None:
    own = bench.environment()
    assert Bench(tmp_path).fault(bench.by(own)) is Fault.EXPIRED_TOKEN


def test_credentials_expire_in_the_longest_life(bench: Bench) -> None:
    own = bench.environment()
    bench.clock.advance(LIFETIME_S - 1)
    assert bench.authenticator.authenticate(bench.by(own)).proven
    bench.clock.advance(1)
    assert bench.fault(bench.by(own)) is Fault.EXPIRED_TOKEN


@pytest.mark.parametrize(
    ("signer", "service", "accepted"),
    [(S3SigV4QueryAuth, "s3", True), (SigV4QueryAuth, "lambda", False)],
)
def test_an_address_of_s3_outlives_its_environment(
    bench: Bench, signer: Callable[..., SigV4Auth], service: str, accepted: bool
) -> None:
    own = bench.environment()
    request = bench.signed(*own.values(), signer=signer, service=service)
    bench.roles.end("e1")
    if accepted:
        assert bench.authenticator.authenticate(request).proven
    else:
        assert bench.fault(request) is Fault.EXPIRED_TOKEN


def test_credentials_of_another_daemon_are_strangers_here(tmp_path: Path) -> None:
    bench = Bench(tmp_path, AuthMode.VERIFY)
    bench.sessions = Sessions(bytes(32))
    bench.roles = RoleCredentials(bench.sessions, bench.clock)
    assert bench.fault(bench.by(bench.environment())) is Fault.UNKNOWN_KEY


def test_the_operators_keys_are_checked_in_every_mode(bench: Bench) -> None:
    good = bench.signed("AKIADEPLOY", "0123456789abcdef0123")
    caller = bench.authenticator.authenticate(good)
    assert caller.arn == "arn:aws:iam::111122223333:user/deploy"
    assert bench.fault(bench.signed("AKIADEPLOY", "another")) is Fault.MISMATCH


def test_only_proof_counts_where_everybody_must_prove(tmp_path: Path) -> None:
    bench = Bench(tmp_path, AuthMode.VERIFY)
    assert bench.fault(HttpRequest(method="GET", path="/")) is Fault.MISSING
    assert bench.fault(bench.signed("test", "test")) is Fault.UNKNOWN_KEY
    assert bench.authenticator.authenticate(bench.by(bench.environment())).proven


def test_functions_alone_can_be_asked_for_proof(tmp_path: Path) -> None:
    bench = Bench(tmp_path, AuthMode.FUNCTIONS)
    request = bench.signed("111122223333", "any")
    assert bench.fault(request, guest=True) is Fault.UNKNOWN_KEY
    assert not bench.authenticator.authenticate(request).proven
    assert bench.authenticator.authenticate(bench.by(bench.environment()), guest=True).proven


def test_a_signature_for_one_service_is_none_for_another(bench: Bench) -> None:
    request = bench.by(bench.environment())
    with pytest.raises(SignatureRefused) as caught:
        bench.authenticator.authenticate(request, service="logs")
    assert caught.value.fault is Fault.SCOPE


def test_the_daemon_calls_itself_and_nobody_else_can_in_its_name(bench: Bench) -> None:
    access_key, secret = bench.authenticator.daemon_key("111122223333")
    caller = bench.authenticator.authenticate(bench.signed(access_key, secret))
    assert (caller.account_id, caller.proven) == ("111122223333", True)
    assert bench.fault(bench.signed(access_key, "guessed")) is Fault.MISMATCH
    assert bench.fault(bench.signed("LAMBDAD000000000000", secret)) is Fault.MISMATCH


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("[AKIA1]\naccount = '111122223333'", "it has no secret"),
        ("[AKIA1]\nsecret = 'short'\naccount = '111122223333'", "it has no secret"),
        ("[AKIA1]\nsecret = '0123456789abcdef'\naccount = '1'", "it has no account"),
        ("[AKIA1]\nsecret = '0123456789abcdef'\naccount = '111122223333'\nx = 1", "no member x"),
        ("['a b']\nsecret = '0123456789abcdef'\naccount = '111122223333'", "no access key id"),
        ("AKIA1 = 1", "it is no table"),
        ("[", "is not TOML"),
    ],
)
def test_a_wrong_file_of_keys_says_what_is_wrong(tmp_path: Path, text: str, cause: str) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(HostUnfit, match=cause):
        read_access_keys(path)


def test_a_file_of_keys_that_others_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.toml"
    path.write_text(KEYS)
    path.chmod(0o640)
    with pytest.raises(HostUnfit, match="open to other users"):
        read_access_keys(path)


@pytest.mark.parametrize(
    ("name", "decision"),
    [
        ("arn:aws:iam::{account}:role/{role}", Decision.ALLOWED),
        ("arn:aws:sts::{account}:assumed-role/{role}/{function}", Decision.ALLOWED),
        ("arn:aws:iam::{account}:root", Decision.ALLOWED),
        ("arn:aws:sts::{account}:assumed-role/{role}/other", Decision.SILENT),
        ("arn:aws:iam::{account}:role/other", Decision.SILENT),
    ],
)
def test_policies_name_a_session_or_its_role(bench: Bench, name: str, decision: Decision) -> None:
    function = a_function()
    caller = bench.authenticator.authenticate(bench.by(bench.environment()))
    arn = name.format(
        account=function.key.account_id,
        role=function.role.rpartition("/")[2],
        function=function.key.name,
    )
    statement = {"Effect": "Allow", "Principal": {"AWS": arn}, "Action": "*", "Resource": "*"}
    request = Request(principal=caller.principal, action="lambda:InvokeFunction", resource="any")
    assert evaluate([{"Statement": [statement]}], request) is decision
