"""`lambdad queue` and what it asks of the daemon."""

import json

EVENT = {
    "id": 7,
    "state": "set-aside",
    "kind": "delivery",
    "function": "arn:aws:lambda:us-east-1:000000000000:function:f:live",
    "request_id": "r-1",
    "target": "arn:aws:sqs:us-east-1:000000000000:q",
    "accepted_ms": 1_764_025_868_123,
    "visible_ms": None,
    "tries": 3,
    "size": 12,
    "message": "nobody\nthere",
}
PAGE = {
    "counts": {"waiting": 1, "running": 2, "set_aside": 3, "oldest_ms": None},
    "metrics": {},
    "events": [EVENT],
    "next": 7,
}


def test_the_queue_is_listed_with_its_counts(run, endpoint):
    endpoint.will_answer(json.dumps(PAGE).encode())
    result = run(
        "queue", "list", "--function", "f", "--state", "set-aside", "--endpoint-url", endpoint.url
    )
    assert result.exit_code == 0, result.output
    assert "1 waiting, 2 running, 3 set aside" in result.stdout
    (row,) = (line for line in result.stdout.splitlines() if line.strip().startswith("7 "))
    assert "f:live > arn:aws:sqs:us-east-1:000000000000:q" in row
    assert row.endswith("nobody there")
    assert "--after 7" in result.stdout
    assert endpoint.seen[0].path == ("/_lambdad/queue?function=f&state=set-aside&after=0&limit=100")


def test_json_is_the_daemons_document(run, endpoint):
    endpoint.will_answer(json.dumps(PAGE).encode())
    result = run("queue", "list", "--json", "--endpoint-url", endpoint.url)
    assert json.loads(result.stdout) == PAGE


def test_one_event_is_shown(run, endpoint):
    endpoint.will_answer(json.dumps({**EVENT, "payload": '{"n":1}'}).encode())
    result = run("queue", "show", "7", "--endpoint-url", endpoint.url)
    assert result.exit_code == 0, result.output
    assert endpoint.seen[0].path == "/_lambdad/queue/7"
    assert '{"n":1}' in result.stdout
    assert "2025-11-24T23:11:08Z" in result.stdout


def test_events_are_retried_one_by_one(run, endpoint):
    endpoint.will_answer(b'{"id": 7}')
    endpoint.will_answer(b'{"message": "There is no event 8."}', status=404)
    result = run("queue", "retry", "7", "8", "--endpoint-url", endpoint.url)
    assert [(seen.method, seen.path) for seen in endpoint.seen] == [
        ("POST", "/_lambdad/queue/7/retry"),
        ("POST", "/_lambdad/queue/8/retry"),
    ]
    assert endpoint.seen[0].headers["Content-Type"] == "application/json"
    assert result.exit_code == 2
    assert "Event 7 is due now." in result.stdout
    assert "There is no event 8." in result.stderr


def test_a_purge_asks_first_and_needs_a_choice(run, endpoint):
    nothing = run("queue", "purge", "--endpoint-url", endpoint.url)
    assert (nothing.exit_code, "Nothing was chosen" in nothing.stderr) == (2, True)
    refused = run("queue", "purge", "--all", "--endpoint-url", endpoint.url, stdin=b"n\n")
    assert refused.exit_code == 1
    assert endpoint.seen == []
    endpoint.will_answer(b'{"purged": 3}')
    done = run("queue", "purge", "--state", "set-aside", "--yes", "--endpoint-url", endpoint.url)
    assert "3 events were removed." in done.stdout
    assert endpoint.seen[0].path == "/_lambdad/queue/purge?state=set-aside"


def test_nobody_there_says_how_to_start_one(run, closed_endpoint):
    result = run("queue", "list", "--endpoint-url", closed_endpoint)
    assert result.exit_code == 2
    assert "lambdad serve" in result.stderr
