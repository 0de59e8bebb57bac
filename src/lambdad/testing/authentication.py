"""What issues and checks credentials, for tests of what stands behind it."""

from __future__ import annotations

from lambdad.authz.authentication import Authenticator, AuthMode
from lambdad.authz.role_credentials import RoleCredentials
from lambdad.authz.sessions import Sessions
from lambdad.domain.clock import Clock


def an_authenticator(
    clock: Clock, sessions: Sessions | None = None, *, mode: AuthMode = AuthMode.OPEN
) -> Authenticator:
    """Make one that knows no access keys."""
    sessions = sessions or Sessions(b"key of the test")
    return Authenticator(
        mode=mode,
        sessions=sessions,
        role_credentials=RoleCredentials(sessions, clock),
        access_keys={},
        clock=clock,
    )
