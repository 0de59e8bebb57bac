"""Metrics, alarms and their history in SQLite: jobs."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from lambdad.neighbours.cloudwatch.model import MetricKey, Point, Summary

_CHUNK = 2_000


def put(db: sqlite3.Connection, key: MetricKey, points: Sequence[Point]) -> None:
    """Add what was put of a metric to what is there."""
    row = db.execute(
        "INSERT INTO metric (account_id, region, namespace, name, dimensions, last_s) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE "
        "SET last_s = max(last_s, excluded.last_s) RETURNING id",
        (
            key.account_id,
            key.region,
            key.namespace,
            key.name,
            key.dimensions_text,
            max(each.at_s for each in points),
        ),
    ).fetchall()
    for point in points:
        where = (row[0][0], point.at_s, point.unit)
        total = Summary()
        before = db.execute(
            "SELECT at_s, unit, count, sum, minimum, maximum, spread FROM datapoint "
            "WHERE metric_id = ? AND at_s = ? AND unit = ?",
            where,
        ).fetchone()
        if before is not None:
            total.add(_point(before).summary)
        total.add(point.summary)
        db.execute(
            "INSERT OR REPLACE INTO datapoint VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (*where, total.count, total.sum, total.minimum, total.maximum, total.stored_spread()),
        )


def _point(row: tuple[Any, ...]) -> Point:
    spread = None if row[6] is None else dict(json.loads(row[6]))
    summary = Summary(count=row[2], sum=row[3], minimum=row[4], maximum=row[5], spread=spread)
    return Point(row[0], row[1], summary)


def points(db: sqlite3.Connection, key: MetricKey, start_s: int, end_s: int) -> list[Point]:
    """Return what was put of a metric between two times, the second exclusive."""
    rows = db.execute(
        "SELECT at_s, unit, count, sum, minimum, maximum, spread FROM datapoint "
        "WHERE metric_id = (SELECT id FROM metric WHERE account_id = ? AND region = ? "
        "AND namespace = ? AND name = ? AND dimensions = ?) AND at_s >= ? AND at_s < ? "
        "ORDER BY at_s",
        (
            key.account_id,
            key.region,
            key.namespace,
            key.name,
            key.dimensions_text,
            start_s,
            end_s,
        ),
    )
    return [_point(row) for row in rows]


def metrics(
    db: sqlite3.Connection, account_id: str, region: str, after: int
) -> list[tuple[int, MetricKey, int]]:
    """Return metrics behind an id, with their ids and the seconds of their last points."""
    rows = db.execute(
        "SELECT id, namespace, name, dimensions, last_s FROM metric "
        "WHERE account_id = ? AND region = ? AND id > ? ORDER BY id",
        (account_id, region, after),
    )
    return [
        (
            row[0],
            MetricKey(
                account_id=account_id,
                region=region,
                namespace=row[1],
                name=row[2],
                dimensions=tuple((name, value) for name, value in json.loads(row[3])),
            ),
            row[4],
        )
        for row in rows
    ]


def expire(db: sqlite3.Connection, before_s: int) -> bool:
    """Remove some old points, history and metrics without any; whether there may be more."""
    rows = db.execute(
        "SELECT metric_id, at_s, unit FROM datapoint WHERE at_s < ? LIMIT ?", (before_s, _CHUNK)
    ).fetchall()
    db.executemany("DELETE FROM datapoint WHERE metric_id = ? AND at_s = ? AND unit = ?", rows)
    db.execute("DELETE FROM alarm_history WHERE at_ms < ?", (before_s * 1_000,))
    db.execute("DELETE FROM metric WHERE last_s < ?", (before_s,))
    return len(rows) == _CHUNK


def alarms(db: sqlite3.Connection) -> list[tuple[str, str, str, str, str, str]]:
    """Return account, region, name, settings, state and tags of every alarm."""
    return db.execute(
        "SELECT account_id, region, name, settings, state, tags FROM alarm"
    ).fetchall()


def put_alarm(
    db: sqlite3.Connection,
    key: tuple[str, str, str],
    settings: Mapping[str, Any],
    state: Mapping[str, Any],
    tags: Mapping[str, str],
) -> None:
    """Store an alarm."""
    db.execute(
        "INSERT INTO alarm (account_id, region, name, settings, state, tags) "
        "VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "settings = excluded.settings, state = excluded.state, tags = excluded.tags",
        (*key, json.dumps(settings), json.dumps(state), json.dumps(tags)),
    )


def remove_alarm(db: sqlite3.Connection, key: tuple[str, str, str]) -> None:
    """Forget an alarm."""
    db.execute("DELETE FROM alarm WHERE account_id = ? AND region = ? AND name = ?", key)


def note(
    db: sqlite3.Connection, key: tuple[str, str, str], at_ms: int, what: tuple[str, str, str]
) -> None:
    """Add type, summary and data to the history of an alarm."""
    db.execute(
        "INSERT INTO alarm_history (account_id, region, name, at_ms, type, summary, data) "
        "VALUES (?, ?, ?, ?, ?, ?, ?)",
        (*key, at_ms, *what),
    )


def history(
    db: sqlite3.Connection, account_id: str, region: str, name: str | None, limit: int
) -> list[tuple[str, int, str, str, str]]:
    """Return name, time, type, summary and data of what happened last, newest first."""
    return db.execute(
        "SELECT name, at_ms, type, summary, data FROM alarm_history "
        "WHERE account_id = ? AND region = ? AND (? IS NULL OR name = ?) "
        "ORDER BY id DESC LIMIT ?",
        (account_id, region, name, name, limit),
    ).fetchall()
