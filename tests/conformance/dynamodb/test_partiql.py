"""PartiQL: statements do what operations and expressions do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from tests.conformance.dynamodb.conftest import schema

Table = Callable[..., str]
Run = Callable[..., list[Any]]


@pytest.fixture
def name(table: Table) -> str:
    index = {
        "IndexName": "by-kind",
        "KeySchema": schema("kind"),
        "Projection": {"ProjectionType": "ALL"},
    }
    return table("id:S", "n:N", attributes=["kind:S"], GlobalSecondaryIndexes=[index])


@pytest.fixture
def run(dynamodb: Any, name: str) -> Run:
    """Runs a statement in which T stands for the table; returns the items."""

    def execute(statement: str, *parameters: Any, **params: Any) -> list[Any]:
        given = {"Parameters": list(parameters)} if parameters else {}
        items: list[Any] = dynamodb.execute_statement(
            Statement=statement.replace(" T", f' "{name}"'), **given, **params
        )["Items"]
        return items

    return execute


def numbers(items: list[Any]) -> list[int]:
    return [int(item["n"]["N"]) for item in items]


def test_what_is_inserted_is_selected(run: Run) -> None:
    value = "{'id': 'a', 'n': -1.50, 's': <<'x', 'y'>>, 'm': {'l': [1, true, null, 'it''s']}}"
    assert run(f"INSERT INTO T VALUE {value}") == []
    item = {
        "id": {"S": "a"},
        "n": {"N": "-1.5"},
        "s": {"SS": ["x", "y"]},
        "m": {"M": {"l": {"L": [{"N": "1"}, {"BOOL": True}, {"NULL": True}, {"S": "it's"}]}}},
    }
    assert run("SELECT * FROM T WHERE id = 'a' AND n = -1.5") == [item]
    assert run('select m.l[3], "s" from T where id = ?', {"S": "a"}) == [
        {"m": {"M": {"l": {"L": [{"S": "it's"}]}}}, "s": {"SS": ["x", "y"]}}
    ]
    with pytest.raises(ClientError, match="Duplicate primary key exists in table"):
        run(f"INSERT INTO T VALUE {value}")
    run("INSERT INTO T VALUE {'id': ?, 'n': ?}", {"S": "b"}, {"N": "1"})
    assert len(run("SELECT * FROM T")) == 2


def test_a_select_takes_ranges_filters_orders_and_pages(dynamodb: Any, run: Run, name: str) -> None:
    for number in range(6):
        run(
            "INSERT INTO T VALUE {'id': 'a', 'n': ?, 'kind': ?, 'odd': ?}",
            {"N": f"{number}"},
            {"S": f"k{number % 2}"},
            {"BOOL": bool(number % 2)},
        )
    assert numbers(run("SELECT n FROM T WHERE id = 'a' AND n BETWEEN 2 AND 4")) == [2, 3, 4]
    assert numbers(run("SELECT * FROM T WHERE id = 'a' AND n < 2 ORDER BY n DESC")) == [1, 0]
    assert numbers(run("SELECT * FROM T WHERE id = 'a' AND odd = true AND n IN [1, 2, 5]")) == [
        1,
        5,
    ]
    found = run("SELECT * FROM T WHERE odd = true OR NOT (n <> 0)")
    assert sorted(numbers(found)) == [0, 1, 3, 5]
    assert sorted(numbers(run("SELECT * FROM T.\"by-kind\" WHERE kind = 'k0'"))) == [0, 2, 4]
    assert run("SELECT * FROM T WHERE id = 'a' AND odd IS MISSING") == []
    assert len(run("SELECT * FROM T WHERE begins_with(kind, 'k') AND size(kind) = 2")) == 6
    statement = f"SELECT * FROM \"{name}\" WHERE id = 'a'"  # noqa: S608 - to DynamoDB
    page = dynamodb.execute_statement(Statement=statement, Limit=4)
    rest = dynamodb.execute_statement(Statement=statement, NextToken=page["NextToken"])
    assert numbers(page["Items"] + rest["Items"]) == list(range(6))


def test_updates_and_deletes_return_what_they_are_asked_for(run: Run) -> None:
    run("INSERT INTO T VALUE {'id': 'a', 'n': 1, 'x': 1, 'l': [1], 's': <<1, 2>>}")
    (item,) = run(
        "UPDATE T SET x = x + 2 SET l = list_append(l, [2]), s = set_delete(s, <<1>>) REMOVE z "
        "WHERE id = 'a' AND n = 1 RETURNING MODIFIED NEW *"
    )
    assert item == {
        "x": {"N": "3"},
        "l": {"L": [{"N": "1"}, {"N": "2"}]},
        "s": {"NS": ["2"]},
    }
    with pytest.raises(ClientError) as failed:
        run("UPDATE T SET x = 0 WHERE id = 'a' AND n = 1 AND x > 5")
    assert failed.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    with pytest.raises(ClientError) as failed:
        run("UPDATE T SET x = 0 WHERE id = 'none' AND n = 1")
    assert failed.value.response["Error"]["Code"] == "ConditionalCheckFailedException"
    (gone,) = run("DELETE FROM T WHERE id = 'a' AND n = 1 RETURNING ALL OLD *")
    assert gone["x"] == {"N": "3"}
    assert run("DELETE FROM T WHERE id = 'a' AND n = 1") == []


def test_a_batch_runs_each_statement_for_itself(dynamodb: Any, name: str) -> None:
    answer = dynamodb.batch_execute_statement(
        Statements=[
            {"Statement": f"INSERT INTO \"{name}\" VALUE {{'id': 'a', 'n': 1, 'x': 'y'}}"},
            {"Statement": f"INSERT INTO \"{name}\" VALUE {{'id': 'a', 'n': 1}}"},
            {"Statement": f"SELECT x FROM \"{name}\" WHERE id = 'a' AND n = 1"},  # noqa: S608 - to DynamoDB
            {"Statement": "SELECT * FROM \"unknown-table\" WHERE id = 'a' AND n = 1"},
        ]
    )["Responses"]
    assert [each.get("Error", {}).get("Code") for each in answer] == [
        None,
        "DuplicateItem",
        None,
        "ResourceNotFound",
    ]
    assert answer[2]["Item"] == {"x": {"S": "y"}}


def test_a_transaction_runs_all_statements_or_none(dynamodb: Any, name: str) -> None:
    def statements(*texts: str) -> list[dict[str, str]]:
        return [{"Statement": text.replace(" T", f' "{name}"')} for text in texts]

    insert = "INSERT INTO T VALUE {'id': 'a', 'n': 1}"
    exists = "EXISTS(SELECT * FROM T WHERE id = 'b' AND n = 2 AND x = 'y')"
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.execute_transaction(TransactStatements=statements(insert, exists))
    codes = [each["Code"] for each in cancelled.value.response["CancellationReasons"]]
    assert codes == ["None", "ConditionalCheckFailed"]
    assert dynamodb.scan(TableName=name)["Count"] == 0
    dynamodb.put_item(TableName=name, Item={"id": {"S": "b"}, "n": {"N": "2"}, "x": {"S": "y"}})
    for _ in range(2):
        dynamodb.execute_transaction(
            TransactStatements=statements(insert, exists), ClientRequestToken=f"sql-{name}"
        )
    read = dynamodb.execute_transaction(
        TransactStatements=statements(
            "SELECT * FROM T WHERE id = 'a' AND n = 1", "SELECT * FROM T WHERE id = 'c' AND n = 1"
        )
    )["Responses"]
    assert read == [{"Item": {"id": {"S": "a"}, "n": {"N": "1"}}}, {}]


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("SELECT FROM T", "Statement wasn't well formed, can't be processed: Unexpected"),
        ("SELECT * FROM T WHERE id = ", "Statement wasn't well formed, can't be processed: Unexp"),
        ("UPSERT T", "Statement wasn't well formed, can't be processed: Unexpected 'UPSERT'"),
        ("SELECT * FROM T WHERE id = ?", "Number of parameters in request and statement don't"),
        ("UPDATE T SET x = 1 WHERE id = 'a'", "Where clause does not contain a mandatory equality"),
        ("SELECT * FROM T.lacking", "The table does not have the specified index: lacking"),
        ("SELECT * FROM T ORDER BY n", "Must have WHERE clause in the statement when using ORDER"),
        ("INSERT INTO T VALUE {'id': 1, 'n': 1}", "One or more parameter values were invalid: Ty"),
    ],
)
def test_a_statement_that_cannot_be_is_refused(run: Run, statement: str, reason: str) -> None:
    with pytest.raises(ClientError) as refused:
        run(statement)
    assert refused.value.response["Error"]["Code"] == "ValidationException"
    assert refused.value.response["Error"]["Message"].startswith(reason)
