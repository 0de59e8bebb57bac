"""Many items at once: each for itself, or all or none."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError

Table = Callable[..., str]


def key(number: int) -> dict[str, Any]:
    return {"id": {"S": f"{number}"}}


def refused(call: Callable[[], Any]) -> tuple[str, str]:
    with pytest.raises(ClientError) as error:
        call()
    details = error.value.response["Error"]
    return details["Code"], details["Message"]


def test_a_batch_writes_and_reads_several_tables(dynamodb: Any, table: Table) -> None:
    one, other = table(), table()
    dynamodb.put_item(TableName=other, Item=key(9))
    answer = dynamodb.batch_write_item(
        RequestItems={
            one: [{"PutRequest": {"Item": {**key(n), "n": {"N": f"{n}"}}}} for n in range(3)],
            other: [{"DeleteRequest": {"Key": key(9)}}, {"PutRequest": {"Item": key(1)}}],
        },
        ReturnConsumedCapacity="TOTAL",
    )
    assert answer["UnprocessedItems"] == {}
    assert [each["CapacityUnits"] for each in answer["ConsumedCapacity"]] == [3.0, 2.0]
    found = dynamodb.batch_get_item(
        RequestItems={
            one: {"Keys": [key(n) for n in range(5)], "ProjectionExpression": "n"},
            other: {"Keys": [key(9), key(1)], "ConsistentRead": True},
        }
    )
    assert sorted(item["n"]["N"] for item in found["Responses"][one]) == ["0", "1", "2"]
    assert found["Responses"][other] == [key(1)]
    assert found["UnprocessedKeys"] == {}


def test_a_batch_names_what_does_not_fit_into_its_answer(dynamodb: Any, table: Table) -> None:
    name = table()
    for start in range(0, 45, 5):
        puts = [
            {"PutRequest": {"Item": {**key(n), "text": {"S": "x" * 390_000}}}}
            for n in range(start, start + 5)
        ]
        dynamodb.batch_write_item(RequestItems={name: puts})
    found = dynamodb.batch_get_item(RequestItems={name: {"Keys": [key(n) for n in range(45)]}})
    left = found["UnprocessedKeys"][name]["Keys"]
    assert len(found["Responses"][name]) + len(left) == 45
    assert left


def test_batches_that_cannot_be_are_refused(dynamodb: Any, table: Table) -> None:
    name = table()
    put = {"PutRequest": {"Item": key(1)}}
    assert refused(lambda: dynamodb.batch_write_item(RequestItems={name: [put, put]})) == (
        "ValidationException",
        "Provided list of item keys contains duplicates",
    )
    puts = [{"PutRequest": {"Item": key(n)}} for n in range(26)]
    assert refused(lambda: dynamodb.batch_write_item(RequestItems={name: puts}))[0] == (
        "ValidationException"
    )
    keys = [key(n) for n in range(101)]
    assert refused(lambda: dynamodb.batch_get_item(RequestItems={name: {"Keys": keys}}))[0] == (
        "ValidationException"
    )
    assert refused(lambda: dynamodb.batch_write_item(RequestItems={"unknown-table": [put]})) == (
        "ResourceNotFoundException",
        "Requested resource not found",
    )
    assert dynamodb.scan(TableName=name)["Count"] == 0


def test_a_transaction_does_all_or_nothing_and_says_why(dynamodb: Any, table: Table) -> None:
    name = table()
    dynamodb.put_item(TableName=name, Item={**key(1), "n": {"N": "1"}})
    add = {
        "TableName": name,
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    actions = [
        {"Put": {"TableName": name, "Item": key(2)}},
        {"Update": {**add, "Key": key(3)}},
        {
            "ConditionCheck": {
                "TableName": name,
                "Key": key(1),
                "ConditionExpression": "n = :n",
                "ExpressionAttributeValues": {":n": {"N": "2"}},
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        },
        {"Delete": {"TableName": name, "Key": key(4)}},
    ]
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=actions)
    response = cancelled.value.response
    assert response["Error"]["Message"] == (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        "[None, None, ConditionalCheckFailed, None]"
    )
    assert response["CancellationReasons"] == [
        {"Code": "None"},
        {"Code": "None"},
        {
            "Code": "ConditionalCheckFailed",
            "Message": "The conditional request failed",
            "Item": {**key(1), "n": {"N": "1"}},
        },
        {"Code": "None"},
    ]
    assert dynamodb.scan(TableName=name)["Count"] == 1
    dynamodb.update_item(**add, Key=key(1))
    answer = dynamodb.transact_write_items(TransactItems=actions, ReturnConsumedCapacity="TOTAL")
    assert answer["ConsumedCapacity"][0]["WriteCapacityUnits"] == 8.0
    found = dynamodb.transact_get_items(
        TransactItems=[
            {"Get": {"TableName": name, "Key": key(n), "ProjectionExpression": "n"}}
            for n in (3, 1, 7)
        ]
    )
    assert [each.get("Item") for each in found["Responses"]] == [
        {"n": {"N": "1"}},
        {"n": {"N": "2"}},
        None,
    ]


def test_a_transaction_with_a_token_happens_once(dynamodb: Any, table: Table) -> None:
    name = table()
    add = {
        "TableName": name,
        "Key": key(1),
        "UpdateExpression": "ADD n :one",
        "ExpressionAttributeValues": {":one": {"N": "1"}},
    }
    for _ in range(2):
        dynamodb.transact_write_items(
            TransactItems=[{"Update": add}], ClientRequestToken=f"token-{name}"
        )
    assert dynamodb.get_item(TableName=name, Key=key(1))["Item"]["n"] == {"N": "1"}
    other = {**add, "Key": key(2)}
    code, _ = refused(
        lambda: dynamodb.transact_write_items(
            TransactItems=[{"Update": other}], ClientRequestToken=f"token-{name}"
        )
    )
    assert code == "IdempotentParameterMismatchException"


def test_transactions_that_cannot_be_are_refused(dynamodb: Any, table: Table) -> None:
    name = table()
    put = {"Put": {"TableName": name, "Item": key(1)}}
    assert refused(lambda: dynamodb.transact_write_items(TransactItems=[put, put])) == (
        "ValidationException",
        "Transaction request cannot include multiple operations on one item",
    )
    both = {**put, "Delete": {"TableName": name, "Key": key(2)}}
    assert refused(lambda: dynamodb.transact_write_items(TransactItems=[both])) == (
        "ValidationException",
        "TransactItems can only contain one of Check, Put, Update or Delete",
    )
    grow = {
        "Update": {
            "TableName": name,
            "Key": key(1),
            "UpdateExpression": "SET a = b",
        }
    }
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=[grow])
    (reason,) = cancelled.value.response["CancellationReasons"]
    assert reason["Code"] == "ValidationError"


def test_money_that_moves_in_transactions_neither_grows_nor_shrinks(
    dynamodb: Any, table: Table
) -> None:
    name = table()
    for number in range(4):
        dynamodb.put_item(TableName=name, Item={**key(number), "n": {"N": "10"}})

    def move(number: int) -> None:
        source, target = number % 4, (number * 7 + 1) % 4
        if source == target:
            return
        take = {
            "TableName": name,
            "Key": key(source),
            "UpdateExpression": "SET n = n - :x",
            "ConditionExpression": "n >= :x",
            "ExpressionAttributeValues": {":x": {"N": "3"}},
        }
        give = {
            "TableName": name,
            "Key": key(target),
            "UpdateExpression": "SET n = n + :x",
            "ExpressionAttributeValues": {":x": {"N": "3"}},
        }
        try:
            dynamodb.transact_write_items(TransactItems=[{"Update": take}, {"Update": give}])
        except dynamodb.exceptions.TransactionCanceledException:
            return

    def total() -> int:
        gets = [{"Get": {"TableName": name, "Key": key(number)}} for number in range(4)]
        found = dynamodb.transact_get_items(TransactItems=gets)["Responses"]
        return sum(int(each["Item"]["n"]["N"]) for each in found)

    with ThreadPoolExecutor(8) as pool:
        moving = [pool.submit(move, number) for number in range(200)]
        totals = [total() for _ in range(20)]
        for each in moving:
            each.result()
    assert {*totals, total()} == {40}
