"""Records of the `logging` package in Lambda's text and JSON formats.

Imported only once a function uses `logging`.
"""
# ruff: noqa: TID252

import json
import logging
import os
import traceback
from time import gmtime

from .logs import CURRENT, JSON_FRAME, TEXT_FRAME, Sink, wants_json

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Dict

_TEXT = "[%(levelname)s]\t%(asctime)s.%(msecs)03dZ\t%(aws_request_id)s\t%(message)s\n"
_FRAME_LEVELS = {0: 0, 10: 0x8, 20: 0xC, 30: 0x10, 40: 0x14, 50: 0x18}
# What `logging` itself puts on a record: everything else was given as `extra`.
_STANDARD = set(logging.makeLogRecord({}).__dict__) | {
    "aws_request_id",
    "tenant_id",
    "taskName",
    "message",
    "asctime",
}


def configure(sink: Sink) -> None:
    """Give the root logger the handler AWS gives it, and the configured level."""
    logging.Formatter.converter = gmtime
    level = os.environ.get("AWS_LAMBDA_LOG_LEVEL", "").upper()
    level = "DEBUG" if level == "TRACE" else level
    handler = LambdaLoggerHandler(sink, by_level=bool(level) or wants_json())
    if wants_json():
        handler.setFormatter(JsonFormatter())
    else:
        handler.setFormatter(logging.Formatter(_TEXT, "%Y-%m-%dT%H:%M:%S"))
    handler.addFilter(_identify)
    root = logging.getLogger()
    if isinstance(logging.getLevelName(level), int):
        root.setLevel(level)
    root.addHandler(handler)


def _identify(record: logging.LogRecord) -> bool:
    record.aws_request_id = CURRENT.request_id or ""
    record.tenant_id = CURRENT.tenant_id
    return True


def _rounded(level: int) -> int:
    return min(50, max(0, level)) // 10 * 10


class LambdaLoggerHandler(logging.Handler):
    """Hands records to the sink; `log_sink` is what libraries recognise AWS's handler by."""

    def __init__(self, sink: Sink, by_level: bool) -> None:
        super().__init__()
        self.log_sink = sink
        self._frame = JSON_FRAME if wants_json() else TEXT_FRAME
        self._by_level = by_level

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        level = _FRAME_LEVELS[_rounded(record.levelno)] if self._by_level else 0
        self.log_sink.write(self.format(record), self._frame | level)


class JsonFormatter(logging.Formatter):
    """One JSON object a record."""

    def __init__(self) -> None:
        super().__init__(datefmt="%Y-%m-%dT%H:%M:%SZ")

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as a line of JSON."""
        as_it_is = isinstance(record.msg, dict) and not record.args
        fields: "Dict[str, Any]" = {
            "timestamp": self.formatTime(record, self.datefmt),
            "level": logging.getLevelName(_rounded(record.levelno)),
            "message": record.msg if as_it_is else record.getMessage(),
            "logger": record.name,
        }
        fields.update(_exception(record))
        fields["requestId"] = record.__dict__.get("aws_request_id")
        if record.exc_info:
            fields["location"] = "%s:%s:%d" % (record.pathname, record.funcName, record.lineno)
        fields["tenantId"] = record.__dict__.get("tenant_id")
        for name, value in record.__dict__.items():
            if name not in _STANDARD:
                fields.setdefault(name, value)
        present = {name: value for name, value in fields.items() if value is not None}
        return json.dumps(present, ensure_ascii=False, default=str) + "\n"


def _exception(record: logging.LogRecord) -> "Dict[str, Any]":
    if not record.exc_info or record.exc_info[0] is None:
        return {}
    kind, error, trace = record.exc_info
    return {
        "stackTrace": traceback.format_tb(trace),
        "errorType": kind.__name__,
        "errorMessage": str(error),
    }
