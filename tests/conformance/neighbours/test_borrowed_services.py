"""Services that moto serves behind lambdad's port, and what becomes of them in a crash."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lambdad.testing.daemon import DaemonProcess


def client(daemon: DaemonProcess, service: str, account: str = "test") -> Any:
    return boto3.client(
        service,
        endpoint_url=daemon.endpoint_url,
        region_name="eu-west-1",
        aws_access_key_id=account,
        aws_secret_access_key="any",
        config=Config(retries={"max_attempts": 0}),
    )


def children(pid: int) -> list[int]:
    """Processes whose command line names the daemon as their parent."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"lambdad.neighbours.borrowed.program" in words and str(pid).encode() in words:
            found.append(int(entry.name))
    return found


@pytest.mark.slow
def test_what_was_answered_is_there_after_a_crash_under_the_same_names(tmp_path: Path) -> None:
    daemon = DaemonProcess(tmp_path, "--backend", "process").start()
    assert children(daemon.pid) == []
    role = client(daemon, "iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]
    key = client(daemon, "kms").create_key()["KeyMetadata"]["KeyId"]
    sealed = client(daemon, "kms").encrypt(KeyId=key, Plaintext=b"secret")["CiphertextBlob"]
    secret = client(daemon, "secretsmanager").create_secret(Name="s", SecretString="x")["ARN"]
    assert role["Arn"] == "arn:aws:iam::000000000000:role/r"
    assert client(daemon, "iam", "123456789012").list_roles()["Roles"] == []
    daemon_pid = daemon.pid
    (child,) = children(daemon_pid)
    daemon.kill()

    with DaemonProcess(tmp_path, "--backend", "process") as again:
        found = client(again, "iam").get_role(RoleName="r")["Role"]
        assert (found["RoleId"], found["CreateDate"]) == (role["RoleId"], role["CreateDate"])
        assert client(again, "kms").decrypt(CiphertextBlob=sealed)["Plaintext"] == b"secret"
        described = client(again, "secretsmanager").describe_secret(SecretId="s")
        assert described["ARN"] == secret
        assert child not in children(daemon_pid)
        pid = again.pid
    assert children(pid) == []


@pytest.mark.slow
def test_a_service_that_somebody_else_runs_is_handed_its_requests(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "there", "--backend", "process") as there:
        url = there.endpoint_url
        options = ("--backend", "process")
        environ = {"LAMBDAD_NEIGHBOURS_SQS": url, "LAMBDAD_NEIGHBOURS_OTHERS": "none"}
        with DaemonProcess(tmp_path / "here", *options, environ=environ) as here:
            queue = client(here, "sqs").create_queue(QueueName="far")["QueueUrl"]
            client(here, "sqs").send_message(QueueUrl=queue, MessageBody="x" * 1_000_000)
            (got,) = client(there, "sqs").receive_message(QueueUrl=queue)["Messages"]
            assert len(got["Body"]) == 1_000_000
        assert not (tmp_path / "here" / "neighbours" / "sqs").exists()


@pytest.mark.slow
def test_iam_takes_policies_without_a_version_and_has_those_of_aws(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path, "--backend", "process") as daemon:
        iam = client(daemon, "iam")
        iam.create_role(RoleName="r", AssumeRolePolicyDocument="{}")
        statement = '{"Effect": "Allow", "Action": "sqs:*", "Resource": "*"}'
        for number, version in enumerate(("", '"Version": "2008-10-17", ')):
            document = f'{{{version}"Statement": [{statement}]}}'
            iam.put_role_policy(RoleName="r", PolicyName=f"p{number}", PolicyDocument=document)
        with pytest.raises(iam.exceptions.MalformedPolicyDocumentException):
            iam.put_role_policy(
                RoleName="r",
                PolicyName="p",
                PolicyDocument=f'{{"Version": "2000-01-01", "Statement": [{statement}]}}',
            )
        arn = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        iam.attach_role_policy(RoleName="r", PolicyArn=arn)
        [attached] = iam.list_attached_role_policies(RoleName="r")["AttachedPolicies"]
        assert attached["PolicyArn"] == arn
