import pytest

GROUP = "/aws/lambda/hello"
ARN = f"arn:aws:logs:us-east-1:000000000000:log-group:{GROUP}"


def names(page) -> list[str]:
    return [group["logGroupName"] for group in page["logGroups"]]


def stream_names(page) -> list[str]:
    return [stream["logStreamName"] for stream in page["logStreams"]]


def test_a_group_is_described_as_aws_does(world, client):
    client.create_log_group(logGroupName=GROUP)
    assert client.describe_log_groups()["logGroups"] == [
        {
            "logGroupName": GROUP,
            "creationTime": world.now_ms,
            "metricFilterCount": 0,
            "arn": f"{ARN}:*",
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
            "logGroupArn": ARN,
        }
    ]


def test_a_name_is_taken_once(client, errors):
    client.create_log_group(logGroupName=GROUP)
    with pytest.raises(errors.ResourceAlreadyExistsException) as caught:
        client.create_log_group(logGroupName=GROUP)
    assert caught.value.response["Error"]["Message"] == "The specified log group already exists"
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_accounts_and_regions_are_separate_worlds(world, client):
    client.create_log_group(logGroupName=GROUP)
    assert names(world.client(region="eu-west-1").describe_log_groups()) == []
    assert names(world.client(account="111122223333").describe_log_groups()) == []


def test_a_deleted_group_is_gone(client, errors):
    client.create_log_group(logGroupName=GROUP)
    client.delete_log_group(logGroupName=GROUP)
    assert names(client.describe_log_groups()) == []
    with pytest.raises(errors.ResourceNotFoundException) as caught:
        client.delete_log_group(logGroupName=GROUP)
    message = caught.value.response["Error"]["Message"]
    assert message == "The specified log group does not exist."


def test_groups_are_listed_by_name_in_pages(client):
    for number in range(7):
        client.create_log_group(logGroupName=f"/app/{number}")
    pages = list(
        client.get_paginator("describe_log_groups").paginate(
            logGroupNamePrefix="/app", PaginationConfig={"PageSize": 3}
        )
    )
    assert [names(page) for page in pages] == [
        ["/app/0", "/app/1", "/app/2"],
        ["/app/3", "/app/4", "/app/5"],
        ["/app/6"],
    ]


def test_groups_are_found_by_a_part_of_their_name(client, errors):
    for name in ("/aws/lambda/Orders", "/aws/lambda/users", "orders-api"):
        client.create_log_group(logGroupName=name)
    page = client.describe_log_groups(logGroupNamePattern="ORDERS", limit=1)
    assert names(page) == ["/aws/lambda/Orders"]
    page = client.describe_log_groups(logGroupNamePattern="ORDERS", nextToken=page["nextToken"])
    assert names(page) == ["orders-api"]
    with pytest.raises(errors.InvalidParameterException):
        client.describe_log_groups(logGroupNamePattern="x", logGroupNamePrefix="y")


def test_a_token_that_nobody_gave_is_refused(client, errors):
    with pytest.raises(errors.InvalidParameterException) as caught:
        client.describe_log_groups(nextToken="äöü?")
    assert caught.value.response["Error"]["Message"] == "The specified nextToken is invalid."


def test_retention_is_set_and_cleared(client, errors):
    client.create_log_group(logGroupName=GROUP)
    client.put_retention_policy(logGroupName=GROUP, retentionInDays=14)
    assert client.describe_log_groups()["logGroups"][0]["retentionInDays"] == 14
    client.delete_retention_policy(logGroupName=GROUP)
    assert "retentionInDays" not in client.describe_log_groups()["logGroups"][0]
    with pytest.raises(errors.InvalidParameterException):
        client.put_retention_policy(logGroupName=GROUP, retentionInDays=2)
    with pytest.raises(errors.ResourceNotFoundException):
        client.put_retention_policy(logGroupName="absent", retentionInDays=1)


def test_a_malformed_name_is_an_invalid_parameter(client, errors):
    with pytest.raises(errors.InvalidParameterException) as caught:
        client.create_log_group(logGroupName="no spaces")
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("1 validation error detected: Value 'no spaces' at 'logGroupName'")


def test_a_stream_is_described_as_aws_does(world, client):
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="2025/11/24/[$LATEST]ab")
    made_ms = world.now_ms
    world.clock.advance(60)
    client.put_log_events(
        logGroupName=GROUP,
        logStreamName="2025/11/24/[$LATEST]ab",
        logEvents=[
            {"timestamp": world.now_ms - 2_000, "message": "one"},
            {"timestamp": world.now_ms - 1_000, "message": "two"},
        ],
    )
    (stream,) = client.describe_log_streams(logGroupName=GROUP)["logStreams"]
    assert stream.pop("uploadSequenceToken").isdigit()
    assert stream == {
        "logStreamName": "2025/11/24/[$LATEST]ab",
        "creationTime": made_ms,
        "firstEventTimestamp": world.now_ms - 2_000,
        "lastEventTimestamp": world.now_ms - 1_000,
        "lastIngestionTime": world.now_ms,
        "arn": f"{ARN}:log-stream:2025/11/24/[$LATEST]ab",
        "storedBytes": 0,
    }
    assert client.describe_log_groups()["logGroups"][0]["storedBytes"] == 2 * (3 + 26)


def test_streams_come_by_name_or_by_their_last_event_in_either_order(world, client, errors):
    client.create_log_group(logGroupName=GROUP)
    for name, age_ms in (("a", 10), ("b", 30), ("c", 20)):
        client.create_log_stream(logGroupName=GROUP, logStreamName=name)
        event = {"timestamp": world.now_ms - age_ms, "message": name}
        client.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=[event])

    def listed(**order) -> list[str]:
        pages = client.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, PaginationConfig={"PageSize": 2}, **order
        )
        return [name for page in pages for name in stream_names(page)]

    assert listed() == ["a", "b", "c"]
    assert listed(descending=True) == ["c", "b", "a"]
    assert listed(orderBy="LastEventTime") == ["b", "c", "a"]
    assert listed(orderBy="LastEventTime", descending=True) == ["a", "c", "b"]
    assert listed(logStreamNamePrefix="b") == ["b"]
    with pytest.raises(errors.InvalidParameterException) as caught:
        listed(orderBy="LastEventTime", logStreamNamePrefix="a")
    assert caught.value.response["Error"]["Message"] == (
        "Cannot order by LastEventTime with a logStreamNamePrefix."
    )


def test_a_group_can_be_named_by_its_arn(client, errors):
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="a")
    for identifier in (GROUP, ARN):
        page = client.describe_log_streams(logGroupIdentifier=identifier)
        assert stream_names(page) == ["a"]
    with pytest.raises(errors.InvalidParameterException):
        client.describe_log_streams(logGroupIdentifier=ARN, logGroupName=GROUP)
    with pytest.raises(errors.ResourceNotFoundException):
        client.describe_log_streams(logGroupIdentifier=ARN.replace("us-east-1", "eu-west-1"))


def test_streams_belong_to_a_group_that_exists(client, errors):
    with pytest.raises(errors.ResourceNotFoundException):
        client.create_log_stream(logGroupName=GROUP, logStreamName="a")
    with pytest.raises(errors.ResourceNotFoundException):
        client.describe_log_streams(logGroupName=GROUP)
    client.create_log_group(logGroupName=GROUP)
    client.create_log_stream(logGroupName=GROUP, logStreamName="a")
    with pytest.raises(errors.ResourceAlreadyExistsException) as caught:
        client.create_log_stream(logGroupName=GROUP, logStreamName="a")
    assert caught.value.response["Error"]["Message"] == "The specified log stream already exists"


def test_a_deleted_stream_takes_its_events_along(world, client, errors):
    client.create_log_group(logGroupName=GROUP)
    for name in ("gone", "kept"):
        client.create_log_stream(logGroupName=GROUP, logStreamName=name)
        event = {"timestamp": world.now_ms, "message": name}
        client.put_log_events(logGroupName=GROUP, logStreamName=name, logEvents=[event])
    client.delete_log_stream(logGroupName=GROUP, logStreamName="gone")
    events = client.filter_log_events(logGroupName=GROUP)["events"]
    assert [event["message"] for event in events] == ["kept"]
    assert client.describe_log_groups()["logGroups"][0]["storedBytes"] == 4 + 26
    with pytest.raises(errors.ResourceNotFoundException):
        client.delete_log_stream(logGroupName=GROUP, logStreamName="gone")


def test_tags_are_kept_with_the_group(client, errors):
    client.create_log_group(logGroupName=GROUP, tags={"team": "a"})
    client.tag_resource(resourceArn=ARN, tags={"stage": "prod", "note": "zażółć"})
    client.untag_resource(resourceArn=ARN, tagKeys=["team", "absent"])
    wanted = {"stage": "prod", "note": "zażółć"}
    assert client.list_tags_for_resource(resourceArn=ARN)["tags"] == wanted
    assert client.list_tags_log_group(logGroupName=GROUP)["tags"] == wanted
    with pytest.raises(errors.TooManyTagsException):
        client.tag_resource(resourceArn=ARN, tags={str(number): "" for number in range(49)})
    with pytest.raises(errors.InvalidParameterException):
        client.list_tags_for_resource(resourceArn="arn:aws:s3:::bucket")
    with pytest.raises(errors.ResourceNotFoundException):
        client.list_tags_for_resource(resourceArn=ARN + "-absent")


def test_nothing_is_subscribed(client, errors):
    client.create_log_group(logGroupName=GROUP)
    assert client.describe_subscription_filters(logGroupName=GROUP)["subscriptionFilters"] == []
    with pytest.raises(errors.ResourceNotFoundException):
        client.describe_subscription_filters(logGroupName="absent")
