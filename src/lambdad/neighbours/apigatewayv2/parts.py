"""All HTTP APIs of this daemon, in memory and in a database."""

from __future__ import annotations

import secrets
import sqlite3
import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Self

from lambdad.domain.clock import Clock
from lambdad.neighbours import documents
from lambdad.neighbours.apigatewayv2.errors import no_api, no_part
from lambdad.neighbours.hosting import Setup
from lambdad.storage.database import Database
from lambdad.triggers.execute_api import Mapped
from lambdad.triggers.http_api.model import PARTS, Api, Document

_API = "api"
_DOMAIN = "domain"
_ALPHABET = string.ascii_lowercase + string.digits
_TIMES = ("CreatedDate", "LastUpdatedDate")


@dataclass(eq=False, slots=True)
class Domain:
    """A domain name. Mutable, as `Api` is.

    Attributes:
        document: as GetDomainName answers it.
        mappings: as GetApiMapping answers them, by identifier.
    """

    account_id: str
    region: str
    document: Document
    mappings: Mapping[str, Document] = field(default_factory=dict)


class Apis:
    """What API Gateway's operations call.

    Mutable: the APIs, by identifier, and the domain names.
    """

    def __init__(self, db: Database, clock: Clock) -> None:
        self.clock = clock
        self.domains: dict[str, Domain] = {}
        self._db = db
        self._apis: dict[str, Api] = {}

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open the database and load every API."""
        db = setup.database()
        await db.open()
        apis = cls(db, setup.clock)
        for stored in (await db.read(partial(documents.load, kind=_API))).values():
            api = Api(stored["account"], stored["region"], stored["document"])
            apis._apis[api.api_id] = api
        for stored in (await db.read(partial(documents.load, kind=_DOMAIN))).values():
            domain = Domain(
                stored["account"], stored["region"], stored["document"], stored["mappings"]
            )
            apis.domains[domain.document["DomainName"]] = domain
        for kind in PARTS:
            for key, document in (await db.read(partial(documents.load, kind=kind))).items():
                api_id, _, identifier = key.partition("/")
                apis._apis[api_id].parts[kind][identifier] = document
        return apis

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Close the database."""
        await self._db.close()

    def new_id(self, length: int = 10) -> str:
        """Return an identifier that nothing has."""
        return "".join(secrets.choice(_ALPHABET) for _ in range(length))

    def anybodys(self, api_id: str) -> Api | None:
        """Return an API, whoever asks."""
        return self._apis.get(api_id)

    def find(self, account_id: str, region: str, api_id: str) -> Api:
        """Return an account's API.

        Raises:
            NotFoundException: it has none of this identifier.
        """
        api = self._apis.get(api_id)
        if api is None or (api.account_id, api.region) != (account_id, region):
            raise no_api(api_id)
        return api

    def of(self, account_id: str, region: str) -> list[Api]:
        """Return an account's APIs."""
        owner = (account_id, region)
        return [api for api in self._apis.values() if (api.account_id, api.region) == owner]

    def part(self, api: Api, kind: str, identifier: str) -> Document:
        """Return a part of an API.

        Raises:
            NotFoundException: it has none of this identifier.
        """
        document = api.parts[kind].get(identifier)
        if document is None:
            raise no_part(kind.capitalize(), identifier)
        return document

    async def put(self, api: Api, document: Document) -> None:
        """Store an API's own members."""
        stored = {"account": api.account_id, "region": api.region, "document": _plain(document)}
        await self._db.write(
            partial(documents.put, kind=_API, key=str(document["ApiId"]), document=stored)
        )
        api.document = _plain(document)
        api.found.clear()
        self._apis[api.api_id] = api

    async def put_part(self, api: Api, kind: str, identifier: str, document: Document) -> None:
        """Store a part of an API."""
        plain = _plain(document)
        key = f"{api.api_id}/{identifier}"
        await self._db.write(partial(documents.put, kind=kind, key=key, document=plain))
        api.parts[kind][identifier] = plain
        api.found.clear()

    async def remove_part(self, api: Api, kind: str, identifier: str) -> None:
        """Forget a part of an API."""
        below = f"{kind}response"  # whose identifiers begin with this part's
        responses = [key for key in api.parts.get(below, {}) if key.startswith(f"{identifier}/")]

        def forget(db: sqlite3.Connection) -> None:
            documents.remove(db, kind, f"{api.api_id}/{identifier}")
            for each in responses:
                documents.remove(db, below, f"{api.api_id}/{each}")

        await self._db.write(forget)
        api.found.clear()
        del api.parts[kind][identifier]
        for each in responses:
            del api.parts[below][each]

    def domains_of(self, account_id: str, region: str) -> list[Domain]:
        """Return an account's domain names."""
        owner = (account_id, region)
        return [each for each in self.domains.values() if (each.account_id, each.region) == owner]

    def mapped(self, host: str, path: str) -> Mapped | None:
        """Return where a path of a host leads to, or None; the longest mapping that fits counts."""
        domain = self.domains.get(host)
        if domain is None and "." in host:
            domain = self.domains.get(f"*.{host.partition('.')[2]}")
        if domain is None:
            return None
        fitting = [
            each
            for each in domain.mappings.values()
            if f"{path}/".startswith(f"/{each['ApiMappingKey']}/") or not each["ApiMappingKey"]
        ]
        if not fitting:
            return Mapped(api_id="", stage="", path=path)
        best = max(fitting, key=lambda each: len(each["ApiMappingKey"]))
        below = path[len(best["ApiMappingKey"]) + 1 :] if best["ApiMappingKey"] else path
        return Mapped(api_id=best["ApiId"], stage=best["Stage"], path=below or "/")

    async def put_domain(
        self, domain: Domain, mappings: Mapping[str, Document] | None = None
    ) -> None:
        """Store a domain name, with other mappings if they are given."""
        mappings = domain.mappings if mappings is None else mappings
        stored = {
            "account": domain.account_id,
            "region": domain.region,
            "document": _plain(domain.document),
            "mappings": mappings,
        }
        name = str(domain.document["DomainName"])
        await self._db.write(partial(documents.put, kind=_DOMAIN, key=name, document=stored))
        domain.document, domain.mappings = _plain(domain.document), mappings
        self.domains[name] = domain

    async def remove_domain(self, domain: Domain) -> None:
        """Forget a domain name with its mappings."""
        name = str(domain.document["DomainName"])
        await self._db.write(partial(documents.remove, kind=_DOMAIN, key=name))
        del self.domains[name]

    async def remove(self, api: Api) -> None:
        """Forget an API with all its parts."""

        def forget(db: sqlite3.Connection) -> None:
            documents.remove(db, _API, api.api_id)
            for kind, parts in api.parts.items():
                for identifier in parts:
                    documents.remove(db, kind, f"{api.api_id}/{identifier}")

        await self._db.write(forget)
        del self._apis[api.api_id]


def _plain(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document as it is stored: times as texts."""
    return {
        name: value.isoformat() if name in _TIMES and not isinstance(value, str) else value
        for name, value in document.items()
        if value is not None
    }
