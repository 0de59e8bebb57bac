"""Who calls, once that is decided: proven by a signature, or taken at their word. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from lambdad.authz.policies import Principal
from lambdad.authz.principals import account_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """The identity behind a request.

    Attributes:
        arn: of the account's root, a user, or the session of a role.
        user_id: what AWS calls `UserId`: unique for the identity.
        access_key: as the request was signed, or None.
        role_arn: of the role whose session this is, or None.
        proven: a signature says so; otherwise the caller was taken at their word.
    """

    account_id: str
    arn: str
    user_id: str
    access_key: str | None
    role_arn: str | None = None
    proven: bool = False

    @property
    def principal(self) -> Principal:
        """As policies name it."""
        return Principal(arn=self.arn, role_arn=self.role_arn)


def root_arn(account_id: str) -> str:
    """The ARN that stands for a whole account."""
    return f"arn:aws:iam::{account_id}:root"


@lru_cache(maxsize=1_024)
def stranger(access_key: str | None) -> Caller:
    """Somebody whose credentials nobody knows: the root of the account that the key names."""
    account_id = account_of(access_key)
    return Caller(
        account_id=account_id,
        arn=root_arn(account_id),
        user_id=account_id,
        access_key=access_key,
    )
