"""`lambdad invoke` prints what the function returned and says by its exit code how it went."""

import base64
import json

import pytest


@pytest.mark.parametrize("how", ["option", "file", "stdin"])
def test_the_event_comes_from_an_option_a_file_or_stdin(run, endpoint, tmp_path, how):
    endpoint.will_answer(b'"done"')
    event = '{"n": 1, "\N{BLACK HEART SUIT}": "\N{LATIN SMALL LETTER E WITH ACUTE}"}'
    file = tmp_path / "event.json"
    file.write_text(event, encoding="utf-8")
    arguments = {
        "option": ["--payload", event],
        "file": ["--payload-file", str(file)],
        "stdin": [],
    }[how]
    stdin = event.encode() if how == "stdin" else b""

    result = run("invoke", "hello", *arguments, "--endpoint-url", endpoint.url, stdin=stdin)

    assert (result.exit_code, result.stdout) == (0, '"done"\n')
    (request,) = endpoint.seen
    assert request.path == "/2015-03-31/functions/hello/invocations"
    assert json.loads(request.body) == json.loads(event)


def test_without_any_event_the_function_gets_an_empty_object(run, endpoint):
    endpoint.will_answer(b"null")
    run("invoke", "hello", "--endpoint-url", endpoint.url)
    assert endpoint.seen[0].body == b"{}"


def test_a_function_error_is_printed_and_exits_with_1(run, endpoint):
    payload = b'{"errorMessage": "no", "errorType": "ValueError"}'
    endpoint.will_answer(payload, headers={"X-Amz-Function-Error": "Unhandled"})
    result = run("invoke", "hello", "--endpoint-url", endpoint.url)
    assert (result.exit_code, result.stdout) == (1, payload.decode() + "\n")


def test_the_log_tail_goes_to_stderr_and_leaves_stdout_alone(run, endpoint):
    tail = base64.b64encode(b"START RequestId: 1\nEND RequestId: 1\n").decode()
    endpoint.will_answer(b"1", headers={"X-Amz-Log-Result": tail})
    result = run("invoke", "hello", "--log", "tail", "--endpoint-url", endpoint.url)
    assert result.stdout == "1\n"
    assert result.stderr == "START RequestId: 1\nEND RequestId: 1\n"
    assert endpoint.seen[0].headers["X-Amz-Log-Type"] == "Tail"


def test_the_qualifier_is_sent(run, endpoint):
    endpoint.will_answer(b"1")
    run("invoke", "hello", "--qualifier", "live", "--endpoint-url", endpoint.url)
    assert endpoint.seen[0].path.endswith("/invocations?Qualifier=live")


def test_an_aws_error_is_one_line_with_its_message_and_exits_with_2(run, endpoint):
    endpoint.will_answer(
        b'{"Type":"User","Message":"Function not found: arn:hello"}',
        status=404,
        headers={"X-Amzn-ErrorType": "ResourceNotFoundException"},
    )
    result = run("invoke", "hello", "--endpoint-url", endpoint.url)
    assert result.exit_code == 2
    assert result.stderr == ("lambdad: ResourceNotFoundException: Function not found: arn:hello\n")
    assert result.stdout == ""


def test_a_throttled_invocation_is_not_repeated_behind_the_users_back(run, endpoint):
    endpoint.will_answer(
        b'{"message":"Rate Exceeded."}',
        status=429,
        headers={"X-Amzn-ErrorType": "TooManyRequestsException"},
    )
    result = run("invoke", "hello", "--endpoint-url", endpoint.url)
    assert result.exit_code == 2
    assert len(endpoint.seen) == 1


def test_a_daemon_that_is_not_running_gives_a_remedy(run, closed_endpoint):
    result = run("invoke", "hello", "--endpoint-url", closed_endpoint)
    assert result.exit_code == 2
    assert f"Nothing answers at {closed_endpoint}." in result.stderr
    assert "lambdad serve" in result.stderr


def test_two_sources_of_the_event_are_refused(run, tmp_path):
    file = tmp_path / "event.json"
    file.write_text("{}")
    result = run("invoke", "hello", "--payload", "{}", "--payload-file", str(file))
    assert result.exit_code == 2
    assert "not both" in result.stderr


def test_a_malformed_name_is_an_error_in_one_line(run, endpoint):
    result = run("invoke", "", "--endpoint-url", endpoint.url)
    assert result.exit_code == 2
    assert result.stderr.count("\n") == 1
    assert endpoint.seen == []


def test_endpoint_region_and_account_come_from_the_usual_variables(run, endpoint):
    endpoint.will_answer(b"1")
    run(
        "invoke",
        "hello",
        env={
            "AWS_ENDPOINT_URL": endpoint.url,
            "AWS_DEFAULT_REGION": "eu-west-3",
            "AWS_ACCESS_KEY_ID": "111122223333",
            "AWS_PROFILE": "a-profile-that-does-not-exist",
        },
    )
    authorization = endpoint.seen[0].headers["Authorization"]
    assert "Credential=111122223333/" in authorization
    assert "/eu-west-3/lambda/" in authorization
