"""What the service manager that started lambdad says through the environment."""

from __future__ import annotations

import os


def notify_socket() -> str | None:
    """Where systemd (`Type=notify`) wants to hear of readiness, or None."""
    return os.environ.get("NOTIFY_SOCKET") or None
