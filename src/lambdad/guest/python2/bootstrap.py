"""A Python 2.7 runtime process: load the handler, then one event after another.

Standard library only. Written so that Python 3 reads it as well, for the tools that check it.
"""
# ruff: noqa: B904, BLE001, RUF005
# mypy: ignore-errors

from __future__ import absolute_import, print_function

import imp
import json
import logging
import os
import socket
import sys
import time
import traceback

PREFIX = "/2018-06-01/runtime/"
HEADER = "lambda-runtime-"
ERROR_TOO_LARGE = {
    "errorType": "Function.ResponseSizeTooLarge",
    "errorMessage": "Response payload size exceeded maximum allowed payload size (6291556 bytes).",
}
current = {"request_id": ""}


class Fault(Exception):
    """The configuration or the answer is wrong, in AWS's words."""

    def __init__(self, error_type, message):
        Exception.__init__(self, message)
        self.document = {"errorType": error_type, "errorMessage": message}


class RuntimeApi(object):
    """The Runtime API over one keep-alive connection."""

    def __init__(self, address):
        host, port = address.rsplit(":", 1)
        self._address = address
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._stream = self._socket.makefile("rb")

    def next(self):
        """Return headers, names in lower case, and body of the next event."""
        _, headers, body = self._exchange("GET", "invocation/next", b"", "")
        return headers, body

    def post(self, path, body, more=""):
        """Post a document; return the HTTP status."""
        return self._exchange("POST", path, body, "Content-Type: application/json\r\n" + more)[0]

    def fail(self, path, document):
        """Post an error."""
        kind = "".join(c for c in str(document["errorType"]) if c.isalnum() or c in "._")
        more = "Lambda-Runtime-Function-Error-Type: %s\r\n" % kind
        self.post(path, json.dumps(document).encode("utf-8"), more)

    def _exchange(self, method, path, body, more):
        head = "%s %s%s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n%s\r\n"
        head = head % (method, PREFIX, path, self._address, len(body), more)
        self._socket.sendall(head.encode("ascii") + body)
        status = int(self._line().split(" ", 2)[1])
        headers = {}
        while True:
            line = self._line()
            if not line:
                break
            name, value = line.split(":", 1)
            headers[name.lower()] = value.strip()
        return status, headers, self._stream.read(int(headers.get("content-length", 0)))

    def _line(self):
        line = self._stream.readline()
        if not line:
            # The platform has given this environment up: nobody is left to be told more.
            os._exit(1)
        return line.decode("utf-8").rstrip("\r\n")


class Members(object):
    """Something with members of given names; those that are not given are None."""

    def __init__(self, names, values):
        for name in names:
            setattr(self, name, values.get(name))


class Context(object):
    """What a handler may know of its invocation."""

    def __init__(self, headers):
        self.aws_request_id = headers[HEADER + "aws-request-id"]
        self.invoked_function_arn = headers.get(HEADER + "invoked-function-arn")
        self.function_name = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
        self.function_version = os.environ.get("AWS_LAMBDA_FUNCTION_VERSION")
        self.memory_limit_in_mb = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE")
        self.log_group_name = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME")
        self.log_stream_name = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME")
        identity = json.loads(headers.get(HEADER + "cognito-identity", "{}"))
        self.identity = Members(("cognito_identity_id", "cognito_identity_pool_id"), {})
        self.identity.cognito_identity_id = identity.get("cognitoIdentityId")
        self.identity.cognito_identity_pool_id = identity.get("cognitoIdentityPoolId")
        self.client_context = None
        if HEADER + "client-context" in headers:
            self.client_context = self._client(json.loads(headers[HEADER + "client-context"]))
        self._deadline_ms = int(headers.get(HEADER + "deadline-ms", 0))

    @staticmethod
    def _client(document):
        names = ("app_package_name", "app_title", "app_version_code", "app_version_name")
        client = Members(("custom", "env", "client"), document)
        client.client = Members(("installation_id",) + names, document.get("client") or {})
        return client

    def get_remaining_time_in_millis(self):
        """Return milliseconds until the platform ends the process."""
        return max(0, self._deadline_ms - int(time.time() * 1000))

    @staticmethod
    def log(text):
        """Write to the log."""
        print(text, end="")


class Records(logging.Handler):
    """Writes what is logged to the console, with the level and the invocation."""

    def emit(self, record):
        """Write one record."""
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        text = self.format(record)
        if isinstance(text, bytes):
            text = text.decode("utf-8", "replace")
        moment = "%s.%03dZ" % (stamp, record.msecs)
        line = "[%s]\t%s\t%s\t%s\n" % (record.levelname, moment, current["request_id"], text)
        sys.stdout.write(line.encode("utf-8"))


def load(name, root):
    """Return the configured handler, `folder/file.function`."""
    if "." not in name:
        raise Fault("Runtime.MalformedHandlerName", "Bad handler '%s': %s" % (name, "no dot"))
    module_name, function = name.rsplit(".", 1)
    try:
        folder, _, last = module_name.rpartition("/")
        found = imp.find_module(last, [os.path.join(root, folder)] if folder else None)
        module = imp.load_module(module_name.replace("/", "."), *found)
    except ImportError as error:
        text = "Unable to import module '%s': %s" % (module_name, error)
        raise Fault("Runtime.ImportModuleError", text)
    except SyntaxError as error:
        text = "Syntax error in module '%s': %s" % (module_name, error)
        raise Fault("Runtime.UserCodeSyntaxError", text)
    try:
        return getattr(module, function)
    except AttributeError:
        text = "Handler '%s' missing on module '%s'" % (function, module_name)
        raise Fault("Runtime.HandlerNotFound", text)


def describe(error, trace):
    """Return the document of what a handler raised."""
    if isinstance(error, Fault):
        return error.document
    message = error.args[0] if len(error.args) == 1 else error
    if not isinstance(message, type("")):
        message = str(message).decode("utf-8", "replace")
    frames = [list(frame) for frame in traceback.extract_tb(trace)[1:]]
    document = {"errorMessage": message, "errorType": type(error).__name__}
    document["stackTrace"] = frames
    return document


def say(document):
    """Log a failure."""
    kind, text = document["errorType"], document["errorMessage"]
    lines = ["[ERROR] %s: %s" % (kind, text)]
    lines += ["  File %s, line %s, in %s" % tuple(f[:3]) for f in document.get("stackTrace", ())]
    # One line is one log event, so a record may not have more.
    sys.stdout.write("\r".join(lines).encode("utf-8") + b"\n")
    sys.stdout.flush()


def serve(api, handler):
    """Serve one event."""
    headers, body = api.next()
    context = Context(headers)
    current["request_id"] = context.aws_request_id
    if HEADER + "trace-id" in headers:
        os.environ["_X_AMZN_TRACE_ID"] = headers[HEADER + "trace-id"].encode("ascii")
    path = "invocation/%s/" % context.aws_request_id
    try:
        result = handler(json.loads(body), context)
        try:
            answer = json.dumps(result)
        except (TypeError, ValueError) as error:
            raise Fault("Runtime.MarshalError", "Unable to marshal response: %s" % error)
    except SystemExit:
        sys.stdout.flush()
        raise
    except BaseException as error:
        document = describe(error, sys.exc_info()[2])
        say(document)
        api.fail(path + "error", document)
        return
    sys.stdout.flush()
    if api.post(path + "response", answer) == 413:
        api.fail(path + "error", ERROR_TOO_LARGE)


def main():
    """Serve until the platform ends the process."""
    # What functions print may be of any alphabet.
    reload(sys)  # noqa: F821 - Python 2
    sys.setdefaultencoding("utf-8")
    root = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    for place in os.environ.pop("_LAMBDAD_PYTHON_PATH", "").split(":"):
        sys.path.append(place)
    sys.path[0] = root
    logging.getLogger().addHandler(Records())
    api = RuntimeApi(os.environ["AWS_LAMBDA_RUNTIME_API"])
    try:
        handler = load(os.environ.get("_HANDLER", ""), root)
    except BaseException as error:
        document = describe(error, sys.exc_info()[2])
        say(document)
        api.fail("init/error", document)
        sys.exit(1)
    while True:
        serve(api, handler)


main()
