"""Temporary credentials that lambdad issues, and how it knows them again.

A session token holds all that is known about its session, under a message authentication code of
a key that stays in the data directory; the secret access key is derived from the token by the same
key. So no table of them has to be kept, lost or leaked. The access key id is marked as ours in the
same way: who leaves the token out is not mistaken for a stranger.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache

from lambdad.authz.callers import Caller
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused

TOKEN_PREFIX = "lambdad1."  # noqa: S105 - tells our tokens from AWS's

_KEY_PREFIX = "ASIA"
_KEY_RANDOM = 10
_KEY_MARK = 6
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_TOKEN_BYTES_MAX = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What a session token says.

    Attributes:
        expires_s: seconds since the epoch.
        environment_id: of the execution environment it belongs to and ends with, or None.
    """

    access_key: str
    account_id: str
    arn: str
    user_id: str
    expires_s: int
    role_arn: str | None = None
    environment_id: str | None = None

    def caller(self) -> Caller:
        """Who proves to hold these credentials."""
        return Caller(
            account_id=self.account_id,
            arn=self.arn,
            user_id=self.user_id,
            access_key=self.access_key,
            role_arn=self.role_arn,
            proven=True,
        )


_CLAIMS = tuple(field.name for field in fields(Claims))
_encode = json.JSONEncoder(separators=(",", ":")).encode


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """Issued credentials."""

    claims: Claims
    secret: str
    token: str

    def variables(self) -> Mapping[str, str]:
        """As a process finds them in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": self.claims.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_SESSION_TOKEN": self.token,
        }


class Sessions:
    """Issues temporary credentials and opens their tokens. Immutable but for a cache."""

    def __init__(self, key: bytes) -> None:
        """`key` is random and secret; with another one, all that was issued is void."""
        self._token_key = hmac.digest(key, b"session token", "sha256")
        self._secret_key = hmac.digest(key, b"secret access key", "sha256")
        self._mark_key = hmac.digest(key, b"access key id", "sha256")
        self._opened = lru_cache(maxsize=4_096)(self._open)
        # Of strangers' keys too: bounded, and cheap to lose.
        self._marked = lru_cache(maxsize=4_096)(self._is_marked)

    def issue(
        self,
        *,
        account_id: str,
        arn: str,
        user_id: str,
        expires_s: int,
        role_arn: str | None = None,
        environment_id: str | None = None,
    ) -> Session:
        """Return new credentials that nobody else has. Arguments as in :class:`Claims`."""
        claims = Claims(
            access_key=self._new_access_key(),
            account_id=account_id,
            arn=arn,
            user_id=user_id,
            expires_s=expires_s,
            role_arn=role_arn,
            environment_id=environment_id,
        )
        members = ((name, getattr(claims, name)) for name in _CLAIMS)
        said = {name: value for name, value in members if value is not None}
        body = _base64(_encode(said).encode())
        token = f"{TOKEN_PREFIX}{body}.{_base64(self._seal(body))}"
        return Session(claims=claims, secret=self._secret(token), token=token)

    def open(self, token: str, access_key: str) -> Session:
        """Return the session of a token that was issued for this access key.

        Whether it has expired is the caller's to look at.

        Raises:
            SignatureRefused: it was not issued here, or for another access key.
        """
        session = self._opened(token)
        if session.claims.access_key != access_key:
            raise SignatureRefused(Fault.INVALID_TOKEN)
        return session

    def is_own(self, access_key: str) -> bool:
        """Whether an access key id was made here."""
        if len(access_key) != len(_KEY_PREFIX) + _KEY_RANDOM + _KEY_MARK:
            return False
        return access_key.startswith(_KEY_PREFIX) and self._marked(access_key)

    def _is_marked(self, access_key: str) -> bool:
        given = access_key[-_KEY_MARK:].encode()
        return hmac.compare_digest(self._mark(access_key[:-_KEY_MARK]).encode(), given)

    def _open(self, token: str) -> Session:
        body, _, seal = token.removeprefix(TOKEN_PREFIX).partition(".")
        ours = token.startswith(TOKEN_PREFIX) and len(token) <= _TOKEN_BYTES_MAX
        if (
            not ours
            or not token.isascii()
            or not hmac.compare_digest(_base64(self._seal(body)), seal)
        ):
            raise SignatureRefused(Fault.INVALID_TOKEN)
        claims = Claims(**json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4))))
        return Session(claims=claims, secret=self._secret(token), token=token)

    def _seal(self, body: str) -> bytes:
        return hmac.digest(self._token_key, body.encode(), "sha256")

    def _secret(self, token: str) -> str:
        digest = hmac.digest(self._secret_key, token.encode(), "sha256")
        return base64.b64encode(digest[:30]).decode()

    def _new_access_key(self) -> str:
        # All 32 letters are as likely: 256 is a multiple of their number.
        letters = (_LETTERS[byte & 31] for byte in secrets.token_bytes(_KEY_RANDOM))
        begin = _KEY_PREFIX + "".join(letters)
        return begin + self._mark(begin)

    def _mark(self, begin: str) -> str:
        digest = hmac.digest(self._mark_key, begin.encode(), "sha256")
        return "".join(_LETTERS[byte & 31] for byte in digest[:_KEY_MARK])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
