"""Where the operations of DynamoDB Streams register, and what they call."""

from __future__ import annotations

from typing import Self, cast

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Service
from lambdad.neighbours.dynamodb.parts import Tables
from lambdad.neighbours.hosting import Setup


class StreamReader:
    """DynamoDB's tables, as far as streams need them; DynamoDB itself opens and closes them."""

    def __init__(self, tables: Tables) -> None:
        self.tables = tables

    @classmethod
    async def open(cls, setup: Setup) -> Self:
        """Open DynamoDB, unless that is done."""
        return cls(cast("Tables", await setup.neighbour("dynamodb")))

    def drain(self) -> None:
        """Nobody waits here."""

    async def close(self) -> None:
        """Nothing is held here."""


Context = ServiceContext[StreamReader]

STREAMS = Service[StreamReader]("dynamodbstreams", invalid="ValidationException")
