"""Items: put, read, changed and deleted, with conditions and what is returned."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from boto3.dynamodb.conditions import Attr
from botocore.exceptions import ClientError
from tests.conformance.dynamodb.conftest import schema

Table = Callable[..., str]
INVALID = "One or more parameter values were invalid: "
KEY = {"id": {"S": "1"}}


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call()
    details = error.value.response["Error"]
    return details["Code"], details["Message"]


def test_every_type_comes_back_as_it_was_put(resource: Any, table: Table) -> None:
    mine = resource.Table(table())
    item = {
        "id": "all",
        "text": "grüße 🚀",
        "empty": "",
        "number": Decimal("-12345678901234567890.123456789012345678"),
        "blob": bytes(range(256)),
        "texts": {"a", "b"},
        "numbers": {Decimal(1), Decimal("2.5")},
        "blobs": {b"x", b"y"},
        "yes": True,
        "none": None,
        "list": [1, "two", [b"3"], {"B": "four", "BS": ["five"]}],
        "map": {"B": b"six", "nested": {"SS": {"seven"}}},
    }
    mine.put_item(Item=item)
    assert mine.get_item(Key={"id": "all"})["Item"] == item


def test_put_replaces_and_returns_what_was_there(dynamodb: Any, table: Table) -> None:
    name = table()
    first, second = {**KEY, "a": {"N": "1.0"}}, {**KEY, "b": {"S": "x"}}
    assert "Attributes" not in dynamodb.put_item(TableName=name, Item=first, ReturnValues="ALL_OLD")
    answer = dynamodb.put_item(TableName=name, Item=second, ReturnValues="ALL_OLD")
    assert answer["Attributes"] == {**KEY, "a": {"N": "1"}}
    assert dynamodb.get_item(TableName=name, Key=KEY, ConsistentRead=True)["Item"] == second
    gone = dynamodb.delete_item(TableName=name, Key=KEY, ReturnValues="ALL_OLD")
    assert gone["Attributes"] == second
    assert "Item" not in dynamodb.get_item(TableName=name, Key=KEY)
    assert "Attributes" not in dynamodb.delete_item(TableName=name, Key=KEY, ReturnValues="ALL_OLD")


def test_a_condition_that_does_not_hold_leaves_everything_as_it_was(
    dynamodb: Any, table: Table
) -> None:
    name = table()
    dynamodb.put_item(TableName=name, Item={**KEY, "n": {"N": "1"}})
    with pytest.raises(dynamodb.exceptions.ConditionalCheckFailedException) as failed:
        dynamodb.put_item(
            TableName=name,
            Item=KEY,
            ConditionExpression="attribute_not_exists(id)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert failed.value.response["Error"]["Message"] == "The conditional request failed"
    assert failed.value.response["Item"] == {**KEY, "n": {"N": "1"}}
    for call in (
        lambda: dynamodb.delete_item(
            TableName=name,
            Key=KEY,
            ConditionExpression="n > :n",
            ExpressionAttributeValues={":n": {"N": "1"}},
        ),
        lambda: dynamodb.update_item(
            TableName=name,
            Key={"id": {"S": "new"}},
            UpdateExpression="REMOVE x",
            ConditionExpression="attribute_exists(id)",
        ),
    ):
        assert refused(call)[0] == "ConditionalCheckFailedException"
    assert dynamodb.scan(TableName=name)["Items"] == [{**KEY, "n": {"N": "1"}}]


def test_conditions_of_boto3s_builders_are_understood(resource: Any, table: Table) -> None:
    mine = resource.Table(table())
    mine.put_item(Item={"id": "1", "n": 5, "tags": ["a", "b"], "m": {"deep": ["x"]}})
    condition = (
        Attr("n").between(4, 6)
        & Attr("tags").contains("a")
        & Attr("m.deep[0]").begins_with("x")
        & ~Attr("gone").exists()
        & (Attr("n").is_in([1, 5]) | Attr("n").ne(5))
        & Attr("tags").size().eq(2)
        & Attr("m").attribute_type("M")
    )
    mine.put_item(Item={"id": "1", "done": True}, ConditionExpression=condition)
    assert mine.get_item(Key={"id": "1"})["Item"] == {"id": "1", "done": True}


def test_update_returns_what_is_asked_for(dynamodb: Any, table: Table) -> None:
    name = table()
    values = {":one": {"N": "1"}, ":m": {"M": {"x": {"N": "0"}}}, ":l": {"L": []}}

    def update(expression: str, wanted: str, *used: str) -> Any:
        given = {key: values[key] for key in used}
        return dynamodb.update_item(
            TableName=name,
            Key=KEY,
            UpdateExpression=expression,
            ReturnValues=wanted,
            **({"ExpressionAttributeValues": given} if given else {}),
        ).get("Attributes")

    assert update("SET m = :m, l = :l", "ALL_OLD", ":m", ":l") is None
    assert update("SET m.x = m.x + :one", "UPDATED_NEW", ":one") == {"m": {"M": {"x": {"N": "1"}}}}
    assert update("ADD m.x :one", "UPDATED_OLD", ":one") == {"m": {"M": {"x": {"N": "1"}}}}
    assert update("REMOVE l", "ALL_NEW") == {**KEY, "m": {"M": {"x": {"N": "2"}}}}
    assert update("REMOVE m", "NONE") is None
    assert dynamodb.get_item(TableName=name, Key=KEY)["Item"] == KEY


def test_a_counter_counts_every_call(dynamodb: Any, table: Table) -> None:
    name = table()

    def count(_: int) -> None:
        dynamodb.update_item(
            TableName=name,
            Key=KEY,
            UpdateExpression="ADD n :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(count, range(200)))
    assert dynamodb.get_item(TableName=name, Key=KEY)["Item"]["n"] == {"N": "200"}


def test_a_projection_returns_parts(dynamodb: Any, table: Table) -> None:
    name = table()
    item = {**KEY, "name": {"S": "x"}, "l": {"L": [{"N": "0"}, {"N": "1"}]}, "z": {"N": "9"}}
    dynamodb.put_item(TableName=name, Item=item)
    found = dynamodb.get_item(
        TableName=name,
        Key=KEY,
        ProjectionExpression="#n, l[1]",
        ExpressionAttributeNames={"#n": "name"},
    )
    assert found["Item"] == {"name": {"S": "x"}, "l": {"L": [{"N": "1"}]}}


def test_costs_are_told_on_request(dynamodb: Any, table: Table) -> None:
    index = {
        "IndexName": "by-k",
        "KeySchema": schema("k"),
        "Projection": {"ProjectionType": "ALL"},
    }
    name = table(attributes=["k:S"], GlobalSecondaryIndexes=[index])
    item = {**KEY, "k": {"S": "k"}, "text": {"S": "x" * 3_000}}
    put = dynamodb.put_item(TableName=name, Item=item, ReturnConsumedCapacity="INDEXES")
    assert put["ConsumedCapacity"] == {
        "TableName": name,
        "CapacityUnits": 6.0,
        "Table": {"CapacityUnits": 3.0},
        "GlobalSecondaryIndexes": {"by-k": {"CapacityUnits": 3.0}},
    }
    read = dynamodb.get_item(TableName=name, Key=KEY, ReturnConsumedCapacity="TOTAL")
    assert read["ConsumedCapacity"] == {"TableName": name, "CapacityUnits": 0.5}


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        ({"x": {"S": "1"}}, INVALID + "Missing the key id in the"),
        (
            {"id": {"N": "1"}},
            (INVALID + "Type mismatch for key id expected: S actual: N"),
        ),
        (
            {"id": {"S": ""}},
            (
                "One or more parameter values are not valid. The AttributeValue for a key "
                "attribute cannot contain an empty string value. Key: id"
            ),
        ),
        ({"id": {"S": "x" * 2_049}}, INVALID + "Size of hashkey"),
        ({**KEY, "n": {"N": "1" * 39}}, "Attempting to store more than 38 significant digits in a"),
        ({**KEY, "n": {"N": "one"}}, "The parameter cannot be converted to a numeric value: one"),
        ({**KEY, "s": {"SS": []}}, INVALID + "An string set  may"),
        ({**KEY, "s": {"S": "x" * 409_600}}, "Item size has exceeded the maximum allowed size"),
    ],
)
def test_an_item_that_cannot_be_is_refused_in_dynamodbs_words(
    dynamodb: Any, table: Table, item: dict[str, Any], reason: str
) -> None:
    name = table()
    code, message = refused(lambda: dynamodb.put_item(TableName=name, Item=item))
    assert code == "ValidationException"
    assert message.startswith(reason)


def test_an_item_is_as_large_as_names_and_values_together(dynamodb: Any, table: Table) -> None:
    name = table()
    # Names of 2 and 1 bytes and a key of 1: what is left of 400 KB may be text.
    dynamodb.put_item(TableName=name, Item={**KEY, "s": {"S": "x" * (409_600 - 4)}})
    grow = refused(
        lambda: dynamodb.update_item(
            TableName=name,
            Key=KEY,
            UpdateExpression="SET t = :t",
            ExpressionAttributeValues={":t": {"S": ""}},
        )
    )
    assert grow == (
        "ValidationException",
        "Item size to update has exceeded the maximum allowed size",
    )


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        (
            {"UpdateExpression": "SET id = :v"},
            INVALID + "Cannot up",
        ),
        (
            {"UpdateExpression": "SET a.b = :v"},
            "The document path provided in the update expression",
        ),
        (
            {"UpdateExpression": "SET a = b + :v"},
            "The provided expression refers to an attribute th",
        ),
        (
            {"UpdateExpression": "SET a = s + :v"},
            "An operand in the update expression has an incorr",
        ),
        (
            {"UpdateExpression": "REMOVE a"},
            "Value provided in ExpressionAttributeValues unused in e",
        ),
        (
            {"UpdateExpression": "SET a = :v", "Expected": {"a": {"Exists": False}}},
            (
                "Can not use both expression and non-expression parameters in the same request: "
                "Non-expression parameters: {Expected} Expression parameters: {UpdateExpression}"
            ),
        ),
        ({}, "ExpressionAttributeValues can only be specified when using expressions"),
        ({"Key": {"id": {"N": "1"}}}, "The provided key element does not match the schema"),
        ({"Key": {**KEY, "b": {"S": ""}}}, "The provided key element does not match the schema"),
        ({"TableName": "unknown-table"}, "Requested resource not found"),
    ],
)
def test_an_update_that_cannot_be_is_refused_in_dynamodbs_words(
    dynamodb: Any, table: Table, params: dict[str, Any], reason: str
) -> None:
    name = table()
    dynamodb.put_item(TableName=name, Item={**KEY, "s": {"S": "text"}})
    given = {
        "TableName": name,
        "Key": KEY,
        "ExpressionAttributeValues": {":v": {"N": "1"}},
        **params,
    }
    if "Key" in params:
        given["UpdateExpression"] = "SET a = :v"
    code, message = refused(lambda: dynamodb.update_item(**given))
    assert code in ("ValidationException", "ResourceNotFoundException")
    assert message.startswith(reason)


def test_the_parameters_that_expressions_replaced_still_work(dynamodb: Any, table: Table) -> None:
    name = table()
    dynamodb.put_item(
        TableName=name, Item={**KEY, "n": {"N": "1"}}, Expected={"id": {"Exists": False}}
    )
    assert (
        refused(
            lambda: dynamodb.put_item(
                TableName=name, Item=KEY, Expected={"n": {"Value": {"N": "2"}}}
            )
        )[0]
        == "ConditionalCheckFailedException"
    )
    changed = dynamodb.update_item(
        TableName=name,
        Key=KEY,
        AttributeUpdates={
            "n": {"Action": "ADD", "Value": {"N": "2"}},
            "s": {"Value": {"SS": ["a", "b"]}},
            "gone": {"Action": "DELETE"},
        },
        Expected={
            "n": {"ComparisonOperator": "LT", "AttributeValueList": [{"N": "2"}]},
            "x": {"ComparisonOperator": "NULL"},
        },
        ReturnValues="ALL_NEW",
    )
    assert changed["Attributes"] == {**KEY, "n": {"N": "3"}, "s": {"SS": ["a", "b"]}}
    read = dynamodb.get_item(TableName=name, Key=KEY, AttributesToGet=["n"])
    assert read["Item"] == {"n": {"N": "3"}}


@pytest.mark.parametrize("depth", [33, 250, 450])
def test_a_document_that_nests_too_deep_is_refused_however_deep(
    dynamodb: Any, table: Table, depth: int
) -> None:
    value: dict[str, Any] = {"S": "x"}
    for _ in range(depth):
        value = {"L": [value]}
    body = json.dumps({"TableName": table(), "Item": {**KEY, "deep": value}}).encode()
    request = Request(dynamodb.meta.endpoint_url, data=body)  # noqa: S310 - the daemon's
    request.add_header("X-Amz-Target", "DynamoDB_20120810.PutItem")
    request.add_header("Content-Type", "application/x-amz-json-1.0")
    with pytest.raises(HTTPError) as answer:
        urlopen(request)  # noqa: S310
    assert answer.value.code == 400
    assert "nest" in answer.value.read().decode().lower()


@pytest.mark.parametrize(
    "params",
    [
        {"UpdateExpression": "SET a = " + "(" * 1_500 + ":v" + ")" * 1_500},
        {"ConditionExpression": "(" * 1_500 + "a = :v" + ")" * 1_500},
        {"UpdateExpression": "SET a = " + "list_append(" * 200 + ":v" + ", :v)" * 200},
    ],
)
def test_an_expression_that_nests_too_deep_is_refused(
    dynamodb: Any, table: Table, params: dict[str, str]
) -> None:
    values = {":v": {"L": [{"S": "x"}]}}
    name = table()
    code, message = refused(
        lambda: dynamodb.update_item(
            TableName=name, Key=KEY, ExpressionAttributeValues=values, **params
        )
    )
    assert code == "ValidationException"
    assert "nests too many" in message
