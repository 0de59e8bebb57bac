"""The modules that functions written in a template can import to answer for a custom resource.

They send to whatever address the response URL has, port and scheme included.
"""

from __future__ import annotations

_PYTHON = '''"""Tells CloudFormation what came of a custom resource."""

import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False,
         reason=None):
    """Send the answer for the request in event."""
    answer = {
        "Status": responseStatus,
        "Reason": reason or "See the log stream: " + context.log_stream_name,
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "NoEcho": noEcho,
        "Data": responseData,
    }
    for member in ("StackId", "RequestId", "LogicalResourceId"):
        answer[member] = event[member]
    request = urllib.request.Request(
        event["ResponseURL"], data=json.dumps(answer).encode(), method="PUT"
    )
    request.add_header("Content-Type", "")
    with urllib.request.urlopen(request) as response:
        print("CloudFormation answered " + str(response.status))
'''

_NODE = """'use strict';
// Tells CloudFormation what came of a custom resource.
exports.SUCCESS = 'SUCCESS';
exports.FAILED = 'FAILED';

exports.send = (event, context, status, data, physicalId, noEcho) => new Promise((resolve) => {
  const body = JSON.stringify({
    Status: status,
    Reason: 'See the log stream: ' + context.logStreamName,
    PhysicalResourceId: physicalId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: data,
  });
  const finish = () => { context.done(); resolve(); };
  const client = require(event.ResponseURL.startsWith('https:') ? 'https' : 'http');
  const headers = { 'content-type': '', 'content-length': Buffer.byteLength(body) };
  const request = client.request(event.ResponseURL, { method: 'PUT', headers }, (answer) => {
    answer.resume();
    answer.on('end', finish);
  });
  request.on('error', (error) => { console.log('No answer was sent: ' + error); finish(); });
  request.end(body);
});
"""


def response_module(*, node: bool) -> dict[str, str]:
    """Return name and source of the module for a runtime."""
    return {"cfn-response.js": _NODE} if node else {"cfnresponse.py": _PYTHON}
