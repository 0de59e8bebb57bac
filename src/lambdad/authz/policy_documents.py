"""Resource policies as documents: statements from requests, adding, removing. Pure.

Decides their exact form, as AWS writes it. What they mean stands in `policies`, what a caller may
write himself in `policy_checks`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.authz.policies import Document, Statement, statements_of
from lambdad.domain import limits
from lambdad.domain.errors import (
    InvalidParameterValueException,
    PolicyLengthExceededException,
    ResourceConflictException,
    ResourceNotFoundException,
)

VERSION = "2012-10-17"

ACCOUNT = re.compile(r"\d{12}", re.ASCII)
SERVICE = re.compile(
    r"[a-z0-9-]+(\.[a-z0-9-]+)*\.(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal)", re.ASCII
)
IDENTITY = re.compile(
    r"arn:aws[a-z-]*:(iam::\d{12}:(root|(user|role|federated-user)/[\w+=,.@/-]+)"
    r"|sts::\d{12}:(assumed-role|federated-user)/[\w+=,.@/-]+"
    r"|iam::cloudfront:user/[\w+=,.@/ -]+)",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """What `AddPermission` or `AddLayerVersionPermission` asks for; None for what is not said."""

    statement_id: str
    action: str
    principal: str
    source_arn: str | None = None
    source_account: str | None = None
    organization_id: str | None = None
    event_source_token: str | None = None
    url_auth_type: str | None = None
    via_function_url: bool | None = None


def statement_of(grant: Grant, resource: str) -> Statement:
    """Return the statement that a grant becomes.

    Raises:
        InvalidParameterValueException: the principal is none.
    """
    statement: dict[str, Any] = {
        "Sid": grant.statement_id,
        "Effect": "Allow",
        "Principal": _principal(grant.principal),
        "Action": grant.action,
        "Resource": resource,
    }
    if condition := _condition(grant):
        statement["Condition"] = condition
    return statement


def with_statement(document: Document | None, statement: Statement) -> Document:
    """Return the policy with one more statement; None begins a policy.

    Raises:
        ResourceConflictException: it has a statement of this id.
        PolicyLengthExceededException: it would become too long.
    """
    if document is None:
        document = {"Version": VERSION, "Id": "default", "Statement": []}
    statements = statements_of(document)
    if any(other.get("Sid") == statement["Sid"] for other in statements):
        raise ResourceConflictException(
            f"The statement id ({statement['Sid']}) provided already exists. Please provide a new "
            "statement id, or remove the existing statement."
        )
    changed = {**document, "Statement": [*statements, statement]}
    check_length(changed)
    return changed


def without_statement(document: Document | None, statement_id: str) -> Document | None:
    """Return the policy without a statement; None when none is left.

    Raises:
        ResourceNotFoundException: there is no policy, or no such statement in it.
    """
    if document is None:
        raise ResourceNotFoundException("No policy is associated with the given resource.")
    statements = statements_of(document)
    left = [statement for statement in statements if statement.get("Sid") != statement_id]
    if len(left) == len(statements):
        raise ResourceNotFoundException(
            f"Statement {statement_id} is not found in resource policy."
        )
    return {**document, "Statement": left} if left else None


def text_of(document: Document | Statement) -> str:
    """Return a policy or a statement as AWS sends it: JSON in one line, without spaces."""
    return json.dumps(document, separators=(",", ":"))


def check_length(document: Document) -> None:
    """Refuse a policy that is too long.

    Raises:
        PolicyLengthExceededException: it is.
    """
    size = len(text_of(document).encode())
    if size > limits.POLICY_BYTES_MAX:
        raise PolicyLengthExceededException(
            f"The final policy size ({size}) is bigger than the limit ({limits.POLICY_BYTES_MAX})."
        )


def _principal(text: str) -> object:
    if text == "*":
        return "*"
    if ACCOUNT.fullmatch(text):
        return {"AWS": f"arn:aws:iam::{text}:root"}
    if IDENTITY.fullmatch(text):
        return {"AWS": text}
    if SERVICE.fullmatch(text):
        return {"Service": text}
    raise InvalidParameterValueException(
        "The provided principal was invalid. Please check the principal and try again."
    )


def _condition(grant: Grant) -> Mapping[str, Any]:
    equal = {
        "lambda:FunctionUrlAuthType": grant.url_auth_type,
        "AWS:SourceAccount": grant.source_account,
        "lambda:EventSourceToken": grant.event_source_token,
        "aws:PrincipalOrgID": grant.organization_id,
    }
    via_url = None if grant.via_function_url is None else str(grant.via_function_url).lower()
    operators = {
        "StringEquals": equal,
        "ArnLike": {"AWS:SourceArn": grant.source_arn},
        "Bool": {"lambda:InvokedViaFunctionUrl": via_url},
    }
    given = {
        operator: {key: value for key, value in keys.items() if value is not None}
        for operator, keys in operators.items()
    }
    return {operator: keys for operator, keys in given.items() if keys}
