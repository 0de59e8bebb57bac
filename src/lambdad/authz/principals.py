"""Which account a caller belongs to. Signatures are not checked here. Pure."""

from __future__ import annotations

import re

DEFAULT_ACCOUNT_ID = "000000000000"
DEFAULT_REGION = "us-east-1"

# Temporary credentials carry their account the same way, behind the prefix AWS gives them.
TEMPORARY_PREFIX = "ASIA"

_ACCOUNT_KEY = re.compile(rf"(?:{TEMPORARY_PREFIX})?(\d{{12}})", re.ASCII)


def account_of(access_key: str | None) -> str:
    """Return the account of an access key: twelve digits name it, any other key is the default's.

    The same key always belongs to the same account: tools cache the pair.
    """
    match = _ACCOUNT_KEY.fullmatch(access_key) if access_key else None
    return DEFAULT_ACCOUNT_ID if match is None else match[1]


def temporary_access_key(account_id: str) -> str:
    """Return an access key id for temporary credentials of an account."""
    return f"{TEMPORARY_PREFIX}{account_id}"
