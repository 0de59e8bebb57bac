"""Credentials of execution roles: a session of the role for each execution environment.

They end with their environment, and after half a day in any case. A presigned address of S3 is
handed out to be used later by others: it lasts as long as it says, even if the environment that
made it is gone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import lru_cache

from lambdad.authz.sessions import Claims, Session, Sessions
from lambdad.domain.clock import Clock
from lambdad.domain.functions import Function

LIFETIME_S = 12 * 3_600
# AWS replaces an environment long before its credentials expire; ours at half their time.
RENEWAL_S = LIFETIME_S // 2


class RoleCredentials:
    """Mutable: which environments live."""

    def __init__(self, sessions: Sessions, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._living: set[str] = set()

    def begin(self, environment_id: str) -> None:
        """An environment is there: what is issued for it is accepted."""
        self._living.add(environment_id)

    def end(self, environment_id: str) -> None:
        """An environment is gone, and what was issued for it void; may be called twice."""
        self._living.discard(environment_id)

    def issue(self, environment_id: str, function: Function) -> Mapping[str, str]:
        """Return the variables with credentials of the function's role, for one environment."""
        return self.session(environment_id, function).variables()

    def session(
        self, environment_id: str, function: Function, lifetime_s: int = LIFETIME_S
    ) -> Session:
        """Return a session of the function's role, for one environment."""
        account_id, name = function.key.account_id, function.key.name
        role = function.role.rpartition("/")[2]
        return self._sessions.issue(
            account_id=account_id,
            arn=f"arn:aws:sts::{account_id}:assumed-role/{role}/{name}",
            user_id=f"{role_id(account_id, role)}:{name}",
            # AWS hands over no role of another account: its name counts in the function's own.
            role_arn=f"arn:aws:iam::{account_id}:{function.role.rpartition(':')[2]}",
            expires_s=int(self._clock.time()) + lifetime_s,
            environment_id=environment_id,
        )

    def ended(self, claims: Claims, *, handed_out: bool) -> bool:
        """Whether credentials are void although they have not expired.

        `handed_out`: they signed an address that others use.
        """
        return (
            claims.environment_id is not None
            and claims.environment_id not in self._living
            and not handed_out
        )


@lru_cache(maxsize=1_024)
def role_id(account_id: str, role: str) -> str:
    """Return the unique id of a role, which is the same for the same role: `AROA...`."""
    digest = hashlib.sha256(f"{account_id}/{role}".encode()).hexdigest().upper()
    return f"AROA{digest[:17]}"
