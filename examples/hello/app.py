"""A first function: greets, and counts how often this environment has been used."""

import logging
import platform

logger = logging.getLogger()
logger.setLevel(logging.INFO)

invocations = 0


def handler(event, context):
    global invocations
    invocations += 1
    name = event.get("name", "world")
    logger.info("greeting %s", name)
    return {
        "greeting": f"Hello, {name}!",
        "python": platform.python_version(),
        "cold": invocations == 1,
        "invocations": invocations,
        "request_id": context.aws_request_id,
        "milliseconds_left": context.get_remaining_time_in_millis(),
    }
