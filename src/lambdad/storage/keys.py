"""Random keys that stay the same across restarts: a file each, whole or not there."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from lambdad.storage.data_dir import FILE_MODE

KEY_BYTES = 32


def lasting_key(path: Path) -> bytes:
    """Return the key in a file, which is made if it is missing.

    A file without a whole key, as a power cut may leave it, is replaced: nothing may be signed with
    an empty key.
    """
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        key = b""
    if len(key) >= KEY_BYTES:
        return key
    key = secrets.token_bytes(KEY_BYTES)
    stage = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(stage, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with os.fdopen(descriptor, "wb") as file:
        file.write(key)
        file.flush()
        os.fsync(descriptor)
    stage.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return key
