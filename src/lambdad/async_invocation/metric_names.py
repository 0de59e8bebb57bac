"""The metrics of asynchronous invocation, as CloudWatch names them."""

from __future__ import annotations

RECEIVED = "AsyncEventsReceived"
AGE_MS = "AsyncEventAge"
DROPPED = "AsyncEventsDropped"
DEAD_LETTER_ERRORS = "DeadLetterErrors"
DESTINATION_DELIVERY_FAILURES = "DestinationDeliveryFailures"

ALL = (RECEIVED, AGE_MS, DROPPED, DEAD_LETTER_ERRORS, DESTINATION_DELIVERY_FAILURES)
