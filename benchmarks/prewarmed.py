"""When a daemon has environments ready, as its health page says."""

from __future__ import annotations

import json
import time
import urllib.request

_PATIENCE_S = 60.0
_PAUSE_S = 0.02
# As many looks in a row must show the same: no more are being made.
_LOOKS = 8


def await_ready(url: str, identifier: str) -> None:
    """Wait until environments of a runtime wait for a function, and no more are being made.

    Raises:
        RuntimeError: that does not come to be.
    """
    deadline = time.monotonic() + _PATIENCE_S
    seen: list[int] = []
    while time.monotonic() < deadline:
        with urllib.request.urlopen(f"{url}/_lambdad/health", timeout=10) as answer:  # noqa: S310
            seen.append(json.load(answer)["prewarmed"].get(identifier, 0))
        if seen[-1] > 0 and len(set(seen[-_LOOKS:])) == 1 and len(seen) >= _LOOKS:
            return
        time.sleep(_PAUSE_S)
    raise RuntimeError(f"no environment of {identifier} waits; is the backend native?")


def is_made_ready(url: str, identifier: str) -> bool:
    """Whether environments of a runtime are made before they are needed."""
    with urllib.request.urlopen(f"{url}/_lambdad/runtimes", timeout=60) as answer:  # noqa: S310
        lines = json.load(answer)["runtimes"]
    return any(line["identifier"] == identifier and line["prewarmed"] for line in lines)
