"""Amazon DynamoDB: where its operations register, and how they name a table."""

from __future__ import annotations

import re

from lambdad.api.context import ServiceContext
from lambdad.api.dispatch import Service
from lambdad.neighbours.dynamodb.errors import ValidationException, no_table
from lambdad.neighbours.dynamodb.model import Table, TableKey
from lambdad.neighbours.dynamodb.parts import Tables

Context = ServiceContext[Tables]

DYNAMODB = Service[Tables]("dynamodb", invalid="ValidationException")

_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}")
_ARN = re.compile(r"arn:[\w-]+:dynamodb:([\w-]+):(\d{12}):table/([a-zA-Z0-9_.-]{3,255})")


def key_of(context: Context, name: str) -> TableKey:
    """Return the key of a table that a request names, by its name or its ARN.

    Raises:
        ValidationException: no table can have that name.
        ResourceNotFoundException: it is a table of another account.
    """
    if name.startswith("arn:"):
        match = _ARN.fullmatch(name)
        if match is None:
            raise ValidationException(
                "Invalid TableArn: Invalid ResourceArn provided as input " + name
            )
        if match[2] != context.account_id:
            raise no_table()
        return match[2], match[1], match[3]
    check_name(name)
    return context.account_id, context.region, name


def check_name(name: str) -> None:
    """Refuse what cannot be a name of a table or an index."""
    if _NAME.fullmatch(name) is None:
        raise ValidationException(
            "Invalid table/index name.  Table/index names must be between 3 and 255 characters "
            "long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'"
        )


def table_of(context: Context, name: str) -> Table:
    """Return the table that a request on items names."""
    return context.services.find(key_of(context, name))


def named_table(context: Context, name: str) -> Table:
    """Return the table that a request on tables names."""
    return context.services.named(key_of(context, name))
