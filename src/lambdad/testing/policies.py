"""Policies of queues and topics for tests that are about something else."""

from __future__ import annotations

import json

_STATEMENT = {
    "Effect": "Allow",
    "Principal": "*",
    "Action": ["sqs:SendMessage", "sns:Publish"],
    "Resource": "*",
}

# Services need a queue's or topic's permission as other accounts do.
EVERYBODY = json.dumps({"Version": "2012-10-17", "Statement": [_STATEMENT]})
OPEN = {"Policy": EVERYBODY}
