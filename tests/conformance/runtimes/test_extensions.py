"""Extensions from layers in real sandboxes: what they are told, and what becomes of them."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lambdad.testing.daemon import DaemonProcess
from lambdad.testing.deploy import Deployer, zip_of

pytestmark = [pytest.mark.root, pytest.mark.slow]

Publish = Callable[..., str]
Deploy = Callable[..., str]

PATH = "extensions/watch"
# Prints what it is told; with a tally in /tmp, so that the function can see it.
PYTHON = r"""#!/usr/bin/env python3
import http.client, json, os, sys
def call(method, tail, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request(method, '/2020-01-01/extension/' + tail, body, headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read())
answer, document = call('POST', 'register', json.dumps({'events': ['INVOKE', 'SHUTDOWN']}),
    **{'Lambda-Extension-Name': os.path.basename(sys.argv[0]),
       'Lambda-Extension-Accept-Feature': 'accountId'})
me = {'Lambda-Extension-Identifier': answer.headers['Lambda-Extension-Identifier']}
print('REGISTERED', json.dumps(document, sort_keys=True), flush=True)
while True:
    event = call('GET', 'event/next', **me)[1]
    about = event.get('shutdownReason', event.get('requestId'))
    print('TOLD', event['eventType'], about, flush=True)
    with open('/tmp/told', 'a') as tally:
        tally.write(event['eventType'] + '\n')
    if event['eventType'] == 'SHUTDOWN':
        break
"""
NODE = r"""#!/usr/bin/env node
const http = require('http');
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(':');
const call = (method, tail, headers, body) => new Promise((done, failed) => {
  const path = '/2020-01-01/extension/' + tail;
  const request = http.request({host, port, method, path, headers}, (response) => {
    let text = '';
    response.on('data', (piece) => { text += piece; });
    response.on('end', () => done([response.headers, JSON.parse(text)]));
  });
  request.on('error', failed);
  request.end(body);
});
(async () => {
  const name = {'Lambda-Extension-Name': 'watch'};
  const [headers] = await call('POST', 'register', name, '{"events":["INVOKE","SHUTDOWN"]}');
  const me = {'Lambda-Extension-Identifier': headers['lambda-extension-identifier']};
  for (;;) {
    const [, event] = await call('GET', 'event/next', me);
    console.log('TOLD ' + event.eventType + ' ' + (event.shutdownReason || event.requestId));
    if (event.eventType === 'SHUTDOWN') process.exit(0);
  }
})();
"""
FUNCTION = "def handler(event, context):\n    return context.aws_request_id\n"


def messages(user: Deployer, name: str) -> Iterator[str]:
    pages = user.logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{name}"
    )
    with contextlib.suppress(user.logs.exceptions.ResourceNotFoundException):
        for page in pages:
            yield from (event["message"].rstrip("\n") for event in page["events"])


def await_message(user: Deployer, name: str, wanted: str, times: int = 1) -> list[str]:
    """All messages once one is there so often; the log is written behind what happens."""
    end = time.monotonic() + 20
    while time.monotonic() < end:
        found = list(messages(user, name))
        if sum(wanted in message for message in found) >= times:
            return found
    raise AssertionError((wanted, found))


def retire(user: Deployer, name: str) -> None:
    """Let the environments of a function go."""
    user.lambda_.update_function_configuration(
        FunctionName=name, Environment={"Variables": {"NEW": "environment"}}
    )
    user.lambda_.get_waiter("function_updated_v2").wait(FunctionName=name)


def test_a_python_extension_hears_of_every_invocation_and_of_the_end(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    name = deployed(FUNCTION, shelf({PATH: PYTHON}, executable=(PATH,)))
    requests = [user.invoke(name).payload for _ in range(3)]
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN")
    assert [line for line in log if line.startswith("TOLD")] == [
        *(f"TOLD INVOKE {request}" for request in requests),
        "TOLD SHUTDOWN spindown",
    ]
    assert (
        f'REGISTERED {{"accountId": "000000000000", "functionName": "{name}", '
        '"functionVersion": "$LATEST", "handler": "app.handler"}' in log
    )
    assert log.count("EXTENSION\tName: watch\tState: Ready\tEvents: [INVOKE,SHUTDOWN]") == 1


def test_a_nodejs_extension_serves_a_nodejs_function(
    user: Deployer, shelf: Publish, deployed: Deploy, nodejs: str
) -> None:
    source = {"app.js": "exports.handler = async (event, context) => context.awsRequestId;"}
    name = deployed(source, shelf({PATH: NODE}, executable=(PATH,)), Runtime=nodejs)
    request = user.invoke(name).payload
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN")
    told = [line for line in log if line.startswith("TOLD")]
    assert told == [f"TOLD INVOKE {request}", "TOLD SHUTDOWN spindown"]


SLOW_ONCE = """
import os, time
def handler(event, context):
    if event == 'hang':
        time.sleep(60)
    if event == 'exit':
        os._exit(3)
    with open('/tmp/told', 'a+') as tally:
        tally.seek(0)
        return tally.read().split()
"""


@pytest.mark.parametrize(("event", "reason"), [("hang", "timeout"), ("exit", "failure")])
def test_after_a_reset_the_extension_starts_anew_and_the_files_are_kept(
    user: Deployer, shelf: Publish, deployed: Deploy, event: str, reason: str
) -> None:
    layer = shelf({PATH: PYTHON}, executable=(PATH,))
    name = deployed(SLOW_ONCE, layer, Timeout=3)
    assert user.invoke(name).error is None
    assert user.invoke(name, event).error == "Unhandled"
    again = user.invoke(name).payload
    assert again[:3] == ["INVOKE", "INVOKE", "SHUTDOWN"]
    log = await_message(user, name, "REPORT RequestId", 3)
    assert f"TOLD SHUTDOWN {reason}" in log
    assert sum(line.startswith("REGISTERED") for line in log) == 2


def test_an_extension_that_crashes_fails_the_invocation(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    crashing = PYTHON.replace("    with open", "    os._exit(7)\n    with open")
    source = "import time\ndef handler(event, context):\n    time.sleep(20)\n"
    name = deployed(source, shelf({PATH: crashing}, executable=(PATH,)))
    answer = user.invoke(name)
    assert answer.error == "Unhandled"
    assert answer.payload["errorType"] == "Extension.Crash"
    assert answer.payload["errorMessage"].endswith("Error: exit status 7")
    assert "Status: error\tError Type: Extension.Crash" in answer.log


def test_a_file_without_the_right_to_be_executed_fails_the_init(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    answer = user.invoke(deployed(FUNCTION, shelf({PATH: PYTHON})))
    assert answer.payload["errorType"] == "Extension.LaunchError"
    assert answer.payload["errorMessage"].endswith(
        "Error: fork/exec /opt/extensions/watch: permission denied"
    )


BACKGROUND = PYTHON.replace(
    "while True:\n",
    """import threading, time
def count():
    while True:
        with open('/tmp/beats', 'a') as beats:
            beats.write('.')
        time.sleep(0.01)
threading.Thread(target=count, daemon=True).start()
while True:
""",
    1,
)


def test_extensions_are_frozen_between_invocations(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    source = (
        "import os, time\n"
        "def handler(event, context):\n"
        "    while not os.path.exists('/tmp/beats'):\n"
        "        time.sleep(0.01)\n"
        "    first = os.stat('/tmp/beats').st_size\n"
        "    time.sleep(event or 0)\n"
        "    return [first, os.stat('/tmp/beats').st_size]\n"
    )
    name = deployed(source, shelf({PATH: BACKGROUND}, executable=(PATH,)))
    worked: Any = user.invoke(name, 0.5).payload
    assert worked[1] - worked[0] > 10
    time.sleep(1.0)  # what is frozen has nothing to wait for
    assert user.invoke(name).payload[0] - worked[1] < 20


def test_a_function_with_an_extension_may_end_gracefully(
    user: Deployer, shelf: Publish, deployed: Deploy
) -> None:
    source = (
        "import signal, sys\n"
        "def end(number, frame):\n"
        "    print('SIGTERM', flush=True)\n"
        "    sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n" + FUNCTION
    )
    name = deployed(source, shelf({PATH: PYTHON}, executable=(PATH,)))
    user.invoke(name)
    retire(user, name)
    log = await_message(user, name, "TOLD SHUTDOWN")
    # AWS: the runtime ends before extensions are told.
    assert log.index("SIGTERM") < log.index("TOLD SHUTDOWN spindown")


INTERNAL = """
import http.client, json, os, threading
def call(method, tail, body=None, **headers):
    connection = http.client.HTTPConnection(os.environ['AWS_LAMBDA_RUNTIME_API'])
    connection.request(method, '/2020-01-01/extension/' + tail, body, headers)
    answer = connection.getresponse()
    return answer, json.loads(answer.read())
name = {'Lambda-Extension-Name': 'inside'}
answer, _ = call('POST', 'register', '{"events":["INVOKE"]}', **name)
me = {'Lambda-Extension-Identifier': answer.headers['Lambda-Extension-Identifier']}
late, told = [], []
def listen():
    while True:
        told.append(call('GET', 'event/next', **me)[1]['requestId'])
threading.Thread(target=listen, daemon=True).start()
def handler(event, context):
    late.append(call('POST', 'register', '{}', **{'Lambda-Extension-Name': 'late'})[1])
    me = context.aws_request_id
    return [late[-1]['errorType'], me, [other for other in told if other != me]]
"""


def test_an_internal_extension_is_told_of_every_invocation(
    user: Deployer, deployed: Deploy
) -> None:
    name = deployed(INTERNAL)
    requests: list[str] = []
    for _ in range(3):
        # Who asks for the log is answered when the extension is done, too.
        refusal, request, told = user.invoke(name).payload
        assert refusal == "Extension.RegistrationClosed"
        assert told == requests
        requests.append(request)


def test_extensions_are_told_when_the_daemon_stops(tmp_path: Path) -> None:
    with DaemonProcess(tmp_path / "data") as daemon:
        user = Deployer(daemon.endpoint_url)
        layer = user.lambda_.publish_layer_version(
            LayerName="l", Content={"ZipFile": zip_of({PATH: PYTHON}, executable=(PATH,))}
        )
        user.deploy("f", FUNCTION, Layers=[layer["LayerVersionArn"]])
        user.invoke("f")
        assert daemon.stop() == 0
    with DaemonProcess(tmp_path / "data") as daemon:
        assert "TOLD SHUTDOWN spindown" in list(messages(Deployer(daemon.endpoint_url), "f"))
