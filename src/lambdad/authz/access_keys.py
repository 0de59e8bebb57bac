"""Access keys that the operator gives out: the file of them.

A table for each access key id:

    [AKIAEXAMPLE]
    secret = "..."                  # needed: a signature cannot be checked by a hash
    account = "111122223333"        # needed
    user = "deploy"                 # none stands for the root of the account
"""

from __future__ import annotations

import hashlib
import re
import stat
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lambdad.authz.callers import Caller, root_arn
from lambdad.domain.errors import HostUnfit

_ID = re.compile(r"[\w+=.@-]{3,128}", re.ASCII)
_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_USER = re.compile(r"[\w+=,.@/-]{1,512}", re.ASCII)
_MEMBERS = {"secret", "account", "user"}


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessKey:
    """A key that proves its holder to be a caller."""

    caller: Caller
    secret: str = field(repr=False)


def read_access_keys(path: Path) -> Mapping[str, AccessKey]:
    """Return the access keys of a file by their ids.

    Raises:
        HostUnfit: it cannot be read, others can read it, or it is wrong.
    """
    remedy = "Name a TOML file that only lambdad's user can read (chmod 600)."
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise HostUnfit(f"{path} holds secrets and is open to other users.", remedy)
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise HostUnfit(f"{path} cannot be read: {error.strerror}.", remedy) from error
    except ValueError as error:
        raise HostUnfit(f"{path} is not TOML: {error}.", "Mend the file there.") from error
    return {name: _access_key(path, name, table) for name, table in document.items()}


def _access_key(path: Path, name: str, table: Any) -> AccessKey:
    for problem, remedy in _problems(name, table):
        raise HostUnfit(f"{path}: [{name}]: {problem}.", remedy)
    account_id, user = table["account"], table.get("user")
    return AccessKey(
        secret=table["secret"],
        caller=Caller(
            account_id=account_id,
            arn=f"arn:aws:iam::{account_id}:user/{user}" if user else root_arn(account_id),
            user_id=_user_id(account_id, user) if user else account_id,
            access_key=name,
            proven=True,
        ),
    )


def _problems(name: str, table: Any) -> list[tuple[str, str]]:
    if not isinstance(table, dict):
        return [("it is no table", "Write a table with secret and account for each key.")]
    found = []
    if not _ID.fullmatch(name):
        found.append(("this is no access key id", "Use 3 to 128 letters, digits and + = . @ _ -"))
    if unknown := sorted(table.keys() - _MEMBERS):
        found.append((f"there is no member {unknown[0]}", "Members are secret, account and user."))
    if not isinstance(table.get("secret"), str) or len(table["secret"]) < 16:
        found.append(("it has no secret of 16 letters or more", "Make a long random one."))
    if not isinstance(table.get("account"), str) or not _ACCOUNT.fullmatch(table["account"]):
        found.append(("it has no account", 'Write account = "111122223333": twelve digits.'))
    user = table.get("user", "root")
    if not isinstance(user, str) or not _USER.fullmatch(user):
        found.append(("user is no user's name", "Use letters, digits and + = , . @ _ / -"))
    return found


def _user_id(account_id: str, user: str) -> str:
    digest = hashlib.sha256(f"{account_id}/{user}".encode()).hexdigest().upper()
    return f"AIDA{digest[:17]}"
