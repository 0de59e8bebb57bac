"""The command line of a wrapped runtime."""

from __future__ import annotations

from lambdad.runtimes.wrapper import wrapped

ARGV = ("/var/lang/bin/python3.12", "-S", "/var/runtime/bootstrap.py")


def test_without_a_wrapper_the_command_is_the_runtimes() -> None:
    assert wrapped(ARGV, {}) == ARGV
    assert wrapped(ARGV, {"AWS_LAMBDA_EXEC_WRAPPER": ""}) == ARGV


def test_a_wrapper_gets_the_whole_command_as_its_arguments() -> None:
    command = wrapped(ARGV, {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/a b; c"})
    assert command[:2] == ("/bin/sh", "-c")
    # The name is an argument of its own: nothing in it is read as shell.
    assert command[-4:] == ("/opt/a b; c", *ARGV)
    assert "/opt" not in command[2]
