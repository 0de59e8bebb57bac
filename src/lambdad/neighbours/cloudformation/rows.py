"""Jobs on the database: everything is a JSON document under its id."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from lambdad.neighbours.cloudformation.model import (
    ChangeSet,
    Event,
    Held,
    Plan,
    Resource,
    Stack,
)


def stack_text(stack: Stack) -> str:
    """Return a stack as it is stored; its resources have rows of their own."""
    body = {
        name: getattr(stack, name)
        for name in Stack.__dataclass_fields__
        if name not in ("resources", "plan", "former")
    }
    body["plan"] = asdict(stack.plan)
    body["former"] = None if stack.former is None else asdict(stack.former)
    return json.dumps(body)


def put_stack(db: sqlite3.Connection, stack_id: str, body: str) -> None:
    """Store a stack."""
    db.execute("INSERT OR REPLACE INTO stack (id, body) VALUES (?, ?)", (stack_id, body))


def put_resource(db: sqlite3.Connection, stack_id: str, key: str, body: str | None) -> None:
    """Store a resource, or forget it."""
    if body is None:
        db.execute("DELETE FROM resource WHERE stack_id = ? AND key = ?", (stack_id, key))
    else:
        db.execute(
            "INSERT OR REPLACE INTO resource (stack_id, key, body) VALUES (?, ?, ?)",
            (stack_id, key, body),
        )


def add_event(db: sqlite3.Connection, stack_id: str, body: str) -> None:
    """Store what happened."""
    db.execute("INSERT INTO event (stack_id, body) VALUES (?, ?)", (stack_id, body))


def events(
    db: sqlite3.Connection, stack_id: str, before: int | None, limit: int
) -> tuple[list[Event], int | None]:
    """Return the latest events that came before one, newest first; and the last one's number."""
    rows = db.execute(
        "SELECT id, body FROM event WHERE stack_id = ? AND id < ? ORDER BY id DESC LIMIT ?",
        (stack_id, 1 << 62 if before is None else before, limit + 1),
    ).fetchall()
    found = [Event(**json.loads(body)) for _, body in rows[:limit]]
    return found, rows[limit - 1][0] if len(rows) > limit else None


def put_change_set(db: sqlite3.Connection, change_set_id: str, body: str) -> None:
    """Store a change set."""
    db.execute("INSERT OR REPLACE INTO change_set (id, body) VALUES (?, ?)", (change_set_id, body))


def remove_change_sets(db: sqlite3.Connection, ids: Sequence[str]) -> None:
    """Forget change sets."""
    db.executemany("DELETE FROM change_set WHERE id = ?", [(each,) for each in ids])


def put_response(db: sqlite3.Connection, token: str, body: str) -> None:
    """Store what a custom resource answered; the first answer counts."""
    db.execute("INSERT OR IGNORE INTO response (token, body) VALUES (?, ?)", (token, body))


def take_response(db: sqlite3.Connection, token: str) -> str | None:
    """Return what a custom resource answered, or None."""
    row = db.execute("SELECT body FROM response WHERE token = ?", (token,)).fetchone()
    return None if row is None else str(row[0])


def load(db: sqlite3.Connection) -> tuple[list[Stack], list[ChangeSet]]:
    """Return everything that is held in memory."""
    stacks = {}
    for (body,) in db.execute("SELECT body FROM stack"):
        found: dict[str, Any] = json.loads(body)
        found["plan"] = Plan(**found["plan"])
        found["former"] = None if found["former"] is None else Plan(**found["former"])
        stack = stacks[found["id"]] = Stack(**found)
    for stack_id, key, body in db.execute("SELECT stack_id, key, body FROM resource"):
        stack = stacks[stack_id]
        found = json.loads(body)
        for name in ("held", "before"):
            found[name] = None if found[name] is None else Held(**found[name])
        stack.resources[key] = Resource(**found)
    change_sets = []
    for (body,) in db.execute("SELECT body FROM change_set"):
        found = json.loads(body)
        found["plan"] = Plan(**found["plan"])
        change_sets.append(ChangeSet(**found))
    return list(stacks.values()), change_sets


def put_signal(db: sqlite3.Connection, key: str, signal_id: str, body: str) -> None:
    """Store a signal; the first of an id counts."""
    db.execute(
        "INSERT OR IGNORE INTO signal (key, signal_id, body) VALUES (?, ?, ?)",
        (key, signal_id, body),
    )


def signals(db: sqlite3.Connection, key: str) -> list[dict[str, Any]]:
    """Return the signals for a handle or resource."""
    found = db.execute("SELECT body FROM signal WHERE key = ? ORDER BY signal_id", (key,))
    return [json.loads(body) for (body,) in found]


def forget_signals(db: sqlite3.Connection, key: str) -> None:
    """Forget the signals for a handle or resource."""
    db.execute("DELETE FROM signal WHERE key = ?", (key,))
