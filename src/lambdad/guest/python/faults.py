"""Error documents: what a failing function's caller receives.

Shapes and texts are AWS's Python runtime interface client's.
"""
# ruff: noqa: PLC0415

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any, Dict, List, Optional

    Document = Dict[str, Any]

MALFORMED_HANDLER = "Runtime.MalformedHandlerName"
BUILT_IN_MODULE = "Runtime.BuiltInModuleConflict"
IMPORT_MODULE = "Runtime.ImportModuleError"
SYNTAX = "Runtime.UserCodeSyntaxError"
HANDLER_NOT_FOUND = "Runtime.HandlerNotFound"
MARSHAL = "Runtime.MarshalError"
UNMARSHAL = "Runtime.UnmarshalError"
CONTEXT_UNMARSHAL = "Runtime.LambdaContextUnmarshalError"
RESPONSE_TOO_LARGE = "Function.ResponseSizeTooLarge"

_OWN_DIRECTORY = __file__.rpartition("/")[0] + "/"


class Fault(Exception):
    """The function cannot be run, or its answer not be sent, for a reason AWS has a name for."""

    def __init__(self, error_type: str, message: str, trace: "Optional[List[str]]" = None) -> None:
        super().__init__(message)
        self.error_type = error_type
        self.message = message
        self.trace = trace or []


def document(error: BaseException, request_id: str = "") -> "Document":
    """Describe an exception; `request_id` stays empty while initialising."""
    if isinstance(error, Fault):
        return _document(error.message, error.error_type, error.trace, request_id)
    trace = _format(error.__traceback__)
    return _document(str(error), type(error).__name__, trace, request_id)


def too_large(size_max: int = 6291556) -> "Document":
    """Describe an answer that the platform refused to carry; `size_max` in bytes."""
    return {
        "errorMessage": "Response payload size exceeded maximum allowed payload size (%d bytes)."
        % size_max,
        "errorType": RESPONSE_TOO_LARGE,
    }


def _document(message: str, error_type: str, trace: "List[str]", request_id: str) -> "Document":
    result: "Document" = {"errorMessage": message, "errorType": error_type}
    # AWS: python3.8 and older do not name the request.
    if sys.version_info >= (3, 9):
        result["requestId"] = request_id
    result["stackTrace"] = trace
    return result


def _format(trace: "Optional[TracebackType]") -> "List[str]":
    import traceback

    frames = [
        (frame.filename, frame.lineno, frame.name, frame.line)
        for frame in traceback.extract_tb(trace)
    ]
    while frames and frames[0][0].startswith(_OWN_DIRECTORY):
        del frames[0]
    return traceback.format_list(frames)  # type: ignore[arg-type]
