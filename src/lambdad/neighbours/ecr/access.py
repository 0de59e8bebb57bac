"""Who may do what in a repository, and the passwords by which clients of the registry say who.

Pure. A password is opaque to clients: claims and a seal, made by the daemon and read by it alone.
"""

from __future__ import annotations

import base64
import hmac
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lambdad.authz.policies import Decision, Principal, Request, evaluate, statements_of
from lambdad.neighbours.ecr.errors import AccessDeniedException, InvalidParameterException
from lambdad.neighbours.ecr.model import Repository

PASSWORD_LIFE_S = 12 * 3_600
_PASSWORD_CHARACTERS_MAX = 4_096
_LABEL = re.compile(r"ecr:[A-Za-z*]+|\*", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Whom a password speaks for.

    Attributes:
        region: in which it was asked for.
        arn: of the identity that asked.
        expires_s: since 1970.
        digest: the one blob that may be read with it, or None.
    """

    account_id: str
    region: str
    arn: str
    role_arn: str | None
    expires_s: int
    digest: str | None = None

    @property
    def principal(self) -> Principal:
        """As policies name it."""
        return Principal(arn=self.arn, role_arn=self.role_arn)


def seal(grant: Grant, key: bytes) -> str:
    """Return a password."""
    claims = base64.urlsafe_b64encode(json.dumps(asdict(grant)).encode()).decode()
    return f"{claims}.{_mark(claims, key)}"


def unseal(password: str, key: bytes, *, now_s: float) -> Grant | None:
    """Return whom a password speaks for; None if it is none of ours, or not any more."""
    if len(password) > _PASSWORD_CHARACTERS_MAX or not password.isascii():
        return None
    claims, _, mark = password.rpartition(".")
    if not hmac.compare_digest(mark, _mark(claims, key)):
        return None
    grant = Grant(**json.loads(base64.urlsafe_b64decode(claims)))
    return grant if grant.expires_s > now_s else None


def password_of(authorization: str) -> str | None:
    """Return the password in a header, `Basic` or `Bearer`; None when there is none."""
    scheme, _, value = authorization.partition(" ")
    if scheme.lower() == "bearer":
        return value.strip()
    if scheme.lower() != "basic":
        return None
    try:
        user, _, password = base64.b64decode(value.strip(), validate=True).decode().partition(":")
    except ValueError:  # not Base64, or not UTF-8
        return None
    return password if user == "AWS" else None


def may(repository: Repository, principal: Principal, action: str, *, now: datetime) -> bool:
    """Whether somebody may do something: the account itself, unless denied, others if allowed."""
    text = repository.settings.get("policy")
    decision = Decision.SILENT
    if text is not None:
        context = {"aws:CurrentTime": now.isoformat(), "aws:EpochTime": str(int(now.timestamp()))}
        asked = Request(
            principal=principal, action=action, resource=repository.arn, context=context
        )
        decision = evaluate([_with_resources(json.loads(text))], asked)
    if decision is not Decision.SILENT:
        return decision is Decision.ALLOWED
    return principal.account_id == repository.account_id


def denied(repository: Repository, principal: Principal, action: str) -> AccessDeniedException:
    """The error for who may not."""
    return AccessDeniedException(
        f"User: {principal.arn} is not authorized to perform: {action} on resource: "
        f"{repository.arn} because no resource-based policy allows the {action} action"
    )


def check_policy(text: str) -> None:
    """Refuse a text that is no policy of a repository.

    Raises:
        InvalidParameterException: it is none.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise _no_policy() from error
    statements = statements_of(document) if isinstance(document, dict) else []
    if not statements or not all(_is_statement(each) for each in statements):
        raise _no_policy()


def _is_statement(statement: object) -> bool:
    if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
        return False
    actions = statement.get("Action", statement.get("NotAction"))
    listed = actions if isinstance(actions, list) else [actions]
    principal = statement.get("Principal", statement.get("NotPrincipal"))
    return (
        all(isinstance(each, str) and _LABEL.fullmatch(each) for each in listed)
        and (principal == "*" or isinstance(principal, dict))
        and isinstance(statement.get("Condition", {}), dict)
    )


def _no_policy() -> InvalidParameterException:
    return InvalidParameterException(
        "Invalid parameter at 'PolicyText' failed to satisfy constraint: "
        "'Invalid repository policy provided'"
    )


def _with_resources(document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a policy in which every statement says what of, as those of repositories do not."""
    statements = [{"Resource": "*", **each} for each in statements_of(document)]
    return {**document, "Statement": statements}


def _mark(claims: str, key: bytes) -> str:
    return hmac.digest(key, claims.encode(), "sha256").hex()
