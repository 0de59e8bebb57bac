"""Orders of a small shop, from the first request to the daily report."""

import base64
import json
import os
import uuid
from datetime import datetime, timezone

import boto3

# Once per execution environment, not per event. Inside lambdad the endpoint is set already.
TABLE = boto3.resource("dynamodb").Table(os.environ["TABLE"])
SQS = boto3.client("sqs")
S3 = boto3.client("s3")


def accept(event, context):
    """POST /orders: keep the order, and let it be packed."""
    order = json.loads(_body(event) or "{}")
    if not isinstance(order.get("item"), str):
        return _answer(400, {"error": "An order has an item."})
    order_id = uuid.uuid4().hex
    TABLE.put_item(Item={"id": order_id, "item": order["item"], "state": "accepted"})
    SQS.send_message(QueueUrl=os.environ["QUEUE_URL"], MessageBody=order_id)
    return _answer(202, {"id": order_id})


def show(event, context):
    """GET /orders/{id}."""
    found = TABLE.get_item(Key={"id": event["pathParameters"]["id"]}).get("Item")
    return _answer(200, found) if found else _answer(404, {"error": "There is no such order."})


def pack(event, context):
    """From the queue, in batches: what fails comes again, alone."""
    failures = []
    for message in event["Records"]:
        try:
            TABLE.update_item(
                Key={"id": message["body"]},
                UpdateExpression="SET #state = :packed",
                ConditionExpression="attribute_exists(id)",
                ExpressionAttributeNames={"#state": "state"},
                ExpressionAttributeValues={":packed": "packed"},
            )
        except TABLE.meta.client.exceptions.ConditionalCheckFailedException:
            print("no such order:", message["body"])
            failures.append({"itemIdentifier": message["messageId"]})
    return {"batchItemFailures": failures}


def report(event, context):
    """Each day: all orders, as an object."""
    orders = TABLE.scan()["Items"]
    key = f"{datetime.now(timezone.utc):%Y-%m-%d}.json"
    S3.put_object(Bucket=os.environ["BUCKET"], Key=key, Body=json.dumps(orders))
    return {"key": key, "orders": len(orders)}


def noted(event, context):
    """A report has come."""
    for record in event["Records"]:
        print("new report:", record["s3"]["object"]["key"])


def _body(event):
    """API Gateway encodes what is not called text or JSON, forms for example."""
    body = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body


def _answer(status, document):
    return {
        "statusCode": status,
        "headers": {"content-type": "application/json"},
        "body": json.dumps(document),
    }
