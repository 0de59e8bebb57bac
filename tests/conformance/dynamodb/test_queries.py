"""Query and Scan: order, ranges, pages, filters, indexes, segments."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from boto3.dynamodb.conditions import Attr, Key
from botocore.exceptions import ClientError
from tests.conformance.dynamodb.conftest import schema

Table = Callable[..., str]
INVALID = "One or more parameter values were invalid: "


def refused(call: Callable[[], Any]) -> str:
    with pytest.raises(ClientError) as error:
        call()
    assert error.value.response["Error"]["Code"] == "ValidationException"
    return str(error.value.response["Error"]["Message"])


def filled(resource: Any, name: str, items: list[dict[str, Any]]) -> Any:
    mine = resource.Table(name)
    with mine.batch_writer() as batch:
        for item in items:
            batch.put_item(Item=item)
    return mine


NUMBERS = [Decimal(text) for text in ("-100", "-1.5", "-1", "-0.01", "0", "0.5", "2", "10", "1E+3")]


def test_numbers_lie_in_numeric_order_and_ranges_hold(resource: Any, table: Table) -> None:
    mine = filled(resource, table("id:S", "n:N"), [{"id": "x", "n": n} for n in reversed(NUMBERS)])

    def found(condition: Any, **params: Any) -> list[Decimal]:
        key = Key("id").eq("x")
        key = key if condition is None else key & condition
        return [item["n"] for item in mine.query(KeyConditionExpression=key, **params)["Items"]]

    assert found(None) == NUMBERS
    assert found(None, ScanIndexForward=False) == NUMBERS[::-1]
    assert found(Key("n").lt(0)) == NUMBERS[:4]
    assert found(Key("n").gte(Decimal("0.5"))) == NUMBERS[5:]
    assert found(Key("n").between(-1, 2)) == NUMBERS[2:7]
    assert found(Key("n").eq(10)) == [Decimal(10)]


def test_texts_and_blobs_lie_in_the_order_of_their_bytes(resource: Any, table: Table) -> None:
    texts = ["B", "a", "ab", "b", "é", "\uff5a", "🚀"]
    mine = filled(resource, table("id:S", "s:S"), [{"id": "x", "s": s} for s in reversed(texts)])
    found = mine.query(KeyConditionExpression=Key("id").eq("x"))["Items"]
    assert [item["s"] for item in found] == texts
    found = mine.query(KeyConditionExpression=Key("id").eq("x") & Key("s").begins_with("a"))
    assert [item["s"] for item in found["Items"]] == ["a", "ab"]
    blobs = [b"\x00", b"\x00\xff", b"\x7f", b"\xff", b"\xff\xff"]
    mine = filled(resource, table("id:S", "b:B"), [{"id": "x", "b": b} for b in reversed(blobs)])
    found = mine.query(KeyConditionExpression=Key("id").eq("x") & Key("b").begins_with(b"\xff"))
    assert [item["b"].value for item in found["Items"]] == blobs[3:]


@pytest.mark.parametrize("forward", [True, False])
def test_pages_join_without_gaps_in_both_directions(
    dynamodb: Any, resource: Any, table: Table, forward: bool
) -> None:
    name = table("id:S", "n:N")
    filled(resource, name, [{"id": "x", "n": n, "odd": n % 2} for n in range(23)])
    pages = list(
        dynamodb.get_paginator("query").paginate(
            TableName=name,
            KeyConditionExpression="id = :x",
            FilterExpression="odd = :one",
            ExpressionAttributeValues={":x": {"S": "x"}, ":one": {"N": "1"}},
            ScanIndexForward=forward,
            PaginationConfig={"PageSize": 5},
        )
    )
    assert [page["ScannedCount"] for page in pages] == [5, 5, 5, 5, 3]
    found = [int(item["n"]["N"]) for page in pages for item in page["Items"]]
    assert found == [n for n in (range(23) if forward else range(22, -1, -1)) if n % 2]


def test_a_page_ends_after_a_megabyte(dynamodb: Any, resource: Any, table: Table) -> None:
    name = table("id:S", "n:N")
    filled(resource, name, [{"id": "x", "n": n, "text": "x" * 300_000} for n in range(5)])
    first = dynamodb.query(
        TableName=name,
        KeyConditionExpression="id = :x",
        ExpressionAttributeValues={":x": {"S": "x"}},
        ReturnConsumedCapacity="TOTAL",
    )
    assert first["Count"] == 4
    assert first["LastEvaluatedKey"] == {"id": {"S": "x"}, "n": {"N": "3"}}
    assert first["ConsumedCapacity"]["CapacityUnits"] == 146.5
    rest = dynamodb.scan(TableName=name, ExclusiveStartKey=first["LastEvaluatedKey"])
    assert [item["n"] for item in rest["Items"]] == [{"N": "4"}]
    assert "LastEvaluatedKey" not in rest


def test_segments_of_a_scan_are_the_table_once(dynamodb: Any, resource: Any, table: Table) -> None:
    name = table()
    filled(resource, name, [{"id": f"{n}"} for n in range(200)])
    found: list[str] = []
    for segment in range(3):
        pages = dynamodb.get_paginator("scan").paginate(
            TableName=name, Segment=segment, TotalSegments=3, PaginationConfig={"PageSize": 7}
        )
        mine = [item["id"]["S"] for page in pages for item in page["Items"]]
        assert 30 < len(mine) < 110
        found += mine
    assert sorted(found) == sorted(f"{n}" for n in range(200))
    assert refused(lambda: dynamodb.scan(TableName=name, Segment=3, TotalSegments=3)).startswith(
        "The Segment parameter is zero-based and must be less than parameter TotalSegments"
    )


def indexed(table: Table) -> str:
    return table(
        "id:S",
        "n:N",
        attributes=["kind:S", "at:N"],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "by-kind",
                "KeySchema": schema("kind", "at"),
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["x"]},
            }
        ],
        LocalSecondaryIndexes=[
            {
                "IndexName": "by-at",
                "KeySchema": schema("id", "at"),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }
        ],
    )


def test_an_index_has_what_it_projects_of_the_items_that_have_its_key(
    resource: Any, table: Table
) -> None:
    mine = filled(
        resource,
        indexed(table),
        [
            {"id": "a", "n": 1, "kind": "k", "at": 5, "x": "x", "y": "y"},
            {"id": "b", "n": 1, "kind": "k", "at": 5, "y": "y"},
            {"id": "a", "n": 2, "kind": "k", "at": 3},
            {"id": "a", "n": 3, "kind": "other", "at": 1, "y": "z"},
            {"id": "a", "n": 4, "kind": "k"},
        ],
    )
    found = mine.query(IndexName="by-kind", KeyConditionExpression=Key("kind").eq("k"))["Items"]
    assert next((item["id"], item["n"]) for item in found) == ("a", 2)
    assert found[1:] == [
        {"id": "a", "n": 1, "kind": "k", "at": 5, "x": "x"},
        {"id": "b", "n": 1, "kind": "k", "at": 5},
    ]
    local = mine.query(
        IndexName="by-at",
        KeyConditionExpression=Key("id").eq("a"),
        ConsistentRead=True,
        Select="ALL_ATTRIBUTES",
    )["Items"]
    assert [item["at"] for item in local] == [1, 3, 5]
    assert local[0]["y"] == "z"
    assert mine.query(IndexName="by-at", KeyConditionExpression=Key("id").eq("a"))["Items"][0] == {
        "id": "a",
        "n": 3,
        "at": 1,
    }
    assert mine.scan(IndexName="by-kind")["Count"] == 4


def test_an_index_follows_every_change(resource: Any, table: Table) -> None:
    mine = filled(resource, indexed(table), [{"id": "a", "n": 1, "kind": "k", "at": 5}])

    def found(kind: str) -> list[dict[str, Any]]:
        key = Key("kind").eq(kind)
        items: list[dict[str, Any]] = mine.query(IndexName="by-kind", KeyConditionExpression=key)[
            "Items"
        ]
        return items

    key = {"id": "a", "n": 1}
    mine.update_item(Key=key, UpdateExpression="SET x = :x", ExpressionAttributeValues={":x": "v"})
    assert found("k") == [{**key, "kind": "k", "at": 5, "x": "v"}]
    mine.update_item(
        Key=key, UpdateExpression="SET kind = :x", ExpressionAttributeValues={":x": "other"}
    )
    assert found("k") == []
    assert len(found("other")) == 1
    mine.update_item(Key=key, UpdateExpression="REMOVE kind")
    assert found("other") == []
    mine.put_item(Item={**key, "kind": "k", "at": 1})
    mine.delete_item(Key=key)
    assert found("k") == []
    with pytest.raises(ClientError, match="Type mismatch for Index Key kind Expected: S Actual: N"):
        mine.put_item(Item={**key, "kind": 1, "at": 1})


def test_pages_of_an_index_join_when_keys_are_equal(
    dynamodb: Any, resource: Any, table: Table
) -> None:
    name = indexed(table)
    items = [{"id": f"{n}", "n": n, "kind": "k", "at": n // 10} for n in range(30)]
    filled(resource, name, items)
    for forward in (True, False):
        pages = dynamodb.get_paginator("query").paginate(
            TableName=name,
            IndexName="by-kind",
            KeyConditionExpression="kind = :k",
            ExpressionAttributeValues={":k": {"S": "k"}},
            ScanIndexForward=forward,
            PaginationConfig={"PageSize": 4},
        )
        found = [int(item["n"]["N"]) for page in pages for item in page["Items"]]
        assert sorted(found) == list(range(30))
        order = [n // 10 for n in found]
        assert order == sorted(order, reverse=not forward)
    pages = dynamodb.get_paginator("scan").paginate(
        TableName=name, IndexName="by-kind", PaginationConfig={"PageSize": 7}
    )
    assert sorted(int(item["n"]["N"]) for page in pages for item in page["Items"]) == list(
        range(30)
    )


def test_counts_alone_and_parts_alone_can_be_had(resource: Any, table: Table) -> None:
    mine = filled(resource, table("id:S", "n:N"), [{"id": "x", "n": n, "m": -n} for n in range(4)])
    key = Key("id").eq("x")
    counted = mine.query(
        KeyConditionExpression=key, FilterExpression=Attr("m").lt(-1), Select="COUNT"
    )
    assert (counted["Count"], counted["ScannedCount"], "Items" in counted) == (2, 4, False)
    parts = mine.query(KeyConditionExpression=key, ProjectionExpression="m", Limit=2)
    assert parts["Items"] == [{"m": 0}, {"m": -1}]


def test_the_parameters_that_expressions_replaced_still_work(
    dynamodb: Any, resource: Any, table: Table
) -> None:
    name = table("id:S", "n:N")
    filled(resource, name, [{"id": "x", "n": n, "m": -n} for n in range(6)])

    def a(operator: str, *values: str) -> dict[str, Any]:
        return {
            "ComparisonOperator": operator,
            "AttributeValueList": [{"N": value} for value in values],
        }

    found = dynamodb.query(
        TableName=name,
        KeyConditions={
            "id": {"ComparisonOperator": "EQ", "AttributeValueList": [{"S": "x"}]},
            "n": a("BETWEEN", "1", "4"),
        },
        QueryFilter={"m": a("LT", "-1")},
        AttributesToGet=["n"],
    )
    assert [item["n"]["N"] for item in found["Items"]] == ["2", "3", "4"]
    found = dynamodb.scan(
        TableName=name,
        ScanFilter={"n": a("IN", "1", "9"), "m": a("EQ", "-5")},
        ConditionalOperator="OR",
    )
    assert sorted(item["n"]["N"] for item in found["Items"]) == ["1", "5"]


@pytest.mark.parametrize(
    ("params", "reason"),
    [
        (
            {},
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in th",
        ),
        ({"KeyConditionExpression": "n = :n"}, "Query condition missed key schema element: id"),
        ({"KeyConditionExpression": "id > :x"}, "Query key condition not supported"),
        (
            {"KeyConditionExpression": "id = :x AND z = :n"},
            "Query condition missed key schema element: n",
        ),
        (
            {"KeyConditionExpression": "id = :x OR n = :n"},
            "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            {"KeyConditionExpression": "id = :n"},
            (INVALID + "Condition parameter type does not match schema type"),
        ),
        (
            {"KeyConditionExpression": "id = :x", "FilterExpression": "n = :n"},
            (
                "Filter Expression can only contain non-primary key attributes: Primary key "
                "attribute: n"
            ),
        ),
        (
            {"KeyConditionExpression": "id = :x", "IndexName": "lacking"},
            "The table does not have the specified index: lacking",
        ),
        (
            {"KeyConditionExpression": "id = :x", "ExclusiveStartKey": {"id": {"S": "x"}}},
            "The provided starting key is invalid",
        ),
        (
            {
                "KeyConditionExpression": "id = :x",
                "ExclusiveStartKey": {"id": {"S": "y"}, "n": {"N": "1"}},
            },
            "The provided starting key is outside query boundaries based on provided conditions",
        ),
        (
            {"KeyConditionExpression": "id = :x", "Select": "SPECIFIC_ATTRIBUTES"},
            INVALID + "Must specify the attributes to get when",
        ),
    ],
)
def test_a_query_that_cannot_be_is_refused_in_dynamodbs_words(
    dynamodb: Any, table: Table, params: dict[str, Any], reason: str
) -> None:
    name = table("id:S", "n:N")
    values = {":x": {"S": "x"}, ":n": {"N": "1"}}
    used = " ".join(str(value) for value in params.values())
    given = {key: value for key, value in values.items() if key in used}
    if given:
        params = {**params, "ExpressionAttributeValues": given}
    assert refused(lambda: dynamodb.query(TableName=name, **params)).startswith(reason)
