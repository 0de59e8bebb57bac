"""What resource policies say about a request: allowed, denied, or nothing. Pure.

Decides as the IAM user guide describes it: a statement that denies outweighs all that allow. Which
policies apply, and what silence means, the caller decides: within one account it is consent, for
another account a refusal.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from lambdad.authz.conditions import Context, arn_matches, holds, lowered, text_matches

Statement = Mapping[str, Any]
Document = Mapping[str, Any]

_ACCOUNT_ARN = re.compile(r"arn:aws[a-z-]*:(?:iam|sts)::(\d{12}):.+", re.ASCII)
_ROOT_ARN = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):root", re.ASCII)


class Decision(StrEnum):
    """What policies say."""

    ALLOWED = "allowed"
    DENIED = "denied"
    SILENT = "silent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who asks: an AWS identity, an AWS service, or nobody in particular.

    Attributes:
        arn: `arn:aws:iam::111122223333:root`, a user's, or the session of a role.
        service: for example `s3.amazonaws.com`.
        role_arn: of the role whose session it is; policies may name either.
    """

    arn: str | None = None
    service: str | None = None
    role_arn: str | None = None

    @property
    def account_id(self) -> str | None:
        """The account of an AWS identity."""
        match = _ACCOUNT_ARN.fullmatch(self.arn or "")
        return match[1] if match else None


ANONYMOUS: Final = Principal()


def account_root(account_id: str) -> Principal:
    """The principal that stands for a whole account."""
    return Principal(arn=f"arn:aws:iam::{account_id}:root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What somebody wants to do.

    Attributes:
        action: `lambda:InvokeFunction`.
        resource: ARN as the request names it, qualifier included.
        context: condition keys; `aws:PrincipalAccount` and `aws:PrincipalArn` are added.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str] = field(default_factory=dict)


def evaluate(documents: Iterable[Document], request: Request) -> Decision:
    """Return what the policies together say about the request."""
    context = _context(request)
    decision = Decision.SILENT
    for document in documents:
        for statement in statements_of(document):
            if not _applies(statement, request, context):
                continue
            if statement["Effect"] == "Deny":
                return Decision.DENIED
            decision = Decision.ALLOWED
    return decision


def statements_of(document: Document) -> list[Statement]:
    """Return the statements of a policy, which may be one alone."""
    statements = document.get("Statement", [])
    return list(statements) if isinstance(statements, list) else [statements]


def denies(document: Document) -> bool:
    """Whether a policy denies anything at all."""
    return any(statement["Effect"] == "Deny" for statement in statements_of(document))


def listed(element: object) -> list[str]:
    """Return the texts of an element that is one text or a list of them."""
    return [str(item) for item in element] if isinstance(element, list) else [str(element)]


def _context(request: Request) -> Context:
    own = {}
    if request.principal.arn is not None:
        # AWS: of a session the role's.
        own["aws:PrincipalArn"] = request.principal.role_arn or request.principal.arn
    if request.principal.account_id is not None:
        own["aws:PrincipalAccount"] = request.principal.account_id
    if request.principal.service is not None:
        own["aws:PrincipalServiceName"] = request.principal.service
    return lowered({**request.context, **own})


def _applies(statement: Statement, request: Request, context: Context) -> bool:
    return (
        _names_principal(statement, request.principal)
        and _names(statement, "Action", request.action, action_matches)
        and _names(statement, "Resource", request.resource, arn_matches)
        and holds(statement.get("Condition", {}), context)
    )


def _names(statement: Statement, element: str, value: str, matches: Any) -> bool:
    if element in statement:
        return any(matches(pattern, value) for pattern in listed(statement[element]))
    return not any(matches(pattern, value) for pattern in listed(statement[f"Not{element}"]))


def action_matches(pattern: str, action: str) -> bool:
    """Whether an action fits a pattern; letters' case does not count."""
    return text_matches(pattern.lower(), action.lower())


def _names_principal(statement: Statement, principal: Principal) -> bool:
    if "Principal" in statement:
        return _includes(statement["Principal"], principal)
    return not _includes(statement["NotPrincipal"], principal)


def _includes(element: object, principal: Principal) -> bool:
    if not isinstance(element, Mapping):
        return element == "*"
    return any(_is(name, principal) for name in listed(element.get("AWS", []))) or (
        principal.service is not None and principal.service in listed(element.get("Service", []))
    )


def _is(name: str, principal: Principal) -> bool:
    """Whether an `AWS` principal means this one: by itself, by its account, or everybody."""
    if name == "*":
        return True
    root = _ROOT_ARN.fullmatch(name)
    account_id = root[1] if root else name
    return principal.arn is not None and (
        name in (principal.arn, principal.role_arn) or account_id == principal.account_id
    )
