"""`lambdad events` and `lambdad sources`, and what they ask of the daemon."""

import json

EVENT = {
    "number": 4,
    "at_ms": 1_764_025_868_123,
    "source": "sqs",
    "arn": "arn:aws:sqs:us-east-1:000000000000:a-queue-with-quite-a-long-name",
    "function": "arn:aws:lambda:us-east-1:000000000000:function:f:live",
    "request_id": "r-1",
    "size": 10_000,
    "result": "throttled",
    "detail": "PROBLEM: Function call\nwas throttled",
    "age_ms": 3_400.0,
    "took_ms": 12.0,
    "mapping": "0123",
}


def test_events_fit_into_eighty_columns(run, endpoint):
    endpoint.will_answer(json.dumps({"events": [EVENT], "next": 4}).encode())
    options = ("--source", "sqs", "--function", "f", "--failed")
    result = run("events", *options, "--endpoint-url", endpoint.url)
    assert result.exit_code == 0, result.output
    head, row, reason = result.stdout.splitlines()
    assert head.split() == ["time", "source", "batch", "function", "result", "age"]
    assert row.split()[1:] == [
        "sqs",
        "a-queue-with-quite-a…",
        "10000",
        "f:live",
        "throttled",
        "3.4s",
    ]
    assert reason.strip() == "PROBLEM: Function call was throttled"
    assert max(map(len, result.stdout.splitlines())) <= 80
    assert endpoint.seen[0].path == ("/_lambdad/events?source=sqs&function=f&failed=1&limit=20")


def test_following_goes_on_where_it_was_until_the_daemon_ends(run, endpoint):
    endpoint.will_answer(json.dumps({"events": [EVENT], "next": 4}).encode())
    endpoint.will_answer(json.dumps({"events": [{**EVENT, "number": 5}], "next": 5}).encode())
    endpoint.will_answer(b'{"message": "no"}', status=500)
    result = run("events", "-f", "--json", "--endpoint-url", endpoint.url)
    assert [json.loads(line)["number"] for line in result.stdout.splitlines()] == [4, 5]
    assert [seen.path for seen in endpoint.seen[1:]] == [
        "/_lambdad/events?after=4&wait=10",
        "/_lambdad/events?after=5&wait=10",
    ]


def test_sources_are_listed_with_their_lag(run, endpoint):
    source = {
        "uuid": "01234567-89ab-4def-8123-456789abcdef",
        "kind": "sqs",
        "arn": EVENT["arn"],
        "function": EVENT["function"],
        "state": "Enabled",
        "waiting": 1_000_000,
        "last": EVENT,
        "result": None,
    }
    idle = {**source, "waiting": None, "last": None}
    endpoint.will_answer(json.dumps({"sources": [source, idle]}).encode())
    result = run("sources", "--endpoint-url", endpoint.url)
    assert result.exit_code == 0, result.output
    rows = [line.split() for line in result.stdout.splitlines() if line.startswith("  0123")]
    assert rows[0][-4:] == ["Enabled", "1000000", "3.4s", "throttled"]
    assert rows[1][-4:] == ["Enabled", "-", "-", "-"]
    assert max(map(len, result.stdout.splitlines())) <= 80
