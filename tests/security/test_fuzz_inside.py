"""Random requests, and hostile subscribers to telemetry, from inside sandboxes.

Nobody else may notice, and nothing may stay behind. TEST_FUZZ is a factor for more of them.
"""

from __future__ import annotations

import json
import os
from typing import Any

import pytest

from lambdad.testing.asking import asking
from lambdad.testing.deploy import zip_of
from lambdad.testing.firing_range import Range

pytestmark = [pytest.mark.slow]

FACTOR = float(os.environ.get("TEST_FUZZ", "1"))
SEEDS = range(max(1, round(3 * FACTOR)))
REQUESTS = 400
GROWTH_KIB_MAX = 128 * 1024
# The machine may be busy with the attack itself.
BYSTANDER_S = 3.0


def back_to(target: Range, descriptors: int) -> bool:
    """Whether the daemon lets go of what the attack made it open."""
    return any(target.holdings().descriptors < descriptors + 32 for _ in asking())


@pytest.mark.parametrize("seed", SEEDS)
def test_random_requests_from_inside_harm_nobody(target: Range, seed: int) -> None:
    function = target.attacker(512, 20)
    target.attack("hogs.spin", function, seconds=0.01)
    before = target.holdings()
    with target.observed() as seen:
        # It may answer its own invocation: with anything, so that nobody reads the answer.
        attack = {"attack": "fuzz.apis", "how": {"seed": seed, "number": REQUESTS}}
        # Who asks for the log waits until the function is done, however soon it answered.
        target.user.lambda_.invoke(
            FunctionName=function, Payload=json.dumps(attack), LogType="Tail"
        )
    assert max(seen.bystander_s, default=0.0) < BYSTANDER_S
    assert seen.resident_kib - before.resident_kib < GROWTH_KIB_MAX
    # The attacker harms itself at most until it is reset.
    target.settle()
    assert back_to(target, before.descriptors)
    answers = [target.attack("hogs.spin", function, seconds=0.01) for _ in range(2)]
    assert isinstance(answers[-1].payload, float), answers


# A listener of one kind of malice, after subscriptions of every kind.
SUBSCRIBER = r"""#!/usr/bin/env python3
import http.client, json, os, random, socket, sys, threading, time
sys.path.insert(0, '/var/task')
import fuzz
MODE = os.environ['MODE']
dice = random.Random(MODE)
def call(method, path, body=b'', **headers):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'], timeout=30)
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    return answer, answer.read()
answer, _ = call('POST', '/2020-01-01/extension/register', b'{"events":["INVOKE","SHUTDOWN"]}',
    **{'Lambda-Extension-Name': os.path.basename(sys.argv[0])})
me = {'Lambda-Extension-Identifier': answer.headers['Lambda-Extension-Identifier']}
for _ in range(100):
    call('PUT', dice.choice(('/2022-07-01/telemetry', '/2020-08-15/logs')), fuzz.body(dice), **me)
server = socket.create_server(('127.0.0.1', 4300))
ERROR = b'HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n'
ANSWERS = [
    os.urandom(4096),
    b'HTTP/1.1 200 OK\r\nX: ' + b'x' * 100_000,
    b'HTTP/1.1 100 Continue\r\n\r\n' * 1000,
    b'HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n' + b'x' * 100_000,
    b'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n' * 1000,
    b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n',
]
def answers(connection):
    if MODE == 'silent':
        time.sleep(3600)
    while True:
        if not connection.recv(1 << 20):
            return
        if MODE == 'slow':
            time.sleep(0.5)
            continue
        connection.sendall(ERROR if MODE == 'error' else dice.choice(ANSWERS))
def listen():
    while True:
        connection, _ = server.accept()
        if MODE == 'closing':
            connection.close()
        else:
            threading.Thread(target=quietly, args=(connection,), daemon=True).start()
def quietly(connection):
    try:
        answers(connection)
    except OSError:
        connection.close()
if MODE != 'absent':
    threading.Thread(target=listen, daemon=True).start()
destination = {'protocol': 'HTTP', 'URI': 'http://sandbox.localdomain:4300/'}
if MODE == 'slow':
    destination = {'protocol': 'TCP', 'port': 4300}
answer, text = call('PUT', '/2022-07-01/telemetry', json.dumps({
    'schemaVersion': '2022-12-13', 'types': ['platform', 'function'],
    'buffering': {'maxBytes': 1048576, 'timeoutMs': 25}, 'destination': destination}), **me)
assert answer.status == 200, text
while json.loads(call('GET', '/2020-01-01/extension/event/next', **me)[1])['eventType'] == 'INVOKE':
    pass
"""
FLOOD = (
    "def handler(event, context):\n"
    "    for _ in range(event):\n"
    "        print('x' * 1000)\n"
    "    return event\n"
)
MODES = ["absent", "closing", "silent", "slow", "error", "garbage"]


@pytest.mark.parametrize("mode", MODES)
def test_hostile_subscribers_to_telemetry_harm_nobody(target: Range, mode: str) -> None:
    name = f"subscriber-{mode.replace(' ', '-')}"
    path = "extensions/subscriber"
    layer = target.user.lambda_.publish_layer_version(
        LayerName="subscriber",
        Content={"ZipFile": zip_of({path: SUBSCRIBER}, executable=(path,))},
    )["LayerVersionArn"]
    files: dict[str, Any] = {
        "app.py": FLOOD,
        "fuzz.py": (target.hostile / "fuzz.py").read_text(),
    }
    settings: dict[str, Any] = {"MemorySize": 1769, "Timeout": 30, "Layers": [layer]}
    target.deploy(name, files, Environment={"Variables": {"MODE": mode}}, **settings)
    before = target.holdings()
    with target.observed() as seen:
        # 10 MB: more than all buffers hold.
        answers = [target.user.invoke(name, 5000).payload for _ in range(2)]
    assert answers == [5000] * 2
    assert max(seen.bystander_s) < BYSTANDER_S
    assert seen.resident_kib - before.resident_kib < GROWTH_KIB_MAX
    target.user.lambda_.delete_function(FunctionName=name)
    target.deployed.discard(name)
    assert back_to(target, before.descriptors)
