"""Makes what issues and checks credentials, as the configuration has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lambdad.authz.access_keys import read_access_keys
from lambdad.authz.authentication import Authenticator, AuthMode
from lambdad.authz.role_credentials import RoleCredentials
from lambdad.authz.sessions import Sessions
from lambdad.config.sections import AuthConfig
from lambdad.domain.clock import Clock
from lambdad.domain.errors import HostUnfit
from lambdad.storage.keys import lasting_key


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthParts:
    """What the daemon uses of it."""

    authenticator: Authenticator
    sessions: Sessions
    role_credentials: RoleCredentials


def connect(config: AuthConfig, data_dir: Path, clock: Clock) -> AuthParts:
    """Read the keys and connect the parts.

    Raises:
        HostUnfit: the mode is none, or the file of access keys cannot be used.
    """
    modes = [mode.value for mode in AuthMode]
    if config.mode not in modes:
        raise HostUnfit(
            f"auth.mode = {config.mode!r} is no mode.", f"Write one of {', '.join(modes)}."
        )
    sessions = Sessions(lasting_key(data_dir / "sessions.key"))
    role_credentials = RoleCredentials(sessions, clock)
    keys = {} if config.access_keys is None else read_access_keys(config.access_keys)
    authenticator = Authenticator(
        mode=AuthMode(config.mode),
        sessions=sessions,
        role_credentials=role_credentials,
        access_keys=keys,
        clock=clock,
    )
    return AuthParts(
        authenticator=authenticator, sessions=sessions, role_credentials=role_credentials
    )
