"""The metrics of event source mappings, as CloudWatch names them.

Those of the group `EventCount` are counted by the mapping's ARN where its `MetricsConfig` asks for
them; ages by the function's.
"""

from __future__ import annotations

POLLED = "PolledEventCount"
FILTERED_OUT = "FilteredOutEventCount"
INVOKED = "InvokedEventCount"
FAILED_INVOKE = "FailedInvokeEventCount"
DROPPED = "DroppedEventCount"
DELIVERED = "OnFailureDestinationDeliveredEventCount"
DELETED = "DeletedEventCount"

# Milliseconds from when the last record of a batch was written until it was read.
ITERATOR_AGE_MS = "IteratorAge"
# Milliseconds from when the oldest message of a batch was sent until it was taken.
QUEUE_AGE_MS = "ApproximateAgeOfOldestMessage"
