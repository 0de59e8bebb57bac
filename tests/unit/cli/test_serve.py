"""`lambdad serve` greets with what one needs next, and says what is wrong in one line."""

import errno
from pathlib import Path

import pytest

from lambdad.cli.banner import MOST_WARNINGS, Banner
from lambdad.cli.commands.serve import KEYS, serve, why_not_listening
from lambdad.config.keys import keys
from lambdad.server.announcements import Readiness


def readiness(**changes):
    values = {
        "endpoint_url": "http://127.0.0.1:4566",
        "backend": "native",
        "isolated": True,
        "data_dir": Path("/var/lib/lambdad"),
        "started_in_s": 0.1234,
    }
    return Readiness(**{**values, **changes})


def test_the_banner_says_where_how_isolated_and_what_to_paste(capsys):
    Banner().ready(readiness())
    err = capsys.readouterr().err
    assert "is ready in 123 ms" in err
    assert "isolation  native\n" in err
    assert "/var/lib/lambdad" in err
    assert "export AWS_ENDPOINT_URL=http://127.0.0.1:4566 AWS_DEFAULT_REGION=us-east-1\n" in err
    assert "export AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test\n" in err
    assert "\x1b" not in err


def test_missing_isolation_is_loud(capsys):
    Banner().ready(readiness(backend="process", isolated=False, warnings=("cgroups: none",)))
    err = capsys.readouterr().err
    assert "process: NONE." in err
    assert "lambdad doctor" in err
    assert "warning    cgroups: none\n" in err


def test_many_warnings_do_not_hide_the_address(capsys):
    Banner().ready(readiness(warnings=tuple(f"w{number}" for number in range(14))))
    err = capsys.readouterr().err
    assert err.count("warning") == MOST_WARNINGS + 1
    assert "and 10 more: see `lambdad doctor`" in err


@pytest.mark.parametrize(
    ("running", "line"),
    [(0, "Stopping"), (1, "1 running invocation "), (2, "2 running invocations")],
)
def test_draining_is_one_line(capsys, running, line):
    Banner().draining(running)
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1


def test_a_taken_port_is_named_with_a_remedy():
    text = why_not_listening(OSError(errno.EADDRINUSE, "in use"), "127.0.0.1", 4566)
    assert text == "Port 4566 of 127.0.0.1 is taken: another lambdad? Choose one with --port."


def test_a_port_for_root_is_named_with_a_remedy():
    text = why_not_listening(OSError(errno.EACCES, "denied"), "127.0.0.1", 80)
    assert text == "Port 80 needs root; choose one above 1023 with --port."


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--config", "/does/not/exist"]])
def test_wrong_options_are_wrong_usage(run, arguments):
    assert run("serve", *arguments).exit_code == 2


def test_a_wrong_setting_is_told_with_its_source_and_remedy(run, tmp_path):
    file = tmp_path / "lambdad.toml"
    file.write_text("[server]\nprot = 1\n")
    result = run("serve", "--config", str(file))
    assert result.exit_code == 2
    assert f"lambdad: {file}: there is no key server.prot." in result.stderr
    assert "server.port" in result.stderr


def test_every_option_overrides_a_key_that_exists():
    options = {each.name for each in serve.params} - {"path"}
    assert set(KEYS) == options
    assert set(KEYS.values()) <= set(keys())
