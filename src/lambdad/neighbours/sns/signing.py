"""The key that this daemon signs messages of SNS with, and its certificate.

As AWS signs: RSA with SHA-1 (`SignatureVersion` 1) or SHA-256 (2) over certain members of the
document. The certificate is self-signed, and served where `SigningCertURL` says.
"""

from __future__ import annotations

import base64
import hashlib
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = (
    "Message",
    "MessageId",
    "SubscribeURL",
    "Timestamp",
    "Token",
    "TopicArn",
    "Type",
)
_BITS, _EXPONENT = 2_048, 65_537
_LASTS = timedelta(days=20 * 365)
_REMEMBERED = 1_024
PATH = "/SimpleNotificationService-"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A private key and its certificate, PEM; what is stored."""

    key: str
    certificate: str


def new_pair(now: datetime) -> KeyPair:
    """Make a key; takes a tenth of a second or several."""
    key = rsa.generate_private_key(public_exponent=_EXPONENT, key_size=_BITS)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begins = now - timedelta(days=1)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + _LASTS)
        .sign(key, hashes.SHA256())
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    return KeyPair(key=private.decode(), certificate=public.decode())


class Signer:
    """Signs documents. Mutable: signatures of late, as all subscribers get the same one.

    Attributes:
        certificate: PEM.
        path: below which address it is served.
    """

    def __init__(self, pair: KeyPair) -> None:
        key = serialization.load_pem_private_key(pair.key.encode(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError("SNS signs with RSA.")
        self._key = key
        self.certificate = pair.certificate.encode()
        digest = hashlib.sha256(self.certificate).hexdigest()[:32]
        self.path = f"{PATH}{digest}.pem"
        self._signed: OrderedDict[tuple[str, str], str] = OrderedDict()

    def sign(self, document: Mapping[str, Any]) -> str:
        """Return the signature of a document that has everything but it, Base64."""
        version, text = str(document["SignatureVersion"]), signed_text(document)
        found = self._signed.get((version, text))
        if found is None:
            digest = hashes.SHA256() if version == "2" else hashes.SHA1()  # noqa: S303 - AWS's
            signature = self._key.sign(text.encode(), padding.PKCS1v15(), digest)
            found = self._signed[version, text] = base64.b64encode(signature).decode()
            if len(self._signed) > _REMEMBERED:
                self._signed.popitem(last=False)
        return found


def signed_text(document: Mapping[str, Any]) -> str:
    """Return what of a document is signed (SNS developer guide, "Verifying signatures")."""
    names = _NOTIFICATION if document["Type"] == "Notification" else _CONFIRMATION
    return "".join(
        f"{name}\n{document[name]}\n" for name in names if document.get(name) is not None
    )
