"""What exists already is taken into a stack as it is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.conformance.cloudformation.conftest import Account, refused

pytestmark = pytest.mark.slow

QUEUE: Any = {
    "Type": "AWS::SQS::Queue",
    "DeletionPolicy": "Delete",
    "Properties": {"DelaySeconds": 4},
}


def template(**resources: Any) -> str:
    return json.dumps({"Resources": resources})


def asked(name: str, kind: str, key: str, value: str) -> dict[str, Any]:
    return {
        "LogicalResourceId": name,
        "ResourceType": kind,
        "ResourceIdentifier": {key: value},
    }


def imported(account: Account, stack: str, text: str, *resources: Any) -> dict[str, Any]:
    cfn = account.cfn
    made = cfn.create_change_set(
        StackName=stack,
        ChangeSetName="import",
        ChangeSetType="IMPORT",
        TemplateBody=text,
        ResourcesToImport=list(resources),
    )
    for each in cfn.describe_change_set(ChangeSetName=made["Id"])["Changes"]:
        assert each["ResourceChange"]["Action"] == "Import"
    cfn.execute_change_set(ChangeSetName=made["Id"])
    return account.settled(stack)


def test_a_new_stack_takes_in_what_exists_and_owns_it_then(account: Account) -> None:
    sqs, sns = account.client("sqs"), account.client("sns")
    url = sqs.create_queue(QueueName="imports-own", Attributes={"DelaySeconds": "9"})["QueueUrl"]
    arn = sns.create_topic(Name="imports-own")["TopicArn"]
    topic = {"Type": "AWS::SNS::Topic", "DeletionPolicy": "Retain"}
    text = json.dumps(
        {
            "Resources": {"Queue": QUEUE, "Topic": topic},
        }
    )
    summary = account.cfn.get_template_summary(TemplateBody=text)["ResourceIdentifierSummaries"]
    assert [each["ResourceIdentifiers"] for each in summary] == [["TopicArn"], ["QueueUrl"]]
    stack = imported(
        account,
        "owning",
        text,
        asked("Queue", "AWS::SQS::Queue", "QueueUrl", url),
        asked("Topic", "AWS::SNS::Topic", "TopicArn", arn),
    )
    assert stack["StackStatus"] == "IMPORT_COMPLETE", account.events("owning")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    assert found["Attributes"] == {"DelaySeconds": "9"}, "an import changes nothing"
    statuses = {(name, status) for name, status, _ in account.events("owning")}
    assert {("Queue", "IMPORT_COMPLETE"), ("Topic", "IMPORT_COMPLETE")} <= statuses
    changed = json.loads(text)
    changed["Resources"]["Queue"]["Properties"]["DelaySeconds"] = 5
    changed["Outputs"] = {"Arn": {"Value": {"Fn::GetAtt": ["Queue", "Arn"]}}}
    updated = account.update("owning", changed)
    assert updated["StackStatus"] == "UPDATE_COMPLETE", account.events("owning")
    assert updated["Outputs"][0]["OutputValue"].endswith(":imports-own")
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    assert found["Attributes"] == {"DelaySeconds": "5"}
    account.delete("owning")
    assert "QueueUrls" not in sqs.list_queues()
    assert [each["TopicArn"] for each in sns.list_topics()["Topics"]] == [arn]


def test_what_is_not_there_is_not_imported_and_the_stack_stays_as_it_was(
    account: Account,
) -> None:
    sqs = account.client("sqs")
    account.deploy("staying", template(First=QUEUE))
    url = sqs.create_queue(QueueName="imports-there")["QueueUrl"]
    stack = imported(
        account,
        "staying",
        template(First=QUEUE, There=QUEUE, Gone={**QUEUE, "DependsOn": "There"}),
        asked("There", "AWS::SQS::Queue", "QueueUrl", url),
        asked("Gone", "AWS::SQS::Queue", "QueueUrl", url.replace("there", "gone")),
    )
    assert stack["StackStatus"] == "IMPORT_ROLLBACK_COMPLETE"
    rows = account.cfn.list_stack_resources(StackName="staying")["StackResourceSummaries"]
    assert [row["LogicalResourceId"] for row in rows] == ["First"]
    assert url in sqs.list_queues()["QueueUrls"]
    assert list(account.cfn.get_template(StackName="staying")["TemplateBody"]["Resources"]) == [
        "First"
    ]
    assert account.delete("staying")["StackStatus"] == "DELETE_COMPLETE"


def test_an_import_that_does_something_else_is_refused(account: Account) -> None:
    cfn, sqs = account.cfn, account.client("sqs")
    account.deploy("refusing", template(First=QUEUE))
    url = sqs.create_queue(QueueName="imports-refused")["QueueUrl"]
    taken = next(each for each in sqs.list_queues()["QueueUrls"] if each != url)
    identifier = asked("Q", "AWS::SQS::Queue", "QueueUrl", url)

    def message(text: str, *resources: Any) -> str:
        code, found = refused(
            cfn.create_change_set,
            StackName="refusing",
            ChangeSetName="no",
            ChangeSetType="IMPORT",
            TemplateBody=text,
            ResourcesToImport=list(resources),
        )
        assert code == "ValidationError"
        return found

    plain = {"Type": "AWS::SQS::Queue"}
    assert "must have DeletionPolicy" in message(template(First=QUEUE, Q=plain), identifier)
    other = template(First=QUEUE, Q=QUEUE, More=QUEUE)
    assert message(other, identifier).endswith("resources [More]")
    assert "not in the template" in message(template(First=QUEUE), identifier)
    wrong = asked("Q", "AWS::SQS::Queue", "QueueName", "x")
    assert "exactly [QueueUrl]" in message(template(First=QUEUE, Q=QUEUE), wrong)
    again = asked("Q", "AWS::SQS::Queue", "QueueUrl", taken)
    assert "already belongs to stack" in message(template(First=QUEUE, Q=QUEUE), again)
    policy = {
        "Type": "AWS::SQS::QueuePolicy",
        "DeletionPolicy": "Retain",
        "Properties": {"Queues": [url], "PolicyDocument": {}},
    }
    unknown = asked("Q", "AWS::SQS::QueuePolicy", "Id", "x")
    assert "are not supported for Import" in message(template(First=QUEUE, Q=policy), unknown)
    assert "must specify ResourcesToImport" in message(template(First=QUEUE))
