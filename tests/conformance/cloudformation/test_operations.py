"""What can be done to an operation: policies, cancelling, taking back, signals, time limits."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account, refused

pytestmark = pytest.mark.slow

QUEUE: Any = {"Type": "AWS::SQS::Queue"}
BAD: Any = {"Type": "AWS::SQS::Queue", "Properties": {"VisibilityTimeout": 99_999_999}}


def stack_of(**resources: Any) -> dict[str, Any]:
    return {"Resources": resources}


def delayed(seconds: int, **more: Any) -> dict[str, Any]:
    return {**QUEUE, "Properties": {"DelaySeconds": seconds, **more}}


def waiting(**properties: Any) -> dict[str, Any]:
    """Resources of a stack that waits for signals."""
    return {
        "Handle": {"Type": "AWS::CloudFormation::WaitConditionHandle"},
        "Wait": {
            "Type": "AWS::CloudFormation::WaitCondition",
            "Properties": {"Handle": {"Ref": "Handle"}, "Timeout": "30", **properties},
        },
    }


def seen(account: Account, stack: str, name: str, status: str) -> dict[str, Any]:
    """A resource once it is in a state."""
    for _ in range(3_000):
        for row in account.cfn.list_stack_resources(StackName=stack)["StackResourceSummaries"]:
            if (row["LogicalResourceId"], row["ResourceStatus"]) == (name, status):
                return dict(row)
    raise AssertionError(account.events(stack))


def signal(url: str, **body: str) -> int:
    request = urllib.request.Request(  # noqa: S310 - an URL of the daemon
        url, data=json.dumps(body).encode(), method="PUT"
    )
    with urllib.request.urlopen(request, timeout=30) as response:  # noqa: S310
        return int(response.status)


def reasons(account: Account, stack: str, status: str) -> dict[str, str]:
    return {name: reason for name, each, reason in account.events(stack) if each == status}


def policy(*statements: dict[str, Any]) -> str:
    return json.dumps({"Statement": [{"Principal": "*", **each} for each in statements]})


ALLOW: Any = {"Effect": "Allow", "Action": "Update:*", "Resource": "*"}


def test_a_policy_protects_resources_from_updates(account: Account) -> None:
    deny = {"Effect": "Deny", "Action": "Update:Modify", "Resource": "LogicalResourceId/Kept*"}
    template = stack_of(Kept=delayed(1), Other=delayed(1))
    account.deploy("guarded", template, StackPolicyBody=policy(ALLOW, deny))
    changed = stack_of(Kept=delayed(2), Other=delayed(1))
    assert account.update("guarded", changed)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reasons(account, "guarded", "UPDATE_FAILED")["Kept"] == (
        "Action denied by stack policy: Statement [#2] does not allow [Update:Modify] for resource "
        "[LogicalResourceId/Kept]"
    )
    during = policy(ALLOW)
    found = account.update("guarded", changed, StackPolicyDuringUpdateBody=during)
    assert found["StackStatus"] == "UPDATE_COMPLETE", "a policy for one update overrides it"
    others = {"Effect": "Deny", "NotAction": "Update:Modify", "NotResource": "LogicalResourceId/X"}
    account.cfn.set_stack_policy(StackName="guarded", StackPolicyBody=policy(ALLOW, others))
    gone = account.update("guarded", stack_of(Kept=delayed(2)))
    assert gone["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE", "it may modify and not remove"
    named = stack_of(Kept=delayed(2, QueueName="operations-named"), Other=delayed(1))
    assert account.update("guarded", named)["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert (
        account.update("guarded", stack_of(Kept=delayed(3), Other=delayed(1)))["StackStatus"]
        == "UPDATE_COMPLETE"
    )


def test_a_policy_is_of_types_too_and_what_it_does_not_allow_is_denied(account: Account) -> None:
    topics = {**ALLOW, "Condition": {"StringLike": {"ResourceType": ["AWS::SNS::*"]}}}
    topic = {"Type": "AWS::SNS::Topic", "Properties": {"DisplayName": "a"}}
    account.deploy("typed", stack_of(T=topic, Q=delayed(1)), StackPolicyBody=policy(topics))
    topic = {**topic, "Properties": {"DisplayName": "b"}}
    assert account.update("typed", stack_of(T=topic, Q=delayed(1)))["StackStatus"] == (
        "UPDATE_COMPLETE"
    )
    found = account.update("typed", stack_of(T=topic, Q=delayed(2)))
    assert found["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    for text in ("no json", "{}", policy({**ALLOW, "Action": "s3:*"})):
        code, message = refused(
            account.cfn.set_stack_policy, StackName="typed", StackPolicyBody=text
        )
        assert (code, message.partition(":")[0]) == (
            "ValidationError",
            "Error validating stack policy",
        )


def test_signals_to_a_handle_let_a_stack_go_on(account: Account) -> None:
    template = stack_of(**waiting(Count=2))
    template["Outputs"] = {"Said": {"Value": {"Fn::GetAtt": ["Wait", "Data"]}}}
    account.cfn.create_stack(StackName="waits", TemplateBody=json.dumps(template))
    seen(account, "waits", "Wait", "CREATE_IN_PROGRESS")
    url = seen(account, "waits", "Handle", "CREATE_COMPLETE")["PhysicalResourceId"]
    for _ in range(2):  # the same again counts once
        assert signal(url, Status="SUCCESS", UniqueId="a", Data="one", Reason="r") == 200
    with pytest.raises(urllib.error.HTTPError):
        signal(url, Status="PERHAPS")
    assert account.cfn.describe_stacks(StackName="waits")["Stacks"][0]["StackStatus"] == (
        "CREATE_IN_PROGRESS"
    )
    signal(url, Status="SUCCESS", UniqueId="b", Data="two", Reason="r")
    stack = account.settled("waits")
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("waits")
    assert json.loads(stack["Outputs"][0]["OutputValue"]) == {"a": "one", "b": "two"}


def test_a_signal_of_failure_or_none_in_time_fails_the_stack(account: Account) -> None:
    account.cfn.create_stack(StackName="fails", TemplateBody=json.dumps(stack_of(**waiting())))
    url = seen(account, "fails", "Handle", "CREATE_COMPLETE")["PhysicalResourceId"]
    signal(url, Status="FAILURE", UniqueId="a", Data="", Reason="broken")
    assert account.settled("fails")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons(account, "fails", "CREATE_FAILED")["Wait"] == (
        "WaitCondition received failed message: 'broken' for uniqueId: a"
    )
    late = account.deploy("late", stack_of(**waiting(Timeout="1")))
    assert late["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reasons(account, "late", "CREATE_FAILED")["Wait"] == (
        "WaitCondition timed out. Received 0 conditions when expecting 1"
    )


def test_a_creation_policy_waits_for_signals_of_the_resource(account: Account) -> None:
    condition = {
        "Type": "AWS::CloudFormation::WaitCondition",
        "CreationPolicy": {"ResourceSignal": {"Count": 1, "Timeout": "PT30S"}},
    }
    cfn = account.cfn
    cfn.create_stack(StackName="told", TemplateBody=json.dumps(stack_of(Wait=condition)))
    seen(account, "told", "Wait", "CREATE_IN_PROGRESS")
    told = {"StackName": "told", "LogicalResourceId": "Wait", "UniqueId": "u", "Status": "SUCCESS"}
    cfn.signal_resource(**told)
    assert account.settled("told")["StackStatus"] == "CREATE_COMPLETE"
    code, message = refused(cfn.signal_resource, **told)
    assert (code, "cannot be signaled" in message) == ("ValidationError", True)


def test_an_update_that_is_cancelled_is_taken_back(account: Account) -> None:
    account.deploy("halted", stack_of(Queue=delayed(1)))
    template = stack_of(Queue=delayed(2), **waiting())
    template["Resources"]["Handle"]["DependsOn"] = "Queue"
    account.cfn.update_stack(StackName="halted", TemplateBody=json.dumps(template))
    seen(account, "halted", "Wait", "CREATE_IN_PROGRESS")
    account.cfn.cancel_update_stack(StackName="halted")
    assert account.settled("halted")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    [url] = account.client("sqs").list_queues()["QueueUrls"]
    found = account.client("sqs").get_queue_attributes(
        QueueUrl=url, AttributeNames=["DelaySeconds"]
    )
    assert found["Attributes"] == {"DelaySeconds": "1"}
    code, message = refused(account.cfn.cancel_update_stack, StackName="halted")
    assert (code, message) == (
        "ValidationError",
        "CancelUpdateStack cannot be called from current stack status: UPDATE_ROLLBACK_COMPLETE",
    )


def test_what_failed_and_was_left_can_be_rolled_back_later(account: Account) -> None:
    cfn, sqs = account.cfn, account.client("sqs")
    account.deploy("left", stack_of(A=QUEUE, B={**BAD, "DependsOn": "A"}), DisableRollback=True)
    assert account.settled("left")["StackStatus"] == "CREATE_FAILED"
    assert len(sqs.list_queues()["QueueUrls"]) == 1
    cfn.rollback_stack(StackName="left")
    assert account.settled("left")["StackStatus"] == "ROLLBACK_COMPLETE"
    assert "QueueUrls" not in sqs.list_queues()
    account.deploy("later", stack_of(A=delayed(1)))
    broken = stack_of(A=delayed(2), B={**BAD, "DependsOn": "A"})
    assert account.update("later", broken, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    more = stack_of(A=delayed(3), B={**BAD, "DependsOn": "A"})
    assert account.update("later", more, DisableRollback=True)["StackStatus"] == "UPDATE_FAILED"
    cfn.rollback_stack(StackName="later")
    assert account.settled("later")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    [url] = sqs.list_queues()["QueueUrls"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    assert found["Attributes"] == {"DelaySeconds": "1"}, "what was before both updates"
    assert account.update("later", stack_of(A=delayed(4)))["StackStatus"] == "UPDATE_COMPLETE"
    assert refused(cfn.rollback_stack, StackName="later")[0] == "ValidationError"


@pytest.mark.parametrize(
    ("policy_name", "params", "stays"),
    [
        ("Retain", {}, True),
        ("RetainExceptOnCreate", {}, False),
        ("Retain", {"RetainExceptOnCreate": True}, False),
    ],
)
def test_what_is_to_be_retained_survives_a_failed_creation_unless_it_says_otherwise(
    account: Account, policy_name: str, params: dict[str, Any], stays: bool
) -> None:
    kept = {**QUEUE, "DeletionPolicy": policy_name}
    stack = account.deploy("kept", stack_of(A=kept, B={**BAD, "DependsOn": "A"}), **params)
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert ("QueueUrls" in account.client("sqs").list_queues()) is stays


def test_an_alarm_takes_a_deployment_back(account: Account) -> None:
    cloudwatch = account.client("cloudwatch")
    cloudwatch.put_metric_alarm(
        AlarmName="operations-bad",
        ComparisonOperator="GreaterThanThreshold",
        EvaluationPeriods=1,
        MetricName="m",
        Namespace="n",
        Period=60,
        Statistic="Sum",
        Threshold=1,
        TreatMissingData="ignore",
    )
    arn = cloudwatch.describe_alarms(AlarmNames=["operations-bad"])["MetricAlarms"][0]["AlarmArn"]
    triggers = [{"Arn": arn, "Type": "AWS::CloudWatch::Alarm"}]
    config = {"RollbackTriggers": triggers, "MonitoringTimeInMinutes": 0}
    stack = account.deploy("watched", stack_of(A=delayed(1)), RollbackConfiguration=config)
    assert stack["StackStatus"] == "CREATE_COMPLETE", account.events("watched")
    assert stack["RollbackConfiguration"] == config
    cloudwatch.set_alarm_state(AlarmName="operations-bad", StateValue="ALARM", StateReason="now")
    stack = account.update("watched", stack_of(A=delayed(2)))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert reasons(account, "watched", "UPDATE_ROLLBACK_IN_PROGRESS")["watched"] == (
        f"Rollback triggers breached: [{arn}]"
    )


def test_a_rollback_that_failed_goes_on_without_what_is_skipped(account: Account) -> None:
    sqs, cfn = account.client("sqs"), account.cfn
    account.deploy("stuck", stack_of(A=delayed(1)))
    [url] = sqs.list_queues()["QueueUrls"]
    template = stack_of(A=delayed(2), **waiting())
    template["Resources"]["Handle"]["DependsOn"] = "A"
    cfn.update_stack(StackName="stuck", TemplateBody=json.dumps(template))
    handle = seen(account, "stuck", "Handle", "CREATE_COMPLETE")["PhysicalResourceId"]
    sqs.delete_queue(QueueUrl=url)
    signal(handle, Status="FAILURE", UniqueId="a", Data="", Reason="broken")
    assert account.settled("stuck")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    cfn.continue_update_rollback(StackName="stuck")
    assert account.settled("stuck")["StackStatus"] == "UPDATE_ROLLBACK_FAILED"
    cfn.continue_update_rollback(StackName="stuck", ResourcesToSkip=["A"])
    assert account.settled("stuck")["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert account.delete("stuck")["StackStatus"] == "DELETE_COMPLETE"
