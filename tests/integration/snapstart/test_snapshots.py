"""What a copy of an initialised function keeps, and what it has for itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.snapstart.conftest import Host

pytestmark = [pytest.mark.root, pytest.mark.timeout(90)]

STATE = """
import os, random, ssl, sys, tempfile, threading, uuid, hashlib
TABLE = {number: str(number) for number in range(50_000)}
SECRET = os.urandom(8).hex()
COUNT = 0
os.environ["SET_AT_INIT"] = "kept"
print("initialised")
open("/tmp/of-the-template", "w").close() if False else None

def handler(event, context):
    global COUNT
    COUNT += 1
    return {
        "table": len(TABLE) + sum(1 for key, value in TABLE.items() if str(key) != value),
        "secret": SECRET, "count": COUNT, "pid": os.getpid(),
        "random": random.random(), "uuid": str(uuid.uuid4()), "ssl": ssl.RAND_bytes(8).hex(),
        "temporary": os.listdir("/tmp"), "file": tempfile.mkstemp()[1],
        "stream": os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        "token": os.environ["AWS_SESSION_TOKEN"], "set": os.environ["SET_AT_INIT"],
        "given": os.environ.get("GIVEN"), "cwd": os.getcwd(),
        "descriptors": sorted(os.listdir("/proc/self/fd"), key=int)[:-1],
        "thread": threading.get_native_id() == threading.main_thread().native_id,
        "request": context.aws_request_id, "threads": threading.active_count(),
        "private": [name for name in os.environ if "LAMBDAD" in name],
    }
"""


@pytest.mark.parametrize("host", ["python3.11", "python3.12", "python3.13"], indirect=True)
async def test_copies_go_on_where_the_template_was_initialised(host: Host, code: Path) -> None:
    (code / "app.py").write_text(STATE)
    snapshot = await host.snapshot(code, GIVEN="to the template")
    first = await host.restore(code, snapshot, GIVEN="to the first")
    second = await host.restore(code, snapshot)
    one, again, other = await first.invoke({}), await first.invoke({}), await second.invoke({})
    assert one["table"] == other["table"] == 50_000
    assert one["secret"] == other["secret"]
    assert (one["count"], again["count"], other["count"]) == (1, 2, 1)
    for name in ("random", "uuid", "ssl", "stream", "token"):
        assert one[name] != other[name], name
    assert one["temporary"] == other["temporary"] == []
    assert (one["given"], other["given"], one["set"]) == ("to the first", None, "kept")
    assert one["cwd"] == "/var/task"
    assert one["thread"]
    assert one["private"] == []
