"""All REST APIs of this daemon, in memory and in a database.

Memory is a `Directory`, which the front door reads. A change is written first, all of it in one
transaction, and shows once it is durable. Whoever changes something holds the lock of its owner,
an API or an account, from reading to writing.
"""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import string
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from functools import partial
from typing import Any, Protocol, Self

from lambdad.domain.clock import Clock
from lambdad.neighbours import documents
from lambdad.neighbours.apigateway.errors import no_api, refused
from lambdad.neighbours.hosting import Setup
from lambdad.protocol.http import HttpRequest, HttpResponse
from lambdad.storage.database import Database
from lambdad.triggers.execute_api import Mapped
from lambdad.triggers.rest_api.domains import mapped
from lambdad.triggers.rest_api.model import Account, Directory, Document, RestApi, Snapshot

_ALPHABET = string.ascii_lowercase + string.digits
_API = "api"
_SETTINGS = "settings"
_DEPLOYMENTS = "deployments"
# As the attributes of `RestApi` and `Account` are called.
_PARTS = (
    "resources",
    "models",
    "validators",
    "authorizers",
    "gateway_responses",
    "documentation",
    _DEPLOYMENTS,
    "stages",
)
_SHARED = ("api_keys", "usage_plans", "domain_names")
_NESTED = ("usage_plan_keys", "base_paths")


@dataclass(frozen=True, slots=True)
class Change:
    """One document that becomes another one, or goes.

    Attributes:
        kind: attribute of the owner: `resources`, `api_keys`; `api` is the API's own document.
        key: within the owner; `plan/key` and `domain/base path` for what belongs to a part.
    """

    kind: str
    key: str
    document: Document | None


class Front(Protocol):
    """What answers the APIs' own callers."""

    async def test(
        self, snapshot: Snapshot, stage: Document, api: RestApi, request: HttpRequest
    ) -> HttpResponse:
        """Answer a request without authorizer, key or limits."""
        ...

    def used(self, plan_id: str, key_id: str) -> Mapping[date, int]:
        """Return how many requests of a key counted on each day."""
        ...


class Apis:
    """What API Gateway's operations call.

    Mutable: the directory, settings of accounts, and what serves the APIs.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self.clock = clock
        self.directory = Directory()
        self._front: Front | None = None
        self._db = db
        self._settings: dict[str, Document] = {}
        self._locks: dict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database and load every API and account."""
        db = setup.database()
        await db.open()
        apis = cls(db, setup.clock)
        for api_id, stored in (await db.read(partial(documents.load, kind=_API))).items():
            apis.directory.apis[api_id] = RestApi(**stored)
        for kind in _PARTS:
            for key, document in (await db.read(partial(documents.load, kind=kind))).items():
                api_id, _, identifier = key.partition("/")
                _remember(apis.directory.apis[api_id], Change(kind, identifier, document))
        for kind in (*_SHARED, *_NESTED):
            for key, document in (await db.read(partial(documents.load, kind=kind))).items():
                account_id, region, identifier = key.split("/", 2)
                account = apis.directory.account(account_id, region)
                _remember(account, Change(kind, identifier, document))
        apis._settings = await db.read(partial(documents.load, kind=_SETTINGS))
        return apis

    def served_by(self, front: Front) -> None:
        """Say what answers the APIs' callers."""
        self._front = front

    @property
    def front(self) -> Front:
        """What answers the APIs' callers.

        Raises:
            BadRequestException: nobody does, in this daemon.
        """
        if self._front is None:
            raise refused("Callers of REST APIs are", "Start the daemon with its front doors.")
        return self._front

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Close the database."""
        await self._db.close()

    def now(self) -> str:
        """Return the time as documents have it."""
        return self.clock.now().isoformat()

    def lock(self, owner: str) -> asyncio.Lock:
        """Return the lock of an API, by its id, or of an account, by its id and region."""
        return self._locks[owner]

    def new_id(self, length: int = 6) -> str:
        """Return an identifier that nothing has; APIs and keys have longer ones than parts."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def mapped(self, host: str, path: str) -> Mapped | None:
        """See `DomainNames`."""
        return mapped(self.directory, host, path)

    def find(self, account_id: str, region: str, api_id: str) -> RestApi:
        """Return an account's API.

        Raises:
            NotFoundException: it has none of this identifier.
        """
        api = self.directory.apis.get(api_id)
        if api is None or (api.account_id, api.region) != (account_id, region):
            raise no_api(account_id, api_id)
        return api

    def of(self, account_id: str, region: str) -> list[RestApi]:
        """Return an account's APIs."""
        owner = (account_id, region)
        return [
            api for api in self.directory.apis.values() if (api.account_id, api.region) == owner
        ]

    def settings(self, account_id: str, region: str) -> Document:
        """Return what UpdateAccount has set."""
        return self._settings.get(f"{account_id}/{region}", {})

    async def put_settings(self, account_id: str, region: str, document: Document) -> None:
        """Store what UpdateAccount sets."""
        key = f"{account_id}/{region}"
        await self._db.write(
            partial(documents.put, kind=_SETTINGS, key=key, document=document),
            then=lambda _: self._settings.update({key: document}),
        )

    async def put(self, owner: RestApi | Account, kind: str, key: str, document: Document) -> None:
        """Store one document."""
        await self.apply(owner, [Change(kind, key, document)])

    async def take(self, owner: RestApi | Account, kind: str, key: str) -> None:
        """Forget one document."""
        await self.apply(owner, [Change(kind, key, None)])

    async def put_api(self, api: RestApi, document: Document) -> None:
        """Store an API's own members."""
        await self.put(api, _API, api.api_id, document)

    async def apply(self, owner: RestApi | Account, changes: Sequence[Change]) -> None:
        """Store several changes of one owner, or none of them."""

        def store(db: sqlite3.Connection) -> None:
            for change in changes:
                _store(db, owner, change)

        def show(_: None) -> None:
            for change in changes:
                _remember(owner, change)

        await self._db.write(store, then=show)

    async def create(self, api: RestApi) -> None:
        """Store a whole new API."""
        changes = [Change(_API, api.api_id, api.document), *_whole(api)]

        def store(db: sqlite3.Connection) -> None:
            for change in changes:
                _store(db, api, change)

        await self._db.write(store, then=lambda _: self.directory.apis.update({api.api_id: api}))

    async def remove(self, api: RestApi) -> None:
        """Forget an API with all its parts."""

        def forget(db: sqlite3.Connection) -> None:
            documents.remove(db, _API, api.api_id)
            for change in _whole(api):
                documents.remove(db, change.kind, f"{api.api_id}/{change.key}")

        def show(_: None) -> None:
            self.directory.apis.pop(api.api_id, None)
            self._locks.pop(api.api_id, None)

        await self._db.write(forget, then=show)


def replaced(old: RestApi, new: RestApi) -> list[Change]:
    """Return the changes that make of an API another one; deployments and stages stay."""
    changes = [Change(_API, old.api_id, new.document)]
    kept = (_DEPLOYMENTS, "stages")
    for kind in (each for each in _PARTS if each not in kept):
        before: Mapping[str, Document] = getattr(old, kind)
        after: Mapping[str, Document] = getattr(new, kind)
        changes += [Change(kind, key, None) for key in before if key not in after]
        changes += [
            Change(kind, key, document)
            for key, document in after.items()
            if before.get(key) != document
        ]
    return changes


def _whole(api: RestApi) -> Iterable[Change]:
    for kind in _PARTS:
        for key, part in getattr(api, kind).items():
            yield Change(kind, key, asdict(part) if isinstance(part, Snapshot) else part)


def _store(db: sqlite3.Connection, owner: RestApi | Account, change: Change) -> None:
    key, document = change.key, change.document
    if change.kind == _API:
        document = {
            "account_id": owner.account_id,
            "region": owner.region,
            "document": dict(document or {}),
        }
    elif isinstance(owner, RestApi):
        key = f"{owner.api_id}/{key}"
    else:
        key = f"{owner.account_id}/{owner.region}/{key}"
    if document is None:
        documents.remove(db, change.kind, key)
    else:
        documents.put(db, change.kind, key, document)


def _remember(owner: RestApi | Account, change: Change) -> None:
    if change.kind == _API and isinstance(owner, RestApi):
        owner.document = change.document or {}
        return
    if isinstance(owner, Account) and change.kind in _NESTED:
        _remember_nested(owner, change)
        return
    held: dict[str, Any] = getattr(owner, change.kind)
    if change.document is None:
        held.pop(change.key, None)
    elif change.kind == _DEPLOYMENTS:
        held[change.key] = Snapshot(**change.document)
    else:
        held[change.key] = change.document


def _remember_nested(account: Account, change: Change) -> None:
    holder, _, key = change.key.partition("/")
    if change.kind == "base_paths":
        paths = account.base_paths.setdefault(holder, {})
        if change.document is None:
            paths.pop(key, None)
        else:
            paths[key] = change.document
        return
    keys = account.usage_plan_keys.setdefault(holder, set())
    if change.document is None:
        keys.discard(key)
    else:
        keys.add(key)
