import json
import subprocess
import sys

from lambdad import __version__


def test_health_prints_what_the_daemon_says(run, endpoint):
    endpoint.will_answer(
        b'{"status":"ok","environments":{"idle":2},"guards":[{"name":"seccomp","state":"active"}]}'
    )
    result = run("health", "--endpoint-url", endpoint.url)
    assert result.exit_code == 0
    assert endpoint.seen[0].path == "/_lambdad/health"
    assert result.stdout == ("status: ok\nenvironments:\n  idle: 2\nguards:\n  seccomp  active\n")


def test_health_as_json_is_the_daemons_document(run, endpoint):
    endpoint.will_answer(b'{"status":"ok"}')
    result = run("health", "--json", "--endpoint-url", endpoint.url)
    assert json.loads(result.stdout) == {"status": "ok"}


def test_health_of_nobody_says_how_to_start_one(run, closed_endpoint):
    result = run("health", "--endpoint-url", closed_endpoint)
    assert result.exit_code == 2
    assert "lambdad serve" in result.stderr


def test_health_of_something_else_is_an_error(run, endpoint):
    endpoint.will_answer(b"<html>", status=404)
    result = run("health", "--endpoint-url", endpoint.url)
    assert result.exit_code == 2
    assert "is not lambdad" in result.stderr


def test_health_of_no_http_address_is_an_error(run):
    result = run("health", "--endpoint-url", "localhost:4566")
    assert result.exit_code == 2
    assert "not an HTTP address" in result.stderr


def test_version_is_one_line(run):
    assert run("version").stdout == f"lambdad {__version__}\n"
    assert run("--version").stdout == f"lambdad {__version__}\n"


def test_version_as_json_names_the_service_model_in_use(run):
    document = json.loads(run("version", "--json").stdout)
    assert document["lambdad"] == __version__
    assert document["botocore"].startswith("1.")


def test_help_and_version_import_nothing_slow():
    """They answer in a few dozen milliseconds because botocore, rich and asyncio wait."""
    program = (
        "import sys; from lambdad.cli.main import main\n"
        "import lambdad.cli.commands.version\n"
        "main(['--help'], standalone_mode=False)\n"
        "print([m for m in ('botocore', 'boto3', 'rich', 'uvloop', 'lambdad.server.main')\n"
        "       if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], check=False, capture_output=True, text=True
    )
    assert done.stdout.endswith("[]\n"), done.stdout + done.stderr
