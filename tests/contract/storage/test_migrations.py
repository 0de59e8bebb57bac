"""A database of any earlier release becomes what this release would make afresh.

`databases/<schema>-<version>.sql` is what a release of that version wrote, with rows in it; made
once, never changed. So a migration that was changed after its release is noticed as well.
"""

import sqlite3
from pathlib import Path

import pytest

from lambdad.domain.arns import FunctionKey
from lambdad.storage.base import LogGroupKey, LogQuery
from lambdad.storage.engines.sqlite.schema import migrate, migrations
from lambdad.storage.registry import engine
from lambdad.testing.clock import FakeClock

DATABASES = Path(__file__).with_name("databases")
VERSIONS = [
    (schema, version)
    for schema in ("cloudwatch", "events", "kinesis", "lambdad", "logs", "scheduler", "sns", "sqs")
    for version in range(1, len(migrations(schema)) + 1)
]


def restore(schema: str, version: int, path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript((DATABASES / f"{schema}-{version}.sql").read_text())
    assert connection.execute("PRAGMA user_version").fetchone() == (version,)
    connection.close()


def schema_of(connection: sqlite3.Connection) -> set[tuple[str, str, str]]:
    """Columns of tables and indexes; how the statement was written does not matter."""
    found = set()
    names = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
    for kind, name in names:
        for row in connection.execute(f"PRAGMA {kind}_xinfo('{name}')"):
            found.add((kind, name, repr(row)))
    return found


@pytest.mark.parametrize(("schema", "version"), VERSIONS)
def test_every_earlier_schema_becomes_the_fresh_one(
    tmp_path: Path, schema: str, version: int
) -> None:
    restore(schema, version, tmp_path / "old.db")
    old, fresh = sqlite3.connect(tmp_path / "old.db"), sqlite3.connect(tmp_path / "fresh.db")
    migrate(old, schema, tmp_path / "old.db")
    migrate(fresh, schema, tmp_path / "fresh.db")
    assert schema_of(old) == schema_of(fresh)
    latest = (len(migrations(schema)),)
    assert old.execute("PRAGMA user_version").fetchone() == latest
    assert fresh.execute("PRAGMA user_version").fetchone() == latest
    old.close()
    fresh.close()


def test_a_step_that_fails_leaves_the_database_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripts = ("CREATE TABLE a (x)", "CREATE TABLE b (x); INSERT INTO missing VALUES (1)")
    monkeypatch.setattr("lambdad.storage.engines.sqlite.schema.migrations", lambda _: scripts)
    connection = sqlite3.connect(tmp_path / "x.db", isolation_level=None)
    with pytest.raises(sqlite3.OperationalError, match="missing"):
        migrate(connection, "any", tmp_path / "x.db")
    assert connection.execute("PRAGMA user_version").fetchone() == (1,)
    assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("a",)]
    connection.close()


@pytest.mark.parametrize("version", range(1, len(migrations("lambdad")) + 1))
async def test_functions_of_earlier_releases_are_read(tmp_path: Path, version: int) -> None:
    restore("lambdad", version, tmp_path / "lambdad.db")
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    key = FunctionKey(account_id="000000000000", region="us-east-1", name="hello")
    function = store.functions.get(key)
    assert function is not None
    assert (function.key, function.environment) == (key, {"GREETING": "Grüße"})
    assert function.status.state.value == "Active"
    await store.close()


@pytest.mark.parametrize("version", range(2, len(migrations("lambdad")) + 1))
async def test_resources_of_earlier_releases_are_read(tmp_path: Path, version: int) -> None:
    restore("lambdad", version, tmp_path / "lambdad.db")
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    (alias,) = store.resources.list("alias", "000000000000", "us-east-1")
    (layer,) = store.resources.all("layer-version")
    await store.close()
    assert (alias.key.name, alias.function, alias.revision) == ("hello:live", "hello", "a1")
    assert alias.document == {"description": "Grüße", "version": "1", "weights": {"2": 0.25}}
    assert (layer.key.name, layer.function, layer.document) == ("l:1", None, {"licence": None})


@pytest.mark.parametrize("version", range(3, len(migrations("lambdad")) + 1))
async def test_accepted_events_of_earlier_releases_are_read(tmp_path: Path, version: int) -> None:
    restore("lambdad", version, tmp_path / "lambdad.db")
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    first, second = await store.events.show(1), await store.events.show(2)
    await store.close()
    assert first is not None
    assert second is not None
    assert (first.event.qualifier, first.event.payload.decode()) == ("live", '{"name":"Grüße"}')
    assert (first.attempt, first.progress.tries, first.visible_ms) == (1, 1, 1_764_000_060_000)
    assert first.progress.outcome is not None
    assert first.progress.outcome.payload == b'{"errorMessage":"no"}'
    assert (len(second.event.payload), second.attempt) == (3_002, 0)


@pytest.mark.parametrize("version", range(1, len(migrations("logs")) + 1))
async def test_logs_of_earlier_releases_are_read(tmp_path: Path, version: int) -> None:
    restore("logs", version, tmp_path / "logs.db")
    store = engine("sqlite")(tmp_path, FakeClock())
    await store.open()
    key = LogGroupKey(account_id="000000000000", region="us-east-1", name="/aws/lambda/hello")
    events = await store.logs.events(key, LogQuery())
    assert [event.message for event in events] == ["START", "Grüße", "END"]
    await store.close()


def test_databases_are_kept_for_every_version() -> None:
    kept = {path.stem for path in DATABASES.glob("*.sql")}
    assert kept == {f"{schema}-{version}" for schema, version in VERSIONS}
