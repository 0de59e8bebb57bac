"""What the environment says beside settings: the service manager's socket, version managers."""

from __future__ import annotations

import os
from collections.abc import Mapping


def notify_socket() -> str | None:
    """Where systemd (`Type=notify`) wants to hear of readiness, or None."""
    return os.environ.get("NOTIFY_SOCKET") or None


def variables() -> Mapping[str, str]:
    """The process's environment, for finding language installations."""
    return dict(os.environ)
