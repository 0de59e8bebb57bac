"""The metrics of asynchronous invocation, as CloudWatch names them.

`RECURSIVE` counts synchronous invocations too.
"""

from __future__ import annotations

from lambdad.dataplane.lineage import DROPPED_METRIC

RECEIVED = "AsyncEventsReceived"
AGE_MS = "AsyncEventAge"
DROPPED = "AsyncEventsDropped"
DEAD_LETTER_ERRORS = "DeadLetterErrors"
DESTINATION_DELIVERY_FAILURES = "DestinationDeliveryFailures"
RECURSIVE = DROPPED_METRIC

ALL = (RECEIVED, AGE_MS, DROPPED, DEAD_LETTER_ERRORS, DESTINATION_DELIVERY_FAILURES, RECURSIVE)
