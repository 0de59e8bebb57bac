"""A runtime process gets exactly the variables AWS gives it."""

import pytest

from lambdad.domain.functions import LoggingConfig
from lambdad.domain.runtimes import RESERVED_KEYS
from lambdad.runtimes.base import Runtime
from lambdad.runtimes.environment import at_start, can_follow, environment_of
from lambdad.runtimes.provided import ProvidedProvider
from lambdad.testing.functions import a_function

PYTHON = Runtime(
    identifier="python3.12",
    version="3.12.1",
    source="/usr/bin/python3.12",
    argv=("/usr/bin/python3.12",),
    mounts=(),
    environment={"PYTHONPATH": "/var/runtime", "LC_CTYPE": "C.UTF-8"},
)
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "id",
    "AWS_SECRET_ACCESS_KEY": "secret",
    "AWS_SESSION_TOKEN": "token",
}


def environment(function=None, runtime=PYTHON, **changes):
    given = {
        "runtime_api": "127.0.0.1:9001",
        "endpoint_url": "http://127.0.0.1:4566",
        "log_stream": "2026/01/01/[$LATEST]0123",
        "credentials": CREDENTIALS,
        "initialization_type": "on-demand",
    }
    return environment_of(runtime, function or a_function(), **{**given, **changes})


def test_is_awss_list_and_nothing_else():
    assert environment() == {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_EXECUTION_ENV": "AWS_Lambda_python3.12",
        "AWS_LAMBDA_FUNCTION_NAME": "f",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/f",
        "AWS_LAMBDA_LOG_STREAM_NAME": "2026/01/01/[$LATEST]0123",
        "AWS_LAMBDA_RUNTIME_API": "127.0.0.1:9001",
        "AWS_XRAY_CONTEXT_MISSING": "LOG_ERROR",
        "AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1:2000",
        "_AWS_XRAY_DAEMON_ADDRESS": "169.254.100.1",
        "_AWS_XRAY_DAEMON_PORT": "2000",
        "LAMBDA_TASK_ROOT": "/var/task",
        "LAMBDA_RUNTIME_DIR": "/var/runtime",
        "_HANDLER": "app.handler",
        "LANG": "en_US.UTF-8",
        "LC_CTYPE": "C.UTF-8",
        "TZ": ":UTC",
        "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
        "LD_LIBRARY_PATH": (
            "/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:"
            "/var/task:/var/task/lib:/opt/lib"
        ),
        "PYTHONPATH": "/var/runtime",
    }


def test_provided_runtimes_have_no_language():
    runtime = ProvidedProvider().find("provided.al2023")
    variables = environment(runtime=runtime)
    assert "AWS_EXECUTION_ENV" not in variables
    assert variables["PATH"] == "/usr/local/bin:/usr/bin/:/bin:/opt/bin"
    assert "/var/lang" not in variables["LD_LIBRARY_PATH"]


@pytest.mark.parametrize("key", sorted(RESERVED_KEYS))
def test_a_function_cannot_replace_a_reserved_variable(key):
    assert environment(a_function(environment={key: "mine"})).get(key) != "mine"


@pytest.mark.parametrize(
    "key", ["LANG", "TZ", "PATH", "LD_LIBRARY_PATH", "PYTHONPATH", "AWS_ENDPOINT_URL", "MINE"]
)
def test_a_function_may_set_every_other_variable(key):
    assert environment(a_function(environment={key: "mine"}))[key] == "mine"


def test_json_logging_is_announced_with_its_level():
    json = LoggingConfig(log_group="g", log_format="JSON", application_log_level="WARN")
    variables = environment(a_function(logging=json))
    assert variables["AWS_LAMBDA_LOG_FORMAT"] == "JSON"
    assert variables["AWS_LAMBDA_LOG_LEVEL"] == "WARN"
    assert "AWS_LAMBDA_LOG_LEVEL" not in environment()


def test_no_endpoint_means_no_variable():
    assert "AWS_ENDPOINT_URL" not in environment(endpoint_url=None)


def test_paths_follow_the_guest_when_nothing_isolates_it():
    variables = environment(guest_path=lambda path: f"/x{path}")
    assert variables["LAMBDA_TASK_ROOT"] == "/x/var/task"
    assert variables["PYTHONPATH"] == "/x/var/runtime"
    assert variables["PATH"] == "/x/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/x/opt/bin"


def test_a_runtime_the_function_brings_names_its_candidates_in_order():
    runtime = ProvidedProvider().find("provided.al2")
    assert runtime.argv == ()
    assert runtime.entrypoints == ("/var/task/bootstrap", "/opt/bootstrap")


AT_ITS_START = (
    *("JAVA_TOOL_OPTIONS", "DOTNET_gcServer", "COMPlus_x", "RUBYOPT"),
    "AWS_LAMBDA_JAVA_NETWORKADDRESS_CACHE_NEGATIVE_TTL",
)


@pytest.mark.parametrize("name", AT_ITS_START)
def test_what_a_runtime_reads_at_its_start_cannot_follow(name):
    assert can_follow({"MINE": "1"})
    assert not can_follow({"MINE": "1", name: "1"})


def test_a_runtime_started_ahead_knows_the_memory_size_if_it_must():
    assert "AWS_LAMBDA_FUNCTION_MEMORY_SIZE" not in at_start({})
    assert at_start({}, 512)["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "512"
