"""Statements, as they are once parsed."""

from __future__ import annotations

from dataclasses import dataclass

from lambdad.neighbours.dynamodb.expressions.conditions import Condition
from lambdad.neighbours.dynamodb.expressions.paths import Path
from lambdad.neighbours.dynamodb.expressions.updates import Update
from lambdad.neighbours.dynamodb.values import Item


@dataclass(frozen=True, slots=True)
class Select:
    """SELECT: `paths` is None for `*`; `order` has the attribute and whether it rises, or None."""

    table: str
    index: str | None
    paths: list[Path] | None
    where: Condition | None
    order: tuple[str, bool] | None = None


@dataclass(frozen=True, slots=True)
class Insert:
    """INSERT INTO … VALUE."""

    table: str
    item: Item


@dataclass(frozen=True, slots=True)
class Change:
    """UPDATE; `returning` is one of UpdateItem's ReturnValues."""

    table: str
    update: Update
    where: Condition
    returning: str = "NONE"


@dataclass(frozen=True, slots=True)
class Remove:
    """DELETE FROM; `returning` is NONE or ALL_OLD."""

    table: str
    where: Condition
    returning: str = "NONE"


@dataclass(frozen=True, slots=True)
class Check:
    """EXISTS(SELECT …), in transactions."""

    select: Select


Statement = Select | Insert | Change | Remove | Check
