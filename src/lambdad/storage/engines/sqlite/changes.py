"""What changes functions and resources in SQLite: every change is one conditional statement.

A job of several changes is undone as a whole when one of them raises: see `SqliteDb.write`.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence

from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Function
from lambdad.domain.resources import Resource, ResourceKey
from lambdad.storage.base import (
    AlreadyExists,
    Change,
    DeleteResource,
    DeleteVersion,
    InsertFunction,
    PutResource,
    ReplaceFunction,
    RevisionMismatch,
)
from lambdad.storage.changes import Changes
from lambdad.storage.documents import decode, encode
from lambdad.storage.records import Records, describe_function, describe_resource

_INSERT_FUNCTION = """
INSERT INTO function (account_id, region, name, version, revision, document)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_REPLACE_FUNCTION = """
UPDATE function SET revision = ?, document = ?
WHERE account_id = ? AND region = ? AND name = ? AND version = ? AND revision = ?
"""
_DELETE_VERSION = """
DELETE FROM function WHERE account_id = ? AND region = ? AND name = ? AND version = ?
"""
_DELETE_FUNCTION = "DELETE FROM function WHERE account_id = ? AND region = ? AND name = ?"
_ALL_FUNCTIONS = "SELECT document FROM function ORDER BY account_id, region, name"

_INSERT_RESOURCE = """
INSERT INTO resource (kind, account_id, region, name, function, revision, document)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_PUT_RESOURCE = """
INSERT INTO resource (kind, account_id, region, name, function, revision, document)
VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (kind, account_id, region, name) DO UPDATE
SET function = excluded.function, revision = excluded.revision, document = excluded.document
"""
_REPLACE_RESOURCE = """
UPDATE resource SET function = ?, revision = ?, document = ?
WHERE kind = ? AND account_id = ? AND region = ? AND name = ? AND revision = ?
"""
_DELETE_RESOURCE = """
DELETE FROM resource WHERE kind = ? AND account_id = ? AND region = ? AND name = ?
"""
_DELETE_RESOURCES = "DELETE FROM resource WHERE account_id = ? AND region = ? AND function = ?"
_ALL_RESOURCES = "SELECT kind, account_id, region, name, function, revision, document FROM resource"


def load(connection: sqlite3.Connection, changes: Changes) -> Records:
    """Read everything there is; `changes` is to count what is changed in it."""
    records = Records(changes)
    for (document,) in connection.execute(_ALL_FUNCTIONS):
        records.functions.put(decode(Function, document))
    records.resources.fill(map(_resource, connection.execute(_ALL_RESOURCES)))
    return records


def apply(connection: sqlite3.Connection, changes: Sequence[Change]) -> None:
    """Make the changes in order.

    Raises:
        AlreadyExists, RevisionMismatch: one cannot be made; those before it were.
    """
    for change in changes:
        _make(connection, change)


def delete_function(connection: sqlite3.Connection, key: FunctionKey) -> bool:
    """Remove all versions and every resource of a function; False when there was no version."""
    identity = (key.account_id, key.region, key.name)
    connection.execute(_DELETE_RESOURCES, identity)
    return connection.execute(_DELETE_FUNCTION, identity).rowcount > 0


def delete_resource(connection: sqlite3.Connection, key: ResourceKey) -> bool:
    """Remove a resource; False when there was none."""
    return connection.execute(_DELETE_RESOURCE, _resource_identity(key)).rowcount > 0


def _make(connection: sqlite3.Connection, change: Change) -> None:
    match change:
        case InsertFunction(function=function):
            insertion = (*_identity(function), function.revision_id, encode(function))
            if connection.execute(_INSERT_FUNCTION, insertion).rowcount != 1:
                raise AlreadyExists(describe_function(function))
        case ReplaceFunction(function=function, expected_revision=revision):
            content = (function.revision_id, encode(function))
            update = (*content, *_identity(function), revision)
            if connection.execute(_REPLACE_FUNCTION, update).rowcount != 1:
                raise RevisionMismatch(describe_function(function))
        case DeleteVersion(key=key, version=version):
            identity = (key.account_id, key.region, key.name, version)
            connection.execute(_DELETE_VERSION, identity)
        case PutResource(resource=resource, expected_revision=expected):
            _put(connection, resource, expected)
        case DeleteResource(key=resource_key):
            delete_resource(connection, resource_key)


def _put(connection: sqlite3.Connection, resource: Resource, expected: str | None) -> None:
    identity = _resource_identity(resource.key)
    content = (resource.function, resource.revision, _text(resource))
    if expected is None:
        connection.execute(_PUT_RESOURCE, (*identity, *content))
    elif not expected:
        if connection.execute(_INSERT_RESOURCE, (*identity, *content)).rowcount != 1:
            raise AlreadyExists(describe_resource(resource))
    elif connection.execute(_REPLACE_RESOURCE, (*content, *identity, expected)).rowcount != 1:
        raise RevisionMismatch(describe_resource(resource))


def _identity(function: Function) -> tuple[str, str, str, str]:
    key = function.key
    return key.account_id, key.region, key.name, function.version


def _resource_identity(key: ResourceKey) -> tuple[str, str, str, str]:
    return key.kind, key.account_id, key.region, key.name


def _text(resource: Resource) -> str:
    return json.dumps(resource.document, separators=(",", ":"))


def _resource(row: tuple[str, str, str, str, str | None, str, str]) -> Resource:
    kind, account_id, region, name, function, revision, text = row
    return Resource(
        key=ResourceKey(kind=kind, account_id=account_id, region=region, name=name),
        function=function,
        revision=revision,
        document=json.loads(text),
    )
