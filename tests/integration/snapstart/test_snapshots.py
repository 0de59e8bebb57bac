"""What a copy of an initialised function keeps, and what it has for itself."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lambdad.dataplane.snapstart.image import SnapshotRefused

if TYPE_CHECKING:
    from tests.integration.snapstart.conftest import Host

pytestmark = [
    pytest.mark.root,
    pytest.mark.timeout(120),
    pytest.mark.asyncio(loop_scope="module"),
]

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


REFUSED = {
    "import threading\n"
    "threading.Thread(target=threading.Event().wait, name='poller', daemon=True).start()": (
        "Threads are running: poller."
    ),
    "import _thread, time\n_thread.start_new_thread(time.sleep, (99,))": (
        "Threads of libraries are running: "
    ),
    "import subprocess\nchild = subprocess.Popen(['sleep', '99'])": (
        "Other processes are running that it has started: 1."
    ),
    "import socket\nends = socket.socketpair()": "A socket is open (descriptor ",
    "import socket\nserver = socket.create_server(('127.0.0.1', 0))": "A socket listens (",
    "import os\nends = os.pipe()": "A pipe is open (descriptor ",
    "import select\npoll = select.epoll()": "A eventpoll is open (descriptor ",
    "file = open('/tmp/x', 'w')": "The file /tmp/x is open (descriptor ",
    "open('/tmp/left', 'w').close()": "There are files in /tmp (left), which no copy has.",
    "import mmap\nshared = mmap.mmap(-1, 4096)": "Memory is shared with other processes (",
    "import signal\nsignal.setitimer(signal.ITIMER_REAL, 99)": "A timer is running (setitimer).",
    "import os\nos.close(0)": "Descriptor 0 is not what it was at the start.",
}


async def test_what_no_copy_could_have_is_refused_with_the_reason(host: Host, code: Path) -> None:
    said = {}
    for number, begin in enumerate(REFUSED):
        directory = code / str(number)
        directory.mkdir()
        (directory / "app.py").write_text(f"{begin}\ndef handler(event, context): pass\n")
        with pytest.raises(SnapshotRefused) as refusal:
            await host.snapshot(directory)
        said[begin] = str(refusal.value)
    assert said == {begin: said[begin] for begin in said if REFUSED[begin] in said[begin]}


CONSTANT = """
import os, socket, sys
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
server.close()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
source = open(__file__)
source.readline()
null = os.open("/dev/null", os.O_RDWR)

def handler(event, context):
    return [source.readline(), os.write(null, b"x"), client.recv(1).decode(),
            datagrams.sendto(b"x", ("127.0.0.1", 9))]
"""


async def test_files_are_opened_again_and_connections_are_broken(host: Host, code: Path) -> None:
    (code / "app.py").write_text(CONSTANT)
    copy = await host.restore(code, await host.snapshot(code))
    assert await copy.invoke({}) == ["import os, socket, sys\n", 1, "", 1]


HARMFUL = """
import os, signal, ctypes
def on_signal(number, frame):
    SEEN.append(number)
SEEN = []
signal.signal(signal.SIGUSR1, on_signal)

def handler(event, context):
    if event == "eat":
        return len(bytearray(os.urandom(1 << 20)) * 400)
    if event == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    libc = ctypes.CDLL(None, use_errno=True)
    refused = libc.unshare(0x10000000), ctypes.get_errno()
    os.kill(os.getpid(), signal.SIGUSR1)
    with open("/proc/self/status") as file:
        status = dict(line.split(":", 1) for line in file)
    return [*refused, SEEN, status["NoNewPrivs"].strip(), status["Seccomp"].strip(),
            int(status["CapEff"], 16), os.getuid() == 0]
"""


async def test_a_copy_has_the_guards_of_its_own_sandbox(host: Host, code: Path) -> None:
    (code / "app.py").write_text(HARMFUL)
    snapshot = await host.snapshot(code, memory_mb=128)
    copy = await host.restore(code, snapshot, memory_mb=128)
    assert await copy.invoke({}) == [-1, 1, [10], "1", "2", 0, False]
    other = await host.restore(code, snapshot, memory_mb=128)
    copy.deliver("eat")
    assert (await copy.ended()).out_of_memory
    assert await other.invoke({}) == [-1, 1, [10], "1", "2", 0, False]


FORKED = """
import _thread, os
stop, stopped = _thread.allocate_lock(), _thread.allocate_lock()
stop.acquire()
stopped.acquire()

def work():
    stop.acquire()
    stopped.release()

def quiesce():
    stop.release()
    stopped.acquire()

_thread.start_new_thread(work, ())
# As OpenBLAS does with its threads.
os.register_at_fork(before=quiesce)

def handler(event, context):
    return [stop.locked(), len(os.listdir("/proc/self/task"))]
"""


async def test_threads_that_a_library_ends_before_forks_are_no_obstacle(
    host: Host, code: Path
) -> None:
    (code / "app.py").write_text(FORKED)
    copy = await host.restore(code, await host.snapshot(code))
    assert await copy.invoke({}) == [True, 1]
