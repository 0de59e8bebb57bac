"""`AWS_LAMBDA_EXEC_WRAPPER`: scripts that start the runtime, and what becomes of bad ones."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from lambdad.testing.deploy import Answer, Deployer

pytestmark = [pytest.mark.root, pytest.mark.slow]

Publish = Callable[..., str]

HANDLER = "def handler(event, context):\n    return {}\n"

WRAPPED = """
import os, sys
def handler(event, context):
    return [os.environ.get('W'), sys.flags.dont_write_bytecode]
"""


@pytest.mark.parametrize("first_line", ["#!/bin/sh\n", ""])
def test_a_wrapper_of_a_layer_starts_the_runtime(
    user: Deployer, shelf: Publish, deployed: Callable[..., str], first_line: str
) -> None:
    script = f'{first_line}export W="wrapped $#"\nexec "$@"\n'
    layer = shelf({"wrapper": script}, executable=("wrapper",))
    environment = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}}
    answer = user.invoke(deployed(WRAPPED, layer, Environment=environment))
    assert answer.error is None, answer
    assert answer.payload == ["wrapped 3", 0]


def test_a_wrapper_may_add_options_of_the_interpreter(
    user: Deployer, deployed: Callable[..., str], a_name: Callable[[], str]
) -> None:
    """As the developer guide's example for Python does: options go before the last argument."""
    script = (
        "#!/bin/bash\n"
        'args=("$@")\n'
        'args=("${args[@]:0:$#-1}" "-B" "${args[@]: -1}")\n'
        'exec "${args[@]}"\n'
    )
    name = a_name()
    user.deploy(
        name,
        {"app.py": WRAPPED, "wrapper": script},
        executable=("wrapper",),
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/var/task/wrapper"}},
    )
    assert user.invoke(name).payload == [None, 1]


def test_nodejs_starts_in_a_wrapper(
    user: Deployer, shelf: Publish, deployed: Callable[..., str], nodejs: str
) -> None:
    script = '#!/bin/sh\nnode=$1\nshift\nexec "$node" --title=wrapped "$@"\n'
    name = deployed(
        {"app.js": "exports.handler = async () => process.execArgv;"},
        shelf({"wrapper": script}, executable=("wrapper",)),
        Runtime=nodejs,
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/wrapper"}},
    )
    assert user.invoke(name).payload == ["--title=wrapped"]


def test_a_wrapper_that_is_missing_ends_the_init(
    user: Deployer, deployed: Callable[..., str]
) -> None:
    environment = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/missing"}}
    answer = user.invoke(deployed(HANDLER, Environment=environment))
    assert_exit(answer, 127)
    assert "/opt/missing: does not exist\n" in answer.log


def test_a_wrapper_that_may_not_be_executed_ends_the_init(
    user: Deployer, shelf: Publish, deployed: Callable[..., str]
) -> None:
    environment = {"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/plain"}}
    answer = user.invoke(deployed(HANDLER, shelf({"plain": "x"}), Environment=environment))
    assert_exit(answer, 126)
    assert "/opt/plain: is not an executable\n" in answer.log


def assert_exit(answer: Answer, status: int) -> None:
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Runtime.ExitError"
    assert answer.payload["errorMessage"].endswith(
        f"Error: Runtime exited with error: exit status {status}"
    )


def test_provided_runtimes_take_no_wrapper(user: Deployer, a_name: Callable[[], str]) -> None:
    name = a_name()
    user.deploy(
        name,
        {"bootstrap": "#!/bin/sh\nexit 3\n"},
        executable=("bootstrap",),
        Runtime="provided.al2023",
        Handler="any",
        Environment={"Variables": {"AWS_LAMBDA_EXEC_WRAPPER": "/opt/missing"}},
    )
    assert user.invoke(name).payload["errorMessage"].endswith("exit status 3")
