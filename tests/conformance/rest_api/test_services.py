"""REST APIs in front of services and of web servers, without a function."""

from __future__ import annotations

import pytest
from tests.conformance.rest_api.conftest import REGION, Builder, Front

pytestmark = [pytest.mark.root, pytest.mark.slow]


def test_a_queue_is_sent_to_without_a_function(front: Front) -> None:
    queues = front.service("sqs")
    url = queues.create_queue(QueueName="rest-api-queue")["QueueUrl"]
    built = Builder(front, "rest-api-services")
    built.method(
        "POST /send",
        integration={
            "type": "AWS",
            "uri": f"arn:aws:apigateway:{REGION}:sqs:path/000000000000/rest-api-queue",
            "credentials": "arn:aws:iam::000000000000:role/any",
            "requestParameters": {
                "integration.request.header.Content-Type": "'application/x-www-form-urlencoded'"
            },
            "requestTemplates": {
                "application/json": "Action=SendMessage&MessageBody=$util.urlEncode($input.body)"
            },
        },
    )
    taken = "$input.path('$.SendMessageResponse.SendMessageResult.MessageId')"
    built.responses(
        "POST /send", {"statusCode": "200", "responseTemplates": {"application/json": taken}}
    )
    built.stage()
    sent = front.call(
        built.id,
        "/dev/send",
        method="POST",
        body=b'{"a": "b&c"}',
        headers={"Content-Type": "application/json"},
    )
    assert sent.status == 200, sent.body
    received = queues.receive_message(QueueUrl=url, WaitTimeSeconds=5)["Messages"]
    assert [each["Body"] for each in received] == ['{"a": "b&c"}']
    assert sent.body.decode() == received[0]["MessageId"]


def test_a_table_is_read_without_a_function(front: Front) -> None:
    tables = front.service("dynamodb")
    tables.create_table(
        TableName="rest-api-table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    tables.put_item(TableName="rest-api-table", Item={"id": {"S": "a"}, "n": {"N": "5"}})
    built = Builder(front, "rest-api-table")
    key = '{"TableName": "rest-api-table", "Key": {"id": {"S": "$input.params(\'id\')"}}}'
    built.method(
        "GET /rows/{id}",
        integration={
            "type": "AWS",
            "uri": f"arn:aws:apigateway:{REGION}:dynamodb:action/GetItem",
            "credentials": "arn:aws:iam::000000000000:role/any",
            "requestTemplates": {"application/json": key},
        },
    )
    built.responses(
        "GET /rows/{id}",
        {
            "statusCode": "200",
            "responseTemplates": {"application/json": "$input.path('$.Item.n.N')"},
        },
    )
    built.stage()
    assert front.call(built.id, "/dev/rows/a").body == b"5"


def test_web_servers_answer_in_place_of_functions(front: Front) -> None:
    built = Builder(front, "rest-api-web")
    base = f"{front.url}/_lambdad"
    proxy = {"type": "HTTP_PROXY", "uri": f"{base}/{{page}}"}
    built.method(
        "GET /web/{page}",
        integration={
            **proxy,
            "requestParameters": {"integration.request.path.page": "method.request.path.page"},
        },
        requestParameters={"method.request.path.page": True},
    )
    built.method("GET /gone", integration={**proxy, "uri": "http://127.0.0.1:1/"})
    for route in ("GET /web/{page}", "GET /gone"):
        verb, _, path = route.partition(" ")
        front.api.update_integration(
            restApiId=built.id,
            resourceId=built.resource(path),
            httpMethod=verb,
            patchOperations=[{"op": "replace", "path": "/httpMethod", "value": "GET"}],
        )
    built.stage()
    assert front.call(built.id, "/dev/web/health").document["status"] == "ok"
    assert front.call(built.id, "/dev/web/nothing").status == 404
    gone = front.call(built.id, "/dev/gone")
    assert (gone.status, gone.document) == (
        504,
        {"message": "Network error communicating with endpoint"},
    )
