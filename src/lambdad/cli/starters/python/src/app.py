"""A function: `handler` is called once for each event."""

from __future__ import annotations

import logging
from typing import Any

logger = logging.getLogger()
logger.setLevel(logging.INFO)

# What stands here runs once for each environment, before its first event.


def handler(event: dict[str, Any], context: Any) -> dict[str, str]:
    """Greet whoever the event names."""
    name = event.get("name", "world")
    logger.info("greeting %s in request %s", name, context.aws_request_id)
    return {"greeting": f"Hello, {name}!"}
