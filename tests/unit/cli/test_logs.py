"""`lambdad logs` shows each line once, in pages, and goes on when asked to follow."""

import json

import pytest

from lambdad.cli.client import Connection
from lambdad.cli.commands.logs import LogReader

MISSING = b'{"__type":"ResourceNotFoundException","message":"The group does not exist."}'


def page(*events, following=None):
    """A FilterLogEvents answer; an event is (id, milliseconds, message)."""
    document = {
        "events": [
            {
                "eventId": str(number),
                "timestamp": at,
                "message": message,
                "logStreamName": "s",
                "ingestionTime": at,
            }
            for number, at, message in events
        ],
        "searchedLogStreams": [],
    }
    if following:
        document["nextToken"] = following
    return json.dumps(document).encode()


@pytest.fixture
def reader(endpoint):
    connection = Connection(
        endpoint_url=endpoint.url, region="us-east-1", access_key_id="k", secret_access_key="k"
    )
    return LogReader(connection.client("logs"), "/aws/lambda/hello", 0, "")


def bodies(endpoint):
    return [json.loads(request.body) for request in endpoint.seen]


def test_all_pages_are_printed_with_their_time(run, endpoint):
    endpoint.will_answer(page((1, 1_764_000_000_123, "first\n"), following="more"))
    endpoint.will_answer(page((2, 1_764_000_001_000, "second\n")))

    result = run("logs", "hello", "--since", "2025-01-01", "--endpoint-url", endpoint.url)

    assert result.exit_code == 0
    assert result.stdout == ("2025-11-24T16:00:00.123Z first\n2025-11-24T16:00:01.000Z second\n")
    first, second = bodies(endpoint)
    assert first["logGroupName"] == "/aws/lambda/hello"
    assert first["startTime"] == 1_735_689_600_000
    assert second["nextToken"] == "more"


def test_a_name_with_a_slash_is_a_log_group_and_the_filter_is_sent(run, endpoint):
    endpoint.will_answer(page())
    run("logs", "/my/group", "--filter", "ERROR", "--endpoint-url", endpoint.url)
    (request,) = bodies(endpoint)
    assert (request["logGroupName"], request["filterPattern"]) == ("/my/group", "ERROR")


def test_json_is_one_object_per_line(run, endpoint):
    endpoint.will_answer(page((1, 1, "a\n"), (2, 2, "b\n")))
    result = run("logs", "hello", "--json", "--endpoint-url", endpoint.url)
    assert [json.loads(line)["message"] for line in result.stdout.splitlines()] == ["a\n", "b\n"]


def test_a_function_that_never_ran_gives_a_remedy(run, endpoint):
    endpoint.will_answer(MISSING, status=400)
    result = run("logs", "hello", "--endpoint-url", endpoint.url)
    assert result.exit_code == 2
    assert "There is no log group /aws/lambda/hello." in result.stderr
    assert "first invocation" in result.stderr


@pytest.mark.parametrize("since", ["yesterday", "10", "m", "-5m", "999999999w"])
def test_a_bad_since_is_wrong_usage(run, since):
    result = run("logs", "hello", f"--since={since}")
    assert result.exit_code == 2
    assert "--since" in result.stderr


def test_following_shows_what_is_new_once_and_late_lines_too(endpoint, reader):
    endpoint.will_answer(page((1, 100_000, "a"), (2, 110_000, "b")))
    endpoint.will_answer(page((2, 110_000, "b"), (4, 108_000, "late"), (3, 120_000, "c")))
    endpoint.will_answer(page((3, 120_000, "c")))

    assert [event["message"] for event in reader.read()] == ["a", "b"]
    assert [event["message"] for event in reader.read()] == ["late", "c"]
    assert list(reader.read()) == []
    assert [body["startTime"] for body in bodies(endpoint)] == [0, 105_000, 115_000]


def test_following_waits_for_a_group_that_does_not_exist_yet(endpoint, reader):
    endpoint.will_answer(MISSING, status=400)
    endpoint.will_answer(page((1, 1, "here")))
    pauses = []

    assert next(reader.follow(pauses.append))["message"] == "here"
    assert len(pauses) == 1


def test_ctrl_c_ends_following_quietly(run, endpoint, monkeypatch):
    """Python raises KeyboardInterrupt wherever the command waits."""

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("lambdad.cli.commands.logs.time.sleep", interrupt)
    endpoint.will_answer(page((1, 1, "a\n")))
    result = run("logs", "hello", "--follow", "--endpoint-url", endpoint.url)
    assert result.exit_code == 0
    assert result.stdout.endswith("a\n")
    assert result.stderr == ""
