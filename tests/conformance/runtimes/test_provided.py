"""Functions that bring their runtime: a shell script, a static binary, nothing."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.deploy import Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

# The Runtime API by bash alone: the handler's name says what to do with the event.
SHELL = r"""#!/bin/bash
api_host=${AWS_LAMBDA_RUNTIME_API%:*} api_port=${AWS_LAMBDA_RUNTIME_API#*:}
LC_ALL=C

call() { # method, path, headers, body
    exec 3<>"/dev/tcp/$api_host/$api_port"
    printf '%s /2018-06-01/runtime/%s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n%s' \
        "$1" "$2" "$3" "${#4}" "$4" >&3
    request= length=0
    read -r _ status _ <&3
    while IFS= read -r line <&3; do
        line=${line%$'\r'}
        [ -z "$line" ] && break
        name=${line%%:*} value=${line#*: }
        case ${name,,} in
        lambda-runtime-aws-request-id) request=$value ;;
        content-length) length=$value ;;
        esac
    done
    IFS= read -r -N "$length" body <&3
    exec 3>&-
}

echo "started as $_HANDLER in $PWD"
[ "$_HANDLER" = no.init ] && {
    call POST init/error $'Lambda-Runtime-Function-Error-Type: Runtime.NoLuck\r\n' \
        '{"errorType":"Runtime.NoLuck","errorMessage":"not today"}'
    exit 1
}
while :; do
    call GET invocation/next '' ''
    case $body in
    '"env"')
        names=$(compgen -e | sort | tr '\n' ' ')
        call POST "invocation/$request/response" '' "\"$names$PATH $LD_LIBRARY_PATH\""
        ;;
    '"fail"')
        header=$'Lambda-Runtime-Function-Error-Type: Function.Bad\r\n'
        call POST "invocation/$request/error" "$header" \
            '{"errorType":"Function.Bad","errorMessage":"sorry"}'
        ;;
    '"wrong"')
        id=$request
        call POST "invocation/00000000-0000-4000-8000-000000000000/response" '' '"stolen"'
        call POST "invocation/$id/response" '' "$status"
        ;;
    '"exit"') exit 9 ;;
    *)
        echo "event of ${#body} bytes"
        call POST "invocation/$request/response" '' "$body"
        ;;
    esac
done
"""

C = r"""
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static char buffer[1 << 20];

static char *exchange(const char *head, const char *body, size_t size) {
    const char *api = getenv("AWS_LAMBDA_RUNTIME_API");
    char host[64] = {0};
    const char *colon = strchr(api, ':');
    memcpy(host, api, colon - api);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(colon + 1))};
    inet_pton(AF_INET, host, &address.sin_addr);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) exit(41);
    dprintf(fd, "%s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n", head);
    dprintf(fd, "Content-Length: %zu\r\n\r\n", size);
    if (size && write(fd, body, size) < 0) exit(42);
    size_t have = 0;
    for (ssize_t got; (got = read(fd, buffer + have, sizeof buffer - 1 - have)) > 0;) have += got;
    buffer[have] = 0;
    close(fd);
    return buffer;
}

int main(void) {
    int calls = 0;
    for (;;) {
        char *answer = exchange("GET /2018-06-01/runtime/invocation/next", "", 0);
        char id[64], head[160], result[256];
        char *found = strcasestr(answer, "lambda-runtime-aws-request-id: ");
        if (!found) return 43;
        sscanf(found + 31, "%63[0-9a-f-]", id);
        char *event = strstr(answer, "\r\n\r\n") + 4;
        if (!strcmp(event, "\"abort\"")) abort();
        printf("call %d\n", ++calls);
        fflush(stdout);
        int size = snprintf(result, sizeof result, "{\"calls\":%d,\"event\":%s}", calls, event);
        snprintf(head, sizeof head, "POST /2018-06-01/runtime/invocation/%s/response", id);
        exchange(head, result, size);
    }
}
"""

PROVIDED = ("provided.al2023", "provided.al2")


@pytest.fixture(params=PROVIDED)
def provided(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def binary(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("no C compiler: apt-get install gcc libc6-dev")
    directory: Path = tmp_path_factory.mktemp("binary")
    (directory / "main.c").write_text("#define _GNU_SOURCE\n" + C)
    command = [compiler, "-static", "-O1", "-o", "bootstrap", "main.c"]
    subprocess.run(command, cwd=directory, check=True, timeout=60)
    return (directory / "bootstrap").read_bytes()


@pytest.fixture
def shell(workshop: Any, provided: str) -> Any:
    return workshop(
        f"sh-{provided.replace('.', '_')}",
        provided,
        {"bootstrap": SHELL},
        executable=("bootstrap",),
        Handler="any",
    )


def test_a_shell_script_serves_events(shell: Any) -> None:
    for value in ({"n": 1}, "text", [], "x" * 10_000):
        answer, lines = shell(value)
        assert (answer.error, answer.payload) == (None, value)
        lines.expect_report()
    assert lines.output == ["event of 10002 bytes"]
    assert lines.before == ""
    assert shell.events(lines.request_id)[1] == "started as any in /var/task\n"


def test_the_environment_is_that_of_aws(shell: Any, provided: str) -> None:
    names = shell("env")[0].payload.split(" ")
    libraries, path = names.pop(), names.pop()
    assert path == "/usr/local/bin:/usr/bin/:/bin:/opt/bin"
    assert libraries == (
        "/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib"
    )
    assert {"AWS_LAMBDA_RUNTIME_API", "_HANDLER", "LAMBDA_TASK_ROOT", "TZ"} <= set(names)
    assert not {"AWS_EXECUTION_ENV", "_X_AMZN_TRACE_ID", "_LAMBDA_TELEMETRY_LOG_FD"} & set(names)


def test_errors_go_out_as_the_runtime_gave_them(shell: Any) -> None:
    answer, lines = shell("fail")
    assert answer.error == "Unhandled"
    assert answer.payload == {"errorType": "Function.Bad", "errorMessage": "sorry"}
    lines.expect_report()


def test_nobody_answers_for_another_request(shell: Any) -> None:
    answer, _ = shell("wrong")
    assert (answer.error, answer.payload) == (None, 400)


def test_an_exit_is_described_and_the_next_call_works(shell: Any) -> None:
    answer, lines = shell("exit")
    assert answer.payload == {
        "errorType": "Runtime.ExitError",
        "errorMessage": (
            f"RequestId: {lines.request_id} Error: Runtime exited with error: exit status 9"
        ),
    }
    lines.expect_report("Status: error\tError Type: Runtime.ExitError")
    assert shell(1)[0].payload == 1


def test_what_a_runtime_reports_at_init_is_the_answer(workshop: Any, provided: str) -> None:
    function = workshop(
        f"sh-init-{provided.replace('.', '_')}",
        provided,
        {"bootstrap": SHELL},
        executable=("bootstrap",),
        Handler="no.init",
    )
    answer, lines = function()
    assert answer.error == "Unhandled"
    assert answer.payload == {"errorType": "Runtime.NoLuck", "errorMessage": "not today"}
    lines.expect_report("Status: error\tError Type: Runtime.NoLuck")


def test_a_static_binary_serves_events(workshop: Any, binary: bytes, provided: str) -> None:
    function = workshop(
        f"c-{provided.replace('.', '_')}",
        provided,
        {"bootstrap": binary},
        executable=("bootstrap",),
        memory_mb=128,
    )
    answer, lines = function({"é": 1})
    assert answer.payload == {"calls": 1, "event": {"é": 1}}
    assert lines.output == ["call 1"]
    assert lines.expect_report(cold=True)["used"] < 32
    assert function(2)[0].payload == {"calls": 2, "event": 2}
    answer, lines = function("abort")
    reason = "Runtime exited with error: signal: aborted"
    assert answer.payload["errorMessage"] == f"RequestId: {lines.request_id} Error: {reason}"
    assert function(3)[0].payload == {"calls": 1, "event": 3}


NOT_FOUND = "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
BOOTSTRAPS: dict[str, tuple[dict[str, str | bytes], tuple[str, ...], str]] = {
    "no bootstrap": ({"other": "x"}, (), NOT_FOUND),
    "a directory": ({"bootstrap/x": "x"}, (), NOT_FOUND),
    "not executable": (
        {"bootstrap": "#!/bin/sh\n"},
        (),
        "fork/exec /var/task/bootstrap: permission denied",
    ),
    "text": (
        {"bootstrap": "echo no shebang\n"},
        ("bootstrap",),
        "fork/exec /var/task/bootstrap: exec format error",
    ),
}


@pytest.mark.parametrize("case", BOOTSTRAPS)
def test_without_a_bootstrap_there_is_no_entrypoint(
    workshop: Any, provided: str, case: str
) -> None:
    files, executable, reason = BOOTSTRAPS[case]
    name = f"sh-{case.replace(' ', '-')}-{provided.replace('.', '_')}"
    function = workshop(name, provided, files, executable=executable)
    for _ in range(2):
        answer, lines = function()
        assert answer.error == "Unhandled"
        assert answer.payload == {
            "errorType": "Runtime.InvalidEntrypoint",
            "errorMessage": f"RequestId: {lines.request_id} Error: {reason}",
        }
        lines.expect_report("Status: error\tError Type: Runtime.InvalidEntrypoint")


@pytest.mark.parametrize("content", [b"#!/no/such/interpreter\n", b"\x7fELF garbage", b"#!", b""])
def test_what_cannot_be_executed_is_an_error_and_not_a_hang(workshop: Any, content: bytes) -> None:
    name = f"sh-broken-{len(content)}"
    function = workshop(
        name, "provided.al2023", {"bootstrap": content}, executable=("bootstrap",), Timeout=3
    )
    answer, lines = function()
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] in ("Runtime.ExitError", "Runtime.InvalidEntrypoint")
    figures = lines.expect_report(f"Status: error\tError Type: {answer.payload['errorType']}")
    assert figures["duration"] < 3000


def test_python_packages_and_layers_stay_out_of_sight(user: Deployer) -> None:
    """A layer that does not exist is refused, by name."""
    arn = "arn:aws:lambda:us-east-1:000000000000:layer:nope:1"
    with pytest.raises(user.lambda_.exceptions.InvalidParameterValueException) as refused:
        user.lambda_.create_function(
            FunctionName="sh-layered",
            Runtime="provided.al2023",
            Handler="x",
            Role="arn:aws:iam::000000000000:role/r",
            Code={"ZipFile": zip_of({"bootstrap": "x"})},
            Layers=[arn],
        )
    assert refused.value.response["Error"]["Message"].startswith(
        f"Layer version {arn} does not exist."
    )
