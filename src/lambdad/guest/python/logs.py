"""What reaches the function's log besides plain output: records of `logging`, and failures.

Framed records go to the descriptor in `_LAMBDA_TELEMETRY_LOG_FD`, so that one of several lines
stays one log event; without it they go to standard output.
"""
# ruff: noqa: PLC0415, TID252

import os
import sys
from time import gmtime, strftime, time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, List, Optional

    from .faults import Document

TEXT_FRAME = 0xA55A0003
JSON_FRAME = 0xA55A0002
ERROR_LEVEL = 0x14

_INIT_WARNING = (
    "LAMBDA_WARNING: Unhandled exception. The most likely cause is an issue in the function code. "
    "However, in rare cases, a Lambda runtime update can cause unexpected function behavior."
)


class Current:
    """The invocation that log records belong to. Mutable: set by the loop for each event."""

    __slots__ = ("request_id", "tenant_id")

    def __init__(self) -> None:
        self.request_id: "Optional[str]" = None
        self.tenant_id: "Optional[str]" = None


CURRENT = Current()


class Sink:
    """Where records go when the platform takes no frames: standard output."""

    framed = False

    def write(self, message: str, frame: int = TEXT_FRAME) -> None:
        """Write one record as it is."""
        sys.stdout.write(message)

    def write_error(self, lines: "List[str]", frame: int) -> None:
        """Write one record of several lines so that it stays one log event."""
        sys.stdout.write("\r".join(lines) + "\n")


class FramedSink(Sink):
    """The platform's pipe for records: type, length, microseconds, message; big-endian."""

    framed = True

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        os.set_inheritable(descriptor, False)

    def write(self, message: str, frame: int = TEXT_FRAME) -> None:
        """Write one framed record."""
        data = message.encode("utf-8", "backslashreplace")
        head = frame.to_bytes(4, "big") + len(data).to_bytes(4, "big")
        rest = memoryview(head + int(time() * 1_000_000).to_bytes(8, "big") + data)
        while rest:
            rest = rest[os.write(self._descriptor, rest) :]

    def write_error(self, lines: "List[str]", frame: int) -> None:
        """Write one framed record of several lines."""
        self.write("\n".join(lines), frame)


def open_sink() -> Sink:
    """Return where records go; the descriptor's variable is not for the function to see."""
    descriptor = os.environ.pop("_LAMBDA_TELEMETRY_LOG_FD", "")
    return FramedSink(int(descriptor)) if descriptor.isdigit() else Sink()


def prepare_streams() -> None:
    """Make standard output and error UTF-8 and write each line when it is complete."""
    for name in ("stdout", "stderr"):
        stream: "Any" = getattr(sys, name)
        if hasattr(stream, "reconfigure"):
            utf8 = stream.encoding.lower().replace("-", "") == "utf8"
            encoding = {} if utf8 else {"encoding": "utf-8"}
            stream.reconfigure(line_buffering=True, **encoding)
        else:
            import io

            new = io.TextIOWrapper(stream.detach(), "utf-8", stream.errors, line_buffering=True)
            setattr(sys, name, new)


def flush_streams() -> None:
    """Write what the handler printed without ending its line."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (AttributeError, OSError, ValueError):
        _flush_what_is_left()


def _flush_what_is_left() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (AttributeError, OSError, ValueError):  # noqa: PERF203 - free where it counts
            # The function closed or replaced it: there is nothing of ours to write.
            continue


def wants_json() -> bool:
    """Whether the function is configured to log in JSON."""
    return os.environ.get("AWS_LAMBDA_LOG_FORMAT", "").upper() == "JSON"


def log_failure(document: "Document", sink: Sink) -> None:
    """Log an error document as AWS logs an unhandled exception."""
    if wants_json():
        from .codec import dumps

        stamp = {"timestamp": strftime("%Y-%m-%dT%H:%M:%SZ", gmtime()), "level": "ERROR"}
        sink.write_error([dumps(dict(stamp, **document))], JSON_FRAME | ERROR_LEVEL)
        return
    title = "[ERROR] %s" % document["errorType"]
    if document["errorMessage"]:
        title += ": %s" % document["errorMessage"]
    lines = [title, "Traceback (most recent call last):"]
    for entry in document["stackTrace"]:
        lines.extend(_indent(line) for line in entry.splitlines() or [""])
    sink.write_error(lines, TEXT_FRAME | ERROR_LEVEL)


def _indent(line: str) -> str:
    # Blanks at the start would be cut by consoles; AWS writes no-break spaces.
    bare = line.lstrip(" ")
    return "\u00a0" * (len(line) - len(bare)) + bare


def warn_of_init_failure() -> None:
    """Log AWS's remark that precedes the error of a failed init."""
    import logging

    logging.warning(_INIT_WARNING)  # noqa: LOG015 - the record belongs to no module


class LoggingWatcher:
    """Configures the root logger at the moment `logging` is imported.

    AWS's runtime does it at start, but the package costs some 10 ms that most small functions
    need not spend. A finder on `sys.meta_path` notices the first import and then leaves.
    """

    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def find_spec(self, name: str, path: "Any" = None, target: "Any" = None) -> "Any":
        """Find `logging` by the other finders and add a step after its execution."""
        if name != "logging":
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                break
        else:
            return None
        self._extend(spec.loader)
        return spec

    def _extend(self, loader: "Any") -> None:
        execute = loader.exec_module

        def exec_module(module: "Any") -> None:
            execute(module)
            # A function's own module of that name is none of ours.
            if hasattr(module, "getLogger") and hasattr(module, "Handler"):
                from .records import configure

                configure(self._sink)

        loader.exec_module = exec_module
