"""What a service keeps of its resources: JSON documents by kind and key. Jobs on its database.

For services whose resources are few and small enough to be held in memory: all are loaded when the
service is opened.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from typing import Any


def put(db: sqlite3.Connection, kind: str, key: str, document: Mapping[str, Any]) -> None:
    """Store a document, in place of one that is there."""
    db.execute(
        "INSERT INTO document (kind, key, body) VALUES (?, ?, ?) "
        "ON CONFLICT (kind, key) DO UPDATE SET body = excluded.body",
        (kind, key, json.dumps(document)),
    )


def remove(db: sqlite3.Connection, kind: str, key: str) -> None:
    """Forget a document."""
    db.execute("DELETE FROM document WHERE kind = ? AND key = ?", (kind, key))


def load(db: sqlite3.Connection, kind: str) -> dict[str, Any]:
    """Return all documents of a kind by key."""
    rows = db.execute("SELECT key, body FROM document WHERE kind = ? ORDER BY key", (kind,))
    return {key: json.loads(body) for key, body in rows}
