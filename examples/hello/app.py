"""A first function: greets, and counts how often this environment has been used."""

import itertools
import logging
import platform

logger = logging.getLogger()
logger.setLevel(logging.INFO)

# Runs once for each environment; what it leaves in memory is there in the next invocation.
invocations = itertools.count(1)


def handler(event, context):
    name = event.get("name", "world")
    number = next(invocations)
    logger.info("greeting %s", name)
    return {
        "greeting": f"Hello, {name}!",
        "python": platform.python_version(),
        "cold": number == 1,
        "invocations": number,
        "request_id": context.aws_request_id,
        "milliseconds_left": context.get_remaining_time_in_millis(),
    }
