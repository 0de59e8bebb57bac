"""The trace of an invocation is known to the function's code and to what the function starts."""

from __future__ import annotations

import re
from typing import Any

import pytest

pytestmark = [pytest.mark.root, pytest.mark.slow]

APP = """
import os, subprocess

NAME = "_X_AMZN_TRACE_ID"

def of_child():
    # Whoever is given no variables takes those that the C library knows.
    return subprocess.check_output(["/bin/sh", "-c", "echo -n $" + NAME]).decode()

def handler(event, context):
    traces = [os.environ[NAME], of_child()]
    if event == "delete":
        del os.environ[NAME]
    if event == "set":
        os.environ[NAME] = "mine"
    if event == "replace":
        os.environ = dict(os.environ)
    return traces + [of_child(), len([one for one in os.environ if one == NAME])]
"""


@pytest.fixture
def function(workshop: Any, python: str) -> Any:
    return workshop(f"trace-{python.replace('.', '_')}", python, {"app.py": APP})


def test_a_child_process_has_the_trace_of_its_invocation(function: Any) -> None:
    known = []
    for event, left in (("", None), ("delete", ""), ("set", "mine"), ("", None), ("replace", None)):
        trace, of_child, of_later_child, number = function(event)[0].payload
        assert re.match("Root=1-[0-9a-f]{8}-", trace)
        assert of_child == trace
        assert of_later_child == (trace if left is None else left)
        assert number == (left != "")
        known.append(trace)
    assert len(set(known)) == len(known)
    # Its own mapping is the function's business; the runtime goes on.
    assert function("")[0].payload[0] not in known
