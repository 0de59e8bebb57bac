"""Why a signature is not accepted, and how AWS says so.

Decides code, text and status by the protocol of the service that was called. Whether a signature
is right is not decided here.
"""

from __future__ import annotations

from enum import Enum, auto

from lambdad.protocol.errors import ProtocolError

MISMATCH_TEXT = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "AWS Secret Access Key and signing method. Consult the service documentation for details."
)


class Fault(Enum):
    """What is wrong with the credentials of a request."""

    MISSING = auto()
    INCOMPLETE = auto()
    MISMATCH = auto()
    OUT_OF_TIME = auto()
    URL_EXPIRED = auto()
    SCOPE = auto()
    NOT_SIGNED_HEADER = auto()
    PAYLOAD = auto()
    CHUNK = auto()
    UNKNOWN_KEY = auto()
    INVALID_TOKEN = auto()
    EXPIRED_TOKEN = auto()


class SignatureRefused(Exception):
    """The credentials of a request are not accepted.

    Attributes:
        fault: what is wrong.
        text: what AWS says of it, where that depends on the request; else None.
    """

    def __init__(self, fault: Fault, text: str | None = None) -> None:
        super().__init__(f"{fault.name}: {text}")
        self.fault = fault
        self.text = text

    def as_error(self, protocol: str) -> ProtocolError:
        """Return the error of a service.

        `protocol` is that of its model (`json`, `query`, `rest-json`, ...), or `s3`.
        """
        table = _S3 if protocol == "s3" else _QUERY if protocol in _QUERY_LIKE else _JSON
        code, status, text = table.get(self.fault) or table[Fault.MISMATCH]
        return ProtocolError(code, self.text or text, status)


_INVALID_TOKEN = "The security token included in the request is invalid."  # noqa: S105 - a text
_EXPIRED_TOKEN = "The security token included in the request is expired"  # noqa: S105 - a text

_JSON = {
    Fault.MISSING: ("MissingAuthenticationTokenException", 403, "Missing Authentication Token"),
    Fault.INCOMPLETE: ("IncompleteSignatureException", 403, MISMATCH_TEXT),
    Fault.MISMATCH: ("InvalidSignatureException", 403, MISMATCH_TEXT),
    Fault.UNKNOWN_KEY: ("UnrecognizedClientException", 403, _INVALID_TOKEN),
    Fault.INVALID_TOKEN: ("UnrecognizedClientException", 403, _INVALID_TOKEN),
    Fault.EXPIRED_TOKEN: ("ExpiredTokenException", 403, _EXPIRED_TOKEN),
}
_QUERY_LIKE = frozenset({"query", "ec2", "rest-xml"})
_QUERY = {
    Fault.MISSING: (
        "MissingAuthenticationToken",
        403,
        "Request is missing Authentication Token",
    ),
    Fault.INCOMPLETE: ("IncompleteSignature", 400, MISMATCH_TEXT),
    Fault.MISMATCH: ("SignatureDoesNotMatch", 403, MISMATCH_TEXT),
    Fault.UNKNOWN_KEY: ("InvalidClientTokenId", 403, _INVALID_TOKEN),
    Fault.INVALID_TOKEN: ("InvalidClientTokenId", 403, _INVALID_TOKEN),
    Fault.EXPIRED_TOKEN: ("ExpiredToken", 403, _EXPIRED_TOKEN),
}
_S3_MISMATCH = (
    "The request signature we calculated does not match the signature you provided. Check your "
    "key and signing method."
)
_S3 = {
    Fault.MISSING: ("AccessDenied", 403, "Access Denied"),
    Fault.INCOMPLETE: (
        "AuthorizationHeaderMalformed",
        400,
        "The authorization header is malformed.",
    ),
    Fault.SCOPE: ("AuthorizationHeaderMalformed", 400, "The authorization header is malformed."),
    Fault.MISMATCH: ("SignatureDoesNotMatch", 403, _S3_MISMATCH),
    Fault.CHUNK: ("SignatureDoesNotMatch", 403, _S3_MISMATCH),
    Fault.OUT_OF_TIME: (
        "RequestTimeTooSkewed",
        403,
        "The difference between the request time and the current time is too large.",
    ),
    Fault.URL_EXPIRED: ("AccessDenied", 403, "Request has expired"),
    Fault.NOT_SIGNED_HEADER: (
        "AccessDenied",
        403,
        "There were headers present in the request which were not signed",
    ),
    Fault.PAYLOAD: (
        "XAmzContentSHA256Mismatch",
        400,
        "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ),
    Fault.UNKNOWN_KEY: (
        "InvalidAccessKeyId",
        403,
        "The AWS Access Key Id you provided does not exist in our records.",
    ),
    Fault.INVALID_TOKEN: (
        "InvalidToken",
        400,
        "The provided token is malformed or otherwise invalid.",
    ),
    Fault.EXPIRED_TOKEN: ("ExpiredToken", 400, "The provided token has expired."),
}
