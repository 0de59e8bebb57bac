"""The metrics of event source mappings, as CloudWatch names them.

Those of the groups `EventCount`, `ErrorCount` and `KafkaMetrics` are counted by the mapping's ARN
where its `MetricsConfig` asks for them; ages and lags by the function's.
"""

from __future__ import annotations

POLLED = "PolledEventCount"
FILTERED_OUT = "FilteredOutEventCount"
INVOKED = "InvokedEventCount"
FAILED_INVOKE = "FailedInvokeEventCount"
DROPPED = "DroppedEventCount"
DELIVERED = "OnFailureDestinationDeliveredEventCount"
DELETED = "DeletedEventCount"
COMMITTED = "CommittedEventCount"

# Of the group `ErrorCount`.
POLLING_ERROR = "PollingErrorCount"
COMMIT_ERROR = "CommitErrorCount"
DELIVERY_ERROR = "OnFailureDestinationDeliveryErrorCount"

# Of the group `KafkaMetrics`: of all partitions of a mapping.
MAX_OFFSET_LAG = "MaxOffsetLag"
SUM_OFFSET_LAG = "SumOffsetLag"
# Records between the last that was written to a partition and the last that is done.
OFFSET_LAG = "OffsetLag"

# Milliseconds from when the last record of a batch was written until it was read.
ITERATOR_AGE_MS = "IteratorAge"
# Milliseconds from when the oldest message of a batch was sent until it was taken.
QUEUE_AGE_MS = "ApproximateAgeOfOldestMessage"
