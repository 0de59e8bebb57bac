"""Who a request is from: who must prove it, and whose proof holds.

Decides nothing about what a caller may do. Credentials that lambdad issued and access keys of the
operator are checked always; whether others are taken at their word is a setting.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Mapping
from enum import StrEnum
from mmap import mmap

from lambdad.authz.access_keys import AccessKey
from lambdad.authz.callers import Caller, root_arn, stranger
from lambdad.authz.role_credentials import RoleCredentials
from lambdad.authz.sessions import TOKEN_PREFIX, Sessions
from lambdad.domain.clock import Clock
from lambdad.protocol.aws_chunked import Payload, Take, payload_of
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.sigv4 import (
    Credential,
    Signature,
    parse_credential,
    read_signature,
    session_token,
)
from lambdad.protocol.sigv4_refusals import Fault, SignatureRefused
from lambdad.protocol.sigv4_verification import S3_SERVICES, check_claims, verify

DAEMON_PREFIX = "LAMBDAD"
_DAEMON_KEY = re.compile(DAEMON_PREFIX + r"(\d{12})", re.ASCII)


class AuthMode(StrEnum):
    """Who must prove who they are.

    * `open`: who uses credentials that are known; everybody else is taken at their word.
    * `functions`: functions, too, whatever credentials they use.
    * `verify`: everybody.
    """

    OPEN = "open"
    FUNCTIONS = "functions"
    VERIFY = "verify"


class Authenticator:
    """Finds out who a request is from.

    Immutable: it asks `role_credentials` which environments live.
    """

    def __init__(
        self,
        *,
        mode: AuthMode,
        sessions: Sessions,
        role_credentials: RoleCredentials,
        access_keys: Mapping[str, AccessKey],
        clock: Clock,
    ) -> None:
        self.mode = mode
        self._sessions = sessions
        self._role_credentials = role_credentials
        self._access_keys = access_keys
        self._clock = clock
        self._daemon_key = secrets.token_bytes(32)

    def authenticate(
        self,
        request: HttpRequest,
        *,
        service: str | None = None,
        guest: bool = False,
        credential: Credential | None = None,
    ) -> Caller:
        """Return who a request is from.

        `service` is the signing name of the service that is called, `guest` whether the request
        comes from inside a sandbox; `credential` is the request's, where it has been read.

        Raises:
            SignatureRefused: the caller must prove who they are and does not.
        """
        credential = credential or parse_credential(request)
        access_key = credential.access_key if credential is not None else None
        if not self._must_prove(request, access_key, guest=guest):
            return stranger(access_key)
        return self.prove(request, service=service)

    def prove(
        self, request: HttpRequest, *, service: str | None = None, region: str | None = None
    ) -> Caller:
        """Return who a request is proven to be from, whatever the mode; arguments as above.

        Raises:
            SignatureRefused: it is not signed rightly with credentials that are known.
        """
        signature = read_signature(request)
        _check_scope(signature, service, region)
        caller, secret = self._holder(request, signature)
        verify(request, signature, secret, now_s=self._clock.time())
        return caller

    def authenticate_signed(
        self, request: HttpRequest, *, service: str, region: str, guest: bool = False
    ) -> Caller:
        """Return who a request is from that has to be signed, even by strangers.

        Of unknown credentials nobody can tell whether the signature is right; all else is checked.

        Raises:
            SignatureRefused: it is not signed, or not for this service and region, or too old, or
                the caller must prove who they are and does not.
        """
        signature = read_signature(request)
        access_key = signature.credential.access_key
        if self._must_prove(request, access_key, guest=guest):
            return self.prove(request, service=service, region=region)
        _check_scope(signature, service, region)
        check_claims(request, signature, now_s=self._clock.time())
        return stranger(access_key)

    def payload(
        self,
        request: HttpRequest,
        *,
        guest: bool = False,
        source: mmap | None = None,
        take: Take | None = None,
    ) -> Payload:
        """Return the payload of a chunked request that was authenticated.

        A body in a file is read from `source`, and its data are handed to `take`.

        Raises:
            MalformedChunks: it cannot be read.
            SignatureRefused: a chunk is not signed rightly, by who must prove who they are.
        """
        credential = parse_credential(request)
        access_key = credential.access_key if credential is not None else None
        if not self._must_prove(request, access_key, guest=guest):
            return payload_of(request, None, None, source=source, take=take)
        signature = read_signature(request)
        secret = self._holder(request, signature)[1]
        return payload_of(request, signature, secret, source=source, take=take)

    def must_prove(self, *, guest: bool) -> bool:
        """Whether even a caller with unknown credentials must prove who they are."""
        return self.mode is AuthMode.VERIFY or (guest and self.mode is AuthMode.FUNCTIONS)

    def daemon_key(self, account_id: str) -> tuple[str, str]:
        """Return access key id and secret with which this daemon calls itself for an account.

        They end with this process.
        """
        access_key = f"{DAEMON_PREFIX}{account_id}"
        return access_key, hmac.digest(self._daemon_key, access_key.encode(), "sha256").hex()

    def _must_prove(self, request: HttpRequest, access_key: str | None, *, guest: bool) -> bool:
        if self.must_prove(guest=guest):
            return True
        if access_key is None:
            return False
        return (
            access_key in self._access_keys
            or self._sessions.is_own(access_key)
            or (
                access_key.startswith(DAEMON_PREFIX)
                and _DAEMON_KEY.fullmatch(access_key) is not None
            )
            or (session_token(request) or "").startswith(TOKEN_PREFIX)
        )

    def _holder(self, request: HttpRequest, signature: Signature) -> tuple[Caller, str]:
        """Return who holds the credentials of a signature, and their secret."""
        access_key = signature.credential.access_key
        if (known := self._access_keys.get(access_key)) is not None:
            if signature.token is not None:
                raise SignatureRefused(Fault.INVALID_TOKEN)
            return known.caller, known.secret
        if (own := _DAEMON_KEY.fullmatch(access_key)) is not None:
            return _daemon(own[1], access_key), self.daemon_key(own[1])[1]
        if signature.token is None or not self._sessions.is_own(access_key):
            raise SignatureRefused(Fault.UNKNOWN_KEY)
        session = self._sessions.open(signature.token, access_key)
        # SECURITY: a target in the header would lead an address of S3 to another service.
        handed_out = (
            signature.presigned
            and signature.credential.service in S3_SERVICES
            and "x-amz-target" not in request.headers
        )
        if session.claims.expires_s <= self._clock.time() or self._role_credentials.ended(
            session.claims, handed_out=handed_out
        ):
            raise SignatureRefused(Fault.EXPIRED_TOKEN)
        return session.claims.caller(), session.secret


def _daemon(account_id: str, access_key: str) -> Caller:
    return Caller(
        account_id=account_id,
        arn=root_arn(account_id),
        user_id=account_id,
        access_key=access_key,
        proven=True,
    )


def _check_scope(signature: Signature, service: str | None, region: str | None) -> None:
    credential = signature.credential
    if service is not None and credential.service != service:
        text = f"Credential should be scoped to correct service: '{service}'. "
        raise SignatureRefused(Fault.SCOPE, text)
    if region is not None and credential.region != region:
        text = f"Credential should be scoped to a valid region, not '{credential.region}'. "
        raise SignatureRefused(Fault.SCOPE, text)
