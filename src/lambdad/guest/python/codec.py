"""JSON in and out of the handler, as AWS's runtime reads and writes it.

`import json` takes a third of a bare interpreter's start, for regular expressions that its C
accelerator does without: so the accelerator is used alone, and the package only where a text is
wrong and the error must be exact.
"""
# ruff: noqa: PLC0415, TID252

import sys
from _json import encode_basestring, encode_basestring_ascii, make_encoder, make_scanner

from .faults import MARSHAL, UNMARSHAL, Fault

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Tuple

# AWS: python3.12 and later keep characters, earlier ones escape all but ASCII.
_escape: "Callable[[str], str]" = (
    encode_basestring if sys.version_info >= (3, 12) else encode_basestring_ascii
)


class _Rules:
    """What the C scanner wants to know; the same as `json.loads` without arguments."""

    strict = True
    object_hook = object_pairs_hook = array_hook = None
    parse_float = float
    parse_int = int
    parse_constant = {
        "-Infinity": float("-inf"),
        "Infinity": float("inf"),
        "NaN": float("nan"),
    }.__getitem__


_scan = make_scanner(_Rules)  # type: ignore[arg-type]


class _BeyondJson(Exception):
    """A value that AWS's encoder knows and the standard one does not."""


def decode(body: bytes) -> "Any":
    """Return the event.

    Raises:
        Fault: it is not JSON.
    """
    try:
        text = body.decode("utf-8", "surrogatepass").strip(" \t\n\r")
        value, end = _scan(text, 0)
        if end == len(text):
            return value
    except (StopIteration, ValueError, RecursionError, SystemError):
        # Parsed again below for the exact complaint. Before Python 3.11 the accelerator cannot
        # even raise one without the package, which is a SystemError.
        pass
    import json

    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise Fault(UNMARSHAL, "Unable to unmarshal input: %s" % error) from None


def encode(result: object) -> "Tuple[bytes, bytes]":
    """Return the handler's result as bytes, and their content type.

    Raises:
        Fault: it has no form in JSON.
    """
    if isinstance(result, bytes):
        return result, b"application/unknown"
    try:
        return dumps(result).encode("utf-8"), b"application/json"
    except Exception as error:  # noqa: BLE001 - objects of the function may raise anything
        raise Fault(MARSHAL, "Unable to marshal response: %s" % error) from None


def dumps(value: object) -> str:
    """Return a value as JSON text."""
    try:
        text = "".join(_Encoder.plain(value, 0))
        if "[" not in text or not _has_named_tuples():
            return text
    except Exception as error:
        _Encoder.plain = _encoder(_default, _escape)
        # Decimals and bytes, as values or keys; what is really wrong fails again.
        if not isinstance(error, (_BeyondJson, TypeError)):
            raise
    return "".join(_encoder(_default, _escape_all_but_numbers)(_plain(value), 0))


def _encoder(default: "Callable[[Any], Any]", escape: "Callable[[str], str]") -> "Any":
    return make_encoder({}, default, escape, None, ": ", ", ", False, False, True)


class _Encoder:
    """The encoder of most answers. Mutable: made anew when it failed, for it keeps where it was."""

    plain: "Callable[[object, int], Tuple[str, ...]]"


def _default(value: "Any") -> "Any":
    if isinstance(value, bytes) or _is_decimal(value):
        raise _BeyondJson
    raise TypeError("Object of type %s is not JSON serializable" % type(value).__name__)


_Encoder.plain = _encoder(_default, _escape)


def _is_decimal(value: object) -> bool:
    decimal = sys.modules.get("decimal")
    return decimal is not None and isinstance(value, decimal.Decimal)


class _Tuples:
    """What is known of the classes of tuples. Mutable: those that were looked at last."""

    seen: object = None
    named = False


def _has_named_tuples() -> bool:
    """Whether any named tuple class of the function exists; they become JSON objects."""
    kinds = tuple.__subclasses__()
    if kinds != _Tuples.seen:
        known = getattr(sys, "stdlib_module_names", ())
        _Tuples.named = any(
            hasattr(kind, "_asdict") and kind.__module__.partition(".")[0] not in known
            for kind in kinds
        )
        _Tuples.seen = kinds
    return _Tuples.named


class _Number(str):
    """The digits of a Decimal, which go out without quotes."""

    __slots__ = ()


def _escape_all_but_numbers(text: str) -> str:
    return text if type(text) is _Number else _escape(text)


def _plain(value: "Any") -> "Any":
    if isinstance(value, dict):
        return {_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, bytes):
        return value.decode("utf-8")
    if _is_decimal(value):
        return float("nan") if value.is_nan() else _Number(value)
    return value


def _key(key: "Any") -> "Any":
    if isinstance(key, bytes):
        return key.decode("utf-8")
    if key is None or isinstance(key, (str, int, float)):
        return key
    kind = type(key).__name__
    raise TypeError("keys must be str, int, float, bool or None, not " + kind)
