"""Says which trigger it was called by."""

import json
import os


def source_of(event):
    if "requestContext" in event:
        return "http"
    if "awslogs" in event:
        return "logs"
    if "Records" in event:
        first = event["Records"][0]
        source = first.get("eventSource") or first["EventSource"]
        return source.removeprefix("aws:")
    if event.get("source") == "aws.events":
        return "schedule"
    return event.get("source", "invoke")


def handler(event, context):
    source = source_of(event)
    print(os.environ.get("GREETING"), "from", source)  # noqa: T201 - the log
    answer = {"greeting": os.environ.get("GREETING"), "from": source, "version": 1}
    if source != "http":
        return answer
    return {
        "statusCode": 200,
        "body": json.dumps({**answer, **(event.get("pathParameters") or {})}),
    }
