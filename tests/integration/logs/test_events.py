import pytest

from lambdad.domain.logs import LogEvent, LogGroupKey, segments_of

GROUP = "/aws/lambda/hello"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@pytest.fixture(autouse=True)
def streams(client) -> None:
    client.create_log_group(logGroupName=GROUP)
    for name in ("a", "b"):
        client.create_log_stream(logGroupName=GROUP, logStreamName=name)


@pytest.fixture
def put(world, client):
    def put(stream: str, *messages: str, age_ms: int = 0, step_ms: int = 0):
        first = world.now_ms - age_ms
        return client.put_log_events(
            logGroupName=GROUP,
            logStreamName=stream,
            logEvents=[
                {"timestamp": first + number * step_ms, "message": message}
                for number, message in enumerate(messages)
            ],
        )

    return put


def messages(page) -> list[str]:
    return [event["message"] for event in page["events"]]


class TestPutLogEvents:
    def test_the_stream_must_exist(self, client, errors):
        event = {"timestamp": 1, "message": "x"}
        for group, text in (
            (GROUP, "The specified log stream does not exist."),
            ("absent", "The specified log group does not exist."),
        ):
            with pytest.raises(errors.ResourceNotFoundException) as caught:
                client.put_log_events(logGroupName=group, logStreamName="c", logEvents=[event])
            assert caught.value.response["Error"]["Message"] == text

    def test_events_out_of_time_are_rejected_and_the_others_kept(self, world, client, put):
        now = world.now_ms
        answer = client.put_log_events(
            logGroupName=GROUP,
            logStreamName="a",
            logEvents=[
                {"timestamp": now, "message": "now"},
                {"timestamp": now + 2 * HOUR_MS, "message": "soon"},
                {"timestamp": now + 2 * HOUR_MS + 1, "message": "too new"},
            ],
        )
        assert answer["rejectedLogEventsInfo"] == {"tooNewLogEventStartIndex": 2}
        answer = put("a", "old", "not old", age_ms=14 * DAY_MS + 1, step_ms=1)
        assert answer["rejectedLogEventsInfo"] == {"tooOldLogEventEndIndex": 1}
        page = client.get_log_events(logGroupName=GROUP, logStreamName="a", startFromHead=True)
        assert messages(page) == ["not old", "now", "soon"]

    def test_events_beyond_the_retention_are_rejected(self, client, put):
        client.put_retention_policy(logGroupName=GROUP, retentionInDays=1)
        answer = put("a", "expired", "kept", age_ms=DAY_MS + 1, step_ms=1)
        assert answer["rejectedLogEventsInfo"] == {"expiredLogEventEndIndex": 1}
        assert messages(client.filter_log_events(logGroupName=GROUP)) == ["kept"]

    @pytest.mark.parametrize(
        ("batch", "complaint"),
        [
            ({"texts": ["b", "a"], "step_ms": -1}, "must be in chronological order"),
            ({"texts": ["a", "b"], "step_ms": DAY_MS + 1}, "cannot span more than 24 hours"),
            ({"texts": ["x" * 600_000] * 2, "step_ms": 0}, "exceeds limit of 1048576"),
        ],
    )
    def test_a_batch_beyond_the_limits_is_refused_whole(
        self, client, errors, put, batch, complaint
    ):
        with pytest.raises(errors.InvalidParameterException, match=complaint):
            put("a", *batch["texts"], age_ms=2 * DAY_MS, step_ms=batch["step_ms"])
        assert messages(client.filter_log_events(logGroupName=GROUP)) == []

    def test_any_text_is_given_back(self, client, put):
        text = 'tab\tquote" zażółć 🐢 \x00 end\n'
        put("a", text)
        assert messages(client.filter_log_events(logGroupName=GROUP)) == [text]


class TestGetLogEvents:
    def read(self, client, **params):
        return client.get_log_events(logGroupName=GROUP, logStreamName="a", **params)

    def test_the_newest_events_come_first_but_in_their_order(self, client, put):
        put("a", *"12345")
        page = self.read(client, limit=2)
        assert messages(page) == ["4", "5"]
        page = self.read(client, limit=2, nextToken=page["nextBackwardToken"])
        assert messages(page) == ["2", "3"]
        page = self.read(client, limit=2, nextToken=page["nextBackwardToken"])
        assert messages(page) == ["1"]

    def test_at_the_end_the_same_token_comes_again(self, client, put):
        put("a", *"123")
        page = self.read(client, startFromHead=True, limit=2)
        assert page["nextForwardToken"].startswith("f/")
        assert page["nextBackwardToken"].startswith("b/")
        page = self.read(client, nextToken=page["nextForwardToken"], limit=2)
        assert messages(page) == ["3"]
        token = page["nextForwardToken"]
        page = self.read(client, nextToken=token)
        assert (messages(page), page["nextForwardToken"]) == ([], token)
        put("a", "4")
        assert messages(self.read(client, nextToken=token)) == ["4"]

    def test_a_reader_at_the_end_can_turn_round(self, client, put):
        put("a", *"123")
        page = self.read(client, startFromHead=True)
        page = self.read(client, nextToken=page["nextForwardToken"])
        assert messages(self.read(client, nextToken=page["nextBackwardToken"])) == ["1", "2", "3"]
        page = self.read(client)
        page = self.read(client, nextToken=page["nextBackwardToken"])
        assert messages(page) == []
        assert messages(self.read(client, nextToken=page["nextForwardToken"])) == ["1", "2", "3"]

    def test_an_empty_stream_gives_tokens_that_find_what_comes(self, client, put):
        page = self.read(client, startFromHead=True)
        put("a", "first")
        assert messages(self.read(client, nextToken=page["nextForwardToken"])) == ["first"]

    def test_the_end_of_the_range_is_excluded(self, world, client, put):
        put("a", "1", "2", "3", age_ms=100, step_ms=10)
        start = world.now_ms - 100
        page = self.read(client, startTime=start + 10, endTime=start + 20)
        assert messages(page) == ["2"]

    def test_other_streams_are_not_read(self, client, put):
        put("b", "elsewhere")
        put("a", "here")
        page = self.read(client)
        assert messages(page) == ["here"]

    @pytest.mark.parametrize("token", ["f/1", "x", "f/" + "9" * 56 + "/s"])
    def test_a_foreign_token_is_refused(self, client, errors, token):
        with pytest.raises(errors.InvalidParameterException):
            self.read(client, nextToken=token)

    def test_a_page_holds_at_most_a_mebibyte(self, client, put):
        for number in range(3):
            put("a", str(number) * 500_000)
        page = self.read(client, startFromHead=True)
        assert len(page["events"]) == 2
        page = self.read(client, nextToken=page["nextForwardToken"])
        assert messages(page) == ["2" * 500_000]


class TestFilterLogEvents:
    def test_streams_are_interleaved_by_time(self, world, client, put):
        put("b", "1", "3", age_ms=100, step_ms=20)
        put("a", "2", "4", age_ms=90, step_ms=20)
        page = client.filter_log_events(logGroupName=GROUP)
        assert messages(page) == ["1", "2", "3", "4"]
        assert page["searchedLogStreams"] == []
        event = page["events"][0]
        assert event["logStreamName"] == "b"
        assert event["timestamp"] == world.now_ms - 100
        assert event["ingestionTime"] == world.now_ms
        assert len(event["eventId"]) == 56

    def test_streams_are_chosen_by_name_or_prefix(self, client, errors, put):
        put("a", "in a")
        put("b", "in b")
        page = client.filter_log_events(logGroupName=GROUP, logStreamNames=["b"])
        assert messages(page) == ["in b"]
        page = client.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="a")
        assert messages(page) == ["in a"]
        page = client.filter_log_events(logGroupName=GROUP, logStreamNamePrefix="nothing")
        assert messages(page) == []
        with pytest.raises(errors.InvalidParameterException):
            client.filter_log_events(
                logGroupName=GROUP, logStreamNames=["a"], logStreamNamePrefix="a"
            )
        with pytest.raises(errors.ResourceNotFoundException):
            client.filter_log_events(logGroupName=GROUP, logStreamNames=["absent"])

    def test_the_end_of_the_range_is_included(self, world, client, put):
        put("a", "1", "2", "3", age_ms=100, step_ms=10)
        start = world.now_ms - 100
        page = client.filter_log_events(
            logGroupName=GROUP, startTime=start + 10, endTime=start + 20
        )
        assert messages(page) == ["2", "3"]

    def test_pages_continue_where_the_last_one_ended(self, client, put):
        put("a", *map(str, range(450)))
        pages = list(
            client.get_paginator("filter_log_events").paginate(
                logGroupName=GROUP, PaginationConfig={"PageSize": 200}
            )
        )
        assert [message for page in pages for message in messages(page)] == [
            str(number) for number in range(450)
        ]

    def test_a_page_holds_at_most_a_mebibyte(self, client, put):
        for number in range(3):
            put("a", str(number) * 500_000)
        pages = client.get_paginator("filter_log_events").paginate(logGroupName=GROUP)
        assert [len(page["events"]) for page in pages] == [2, 1]

    def test_a_search_that_finds_nothing_ends_in_time_and_can_go_on(self, world, client):
        key = LogGroupKey(account_id="000000000000", region="us-east-1", name=GROUP)
        events = [
            LogEvent(stream="a", timestamp_ms=world.now_ms, message="x" * 100_000)
            for _ in range(200)
        ]
        needle = LogEvent(stream="a", timestamp_ms=world.now_ms, message="needle")
        world.run(world.store.append([(key, segments_of([*events, needle]))]))
        pages = list(
            client.get_paginator("filter_log_events").paginate(
                logGroupName=GROUP, filterPattern="needle"
            )
        )
        assert len(pages) > 1
        assert [message for page in pages for message in messages(page)] == ["needle"]

    def test_patterns_choose_events(self, client, errors, put):
        put("a", "ERROR one\n", '{"level": "ERROR", "n": 7}', "fine")
        for pattern, count in (("ERROR", 2), ('{ $.level = "ERR*" && $.n > 5 }', 1), ("-ERROR", 1)):
            page = client.filter_log_events(logGroupName=GROUP, filterPattern=pattern)
            assert len(page["events"]) == count
        with pytest.raises(errors.InvalidParameterException):
            client.filter_log_events(logGroupName=GROUP, filterPattern="{ $.level = }")

    def test_following_sees_each_event_once(self, world, client, put):
        # As `aws logs tail --follow` does: on from the newest time, without what it has shown.
        seen: dict[str, str] = {}
        start = world.now_ms
        for number in range(4):
            put("a", f"{number} in a")
            put("b", f"{number} in b")
            pages = client.get_paginator("filter_log_events").paginate(
                logGroupName=GROUP, startTime=start, interleaved=True
            )
            for page in pages:
                for event in page["events"]:
                    start = max(start, event["timestamp"])
                    seen.setdefault(event["eventId"], event["message"])
            world.clock.advance(number % 2)
        assert sorted(seen.values()) == sorted(f"{n} in {s}" for n in range(4) for s in "ab")
