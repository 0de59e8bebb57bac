"""Tables: made, described, changed and deleted as on AWS, with what deploy tools read of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.dynamodb.conftest import aws_client, schema

from lambdad.testing.asking import asking
from lambdad.testing.daemon import DaemonProcess

Table = Callable[..., str]
INVALID = "One or more parameter values were invalid: "
THROUGHPUT = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 6}


def by(name: str, *keys: str, **projection: Any) -> dict[str, Any]:
    chosen = projection or {"ProjectionType": "ALL"}
    return {"IndexName": name, "KeySchema": schema(*keys), "Projection": chosen}


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call()
    details = error.value.response["Error"]
    return details["Code"], details["Message"]


def test_a_table_is_described_as_it_was_made(dynamodb: Any) -> None:
    made = dynamodb.create_table(
        TableName="described",
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": kind}
            for name, kind in (("id", "S"), ("at", "N"), ("kind", "B"))
        ],
        KeySchema=schema("id", "at"),
        LocalSecondaryIndexes=[by("by-kind", "id", "kind", ProjectionType="KEYS_ONLY")],
        GlobalSecondaryIndexes=[
            {
                **by("of-kind", "kind", ProjectionType="INCLUDE", NonKeyAttributes=["x"]),
                "ProvisionedThroughput": THROUGHPUT,
            }
        ],
        ProvisionedThroughput=THROUGHPUT,
        SSESpecification={"Enabled": True},
        Tags=[{"Key": "team", "Value": "a"}],
        DeletionProtectionEnabled=True,
    )["TableDescription"]
    assert made["TableStatus"] == "CREATING"
    dynamodb.get_waiter("table_exists").wait(TableName="described")
    found = dynamodb.describe_table(TableName=made["TableArn"])["Table"]
    assert found["TableStatus"] == "ACTIVE"
    assert found["KeySchema"] == schema("id", "at")
    assert found["ProvisionedThroughput"] == {**THROUGHPUT, "NumberOfDecreasesToday": 0}
    assert found["SSEDescription"]["Status"] == "ENABLED"
    assert found["TableArn"] == "arn:aws:dynamodb:us-east-1:000000000000:table/described"
    (local,), (other,) = found["LocalSecondaryIndexes"], found["GlobalSecondaryIndexes"]
    assert local["Projection"] == {"ProjectionType": "KEYS_ONLY"}
    assert "IndexStatus" not in local
    assert other["IndexStatus"] == "ACTIVE"
    assert other["IndexArn"] == f"{found['TableArn']}/index/of-kind"
    tags = dynamodb.list_tags_of_resource(ResourceArn=found["TableArn"])["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}]
    assert refused(lambda: dynamodb.delete_table(TableName="described")) == (
        "ValidationException",
        (
            "Resource cannot be deleted as it is currently protected against deletion. Disable "
            "deletion protection first."
        ),
    )
    dynamodb.update_table(TableName="described", DeletionProtectionEnabled=False)
    gone = dynamodb.delete_table(TableName="described")["TableDescription"]
    assert gone["TableStatus"] == "DELETING"
    dynamodb.get_waiter("table_not_exists").wait(TableName="described")
    assert refused(lambda: dynamodb.describe_table(TableName="described")) == (
        "ResourceNotFoundException",
        "Requested resource not found: Table: described not found",
    )


def test_a_name_is_taken_once_in_each_account_and_region(
    dynamodb: Any, table: Table, daemon: DaemonProcess
) -> None:
    name = table()
    key = {"AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}]}
    params = {"TableName": name, "KeySchema": schema("id"), "BillingMode": "PAY_PER_REQUEST", **key}
    assert refused(lambda: dynamodb.create_table(**params)) == (
        "ResourceInUseException",
        f"Table already exists: {name}",
    )
    for elsewhere in (
        aws_client("dynamodb", daemon.endpoint_url, region="eu-west-1"),
        aws_client("dynamodb", daemon.endpoint_url, account="123456789012"),
    ):
        assert name not in elsewhere.list_tables()["TableNames"]
        elsewhere.create_table(**params)
        elsewhere.put_item(TableName=name, Item={"id": {"S": "there"}})
        assert elsewhere.scan(TableName=name)["Count"] == 1
        elsewhere.delete_table(TableName=name)
    assert dynamodb.scan(TableName=name)["Count"] == 0


def test_tables_are_listed_in_pages(daemon: DaemonProcess) -> None:
    dynamodb = aws_client("dynamodb", daemon.endpoint_url, account="210987654321")
    names = [f"page-{number}" for number in range(5)]
    for name in names:
        dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            KeySchema=schema("id"),
            BillingMode="PAY_PER_REQUEST",
        )
    pages = dynamodb.get_paginator("list_tables").paginate(PaginationConfig={"PageSize": 2})
    assert [page["TableNames"] for page in pages] == [names[:2], names[2:4], names[4:]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (
            {"KeySchema": schema("other")},
            (
                INVALID + "Some index key attributes are not defined "
                "in AttributeDefinitions. Keys: [other], AttributeDefinitions: [id]"
            ),
        ),
        (
            {"KeySchema": schema("id", "id")},
            "Both the Hash Key and the Range Key element in the KeySchema have the same name",
        ),
        (
            {"AttributeDefinitions": ["id:S", "more:S"]},
            (
                INVALID + "Number of attributes in KeySchema does not "
                "exactly match number of attributes defined in AttributeDefinitions"
            ),
        ),
        (
            {"ProvisionedThroughput": THROUGHPUT},
            (
                INVALID + "Neither ReadCapacityUnits nor "
                "WriteCapacityUnits can be specified when BillingMode is PAY_PER_REQUEST"
            ),
        ),
        (
            {"BillingMode": "PROVISIONED"},
            (
                INVALID + "ReadCapacityUnits and WriteCapacityUnits "
                "must both be specified when BillingMode is PROVISIONED"
            ),
        ),
        (
            {"LocalSecondaryIndexes": [by("local", "id")]},
            (
                INVALID + "Table KeySchema does not have a range key, "
                "which is required when specifying a LocalSecondaryIndex"
            ),
        ),
        (
            {"GlobalSecondaryIndexes": [by("twice", "id"), by("twice", "id")]},
            INVALID + "Duplicate index name: twice",
        ),
        (
            {"TableName": "no spaces"},
            (
                "Invalid table/index name.  Table/index names must be between 3 and 255 characters "
                "long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
            ),
        ),
        (
            {"StreamSpecification": {"StreamEnabled": True}},
            (INVALID + "StreamViewType is required when StreamEnabled is true"),
        ),
    ],
)
def test_a_table_that_cannot_be_is_refused_in_dynamodbs_words(
    dynamodb: Any, changes: dict[str, Any], reason: str
) -> None:
    params = {
        "TableName": "impossible",
        "AttributeDefinitions": ["id:S"],
        "KeySchema": schema("id"),
        "BillingMode": "PAY_PER_REQUEST",
        **changes,
    }
    params["AttributeDefinitions"] = [
        dict(zip(("AttributeName", "AttributeType"), each.split(":"), strict=True))
        for each in params["AttributeDefinitions"]
    ]
    assert refused(lambda: dynamodb.create_table(**params)) == ("ValidationException", reason)


def test_an_index_that_is_added_gets_the_items_that_are_there(dynamodb: Any, table: Table) -> None:
    name = table()
    for start in range(0, 600, 25):
        puts = [
            {"PutRequest": {"Item": {"id": {"S": f"{n}"}, "kind": {"S": f"k{n % 3}"}}}}
            for n in range(start, start + 25)
        ]
        dynamodb.batch_write_item(RequestItems={name: puts})
    dynamodb.put_item(TableName=name, Item={"id": {"S": "odd"}, "kind": {"N": "1"}})
    changed = dynamodb.update_table(
        TableName=name,
        AttributeDefinitions=[{"AttributeName": "kind", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": by("by-kind", "kind")}],
    )["TableDescription"]
    assert changed["GlobalSecondaryIndexes"][0]["IndexStatus"] in ("CREATING", "ACTIVE")
    for _ in asking():
        (index,) = dynamodb.describe_table(TableName=name)["Table"]["GlobalSecondaryIndexes"]
        if index["IndexStatus"] == "ACTIVE":
            break
    assert index["ItemCount"] == 600
    found = dynamodb.query(
        TableName=name,
        IndexName="by-kind",
        KeyConditionExpression="kind = :k",
        ExpressionAttributeValues={":k": {"S": "k1"}},
    )
    assert found["Count"] == 200
    dynamodb.update_table(
        TableName=name, GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": "by-kind"}}]
    )
    left = dynamodb.describe_table(TableName=name)["Table"]
    assert "GlobalSecondaryIndexes" not in left
    assert left["AttributeDefinitions"] == [{"AttributeName": "id", "AttributeType": "S"}]


def test_what_deploy_tools_set_they_read_again(dynamodb: Any, table: Table) -> None:
    name = table()
    arn = dynamodb.describe_table(TableName=name)["Table"]["TableArn"]
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["PointInTimeRecoveryStatus"] == "DISABLED"
    dynamodb.update_continuous_backups(
        TableName=name, PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
    )
    backups = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"]
    assert backups["PointInTimeRecoveryDescription"]["RecoveryPeriodInDays"] == 35
    dynamodb.tag_resource(
        ResourceArn=arn, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": ""}]
    )
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["a"])
    assert dynamodb.list_tags_of_resource(ResourceArn=arn)["Tags"] == [{"Key": "b", "Value": ""}]
    ttl = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    assert ttl == {"TimeToLiveStatus": "DISABLED"}
    revision = dynamodb.put_resource_policy(ResourceArn=arn, Policy="{}")["RevisionId"]
    assert dynamodb.get_resource_policy(ResourceArn=arn)["RevisionId"] == revision
    dynamodb.delete_resource_policy(ResourceArn=arn)
    assert refused(lambda: dynamodb.get_resource_policy(ResourceArn=arn))[0] == (
        "PolicyNotFoundException"
    )
    assert dynamodb.describe_limits()["TableMaxReadCapacityUnits"] == 40_000
    assert dynamodb.describe_endpoints()["Endpoints"]
    insights = dynamodb.describe_contributor_insights(TableName=name)
    assert insights["ContributorInsightsStatus"] == "DISABLED"
    kinesis = dynamodb.describe_kinesis_streaming_destination(TableName=name)
    assert kinesis["KinesisDataStreamDestinations"] == []


def test_billing_goes_from_provisioned_to_on_demand(dynamodb: Any, table: Table) -> None:
    name = table(BillingMode="PROVISIONED", ProvisionedThroughput=THROUGHPUT)
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert "BillingModeSummary" not in described
    same = refused(lambda: dynamodb.update_table(TableName=name, ProvisionedThroughput=THROUGHPUT))
    assert same[1].startswith("The provisioned throughput for the table will not change.")
    dynamodb.update_table(TableName=name, BillingMode="PAY_PER_REQUEST")
    described = dynamodb.describe_table(TableName=name)["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
    assert described["ProvisionedThroughput"]["ReadCapacityUnits"] == 0
