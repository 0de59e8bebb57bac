"""From the configured handler, `package/module.function`, to the function to call."""
# ruff: noqa: PLC0415, TID252

import sys

from .faults import (
    BUILT_IN_MODULE,
    HANDLER_NOT_FOUND,
    IMPORT_MODULE,
    MALFORMED_HANDLER,
    SYNTAX,
    Fault,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable

    Handler = Callable[[Any, Any], Any]


def resolve(name: str) -> "Handler":
    """Import the function's module and return its handler.

    Raises:
        Fault: AWS's error for a name, a module or an attribute that is wrong.
        BaseException: whatever the module itself raises.
    """
    try:
        module_name, function_name = name.rsplit(".", 1)
    except ValueError as error:
        raise Fault(MALFORMED_HANDLER, "Bad handler '%s': %s" % (name, error)) from None
    module = _import(module_name)
    try:
        handler = getattr(module, function_name)
    except AttributeError:
        message = "Handler '%s' missing on module '%s'" % (function_name, module_name)
        raise Fault(HANDLER_NOT_FOUND, message) from None
    return handler  # type: ignore[no-any-return]


def _import(name: str) -> "Any":
    if name.split(".", maxsplit=1)[0] in sys.builtin_module_names:
        message = "Cannot use built-in module %s as a handler module" % name
        raise Fault(BUILT_IN_MODULE, message)
    from importlib import import_module

    try:
        return import_module(name.replace("/", "."))
    except ImportError as error:
        message = "Unable to import module '%s': %s" % (name, error)
        raise Fault(IMPORT_MODULE, message) from None
    except SyntaxError as error:
        trace = ['  File "%s" Line %s\n    %s' % (error.filename, error.lineno, error.text)]
        raise Fault(SYNTAX, "Syntax error in module '%s': %s" % (name, error), trace) from None
