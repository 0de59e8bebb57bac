"""Where a function's modules are found: `sys.path` as AWS lays it out.

The interpreter is started with `-S`, because `site` costs milliseconds and would read the host's
`.pth` files. What functions rely on of `site` is done here: `exit` and `quit`, and
`sitecustomize` when the function configures PYTHONPATH, as tracing layers do.
"""
# ruff: noqa: PLC0415, TID252

import os
import sys

from . import bytecode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

_PLACES = "_LAMBDAD_PYTHON_PATH"


def prepare_ahead() -> None:
    """Do what does not depend on the function: set the builtins that `site` would have set."""
    _add_builtins()
    # What the import system would make when it first looks there. It reads nothing yet.
    place = os.environ.get("LAMBDA_TASK_ROOT", "/var/task")
    for hook in sys.path_hooks:
        try:
            sys.path_importer_cache[place] = hook(place)
        except ImportError:  # noqa: PERF203 - two at most
            continue
        else:
            break


def prepare(environment: "os._Environ[str]") -> None:
    """Set `sys.path`, and let byte code be found.

    The platform says in a variable, which the function does not get to see, where layers and
    last the AWS SDK are: without a sandbox they are elsewhere on each host.
    """
    places = environment.pop(_PLACES, "").split(":")
    first = [environment.get("LAMBDA_TASK_ROOT", "/var/task"), *places[:-1]]
    # The first entry is the directory of the script, which AWS's list does not have.
    sys.path[:] = _unique(first + sys.path[1:] + places[-1:])
    bytecode.prepare(environment)
    runtime = environment.get("LAMBDA_RUNTIME_DIR")
    if environment.get("PYTHONPATH", runtime) != runtime:
        _customize()


def _unique(entries: "List[str]") -> "List[str]":
    seen = set()
    return [entry for entry in entries if entry and not (entry in seen or seen.add(entry))]  # type: ignore[func-returns-value]


def _add_builtins() -> None:
    import _sitebuiltins
    import builtins

    names = builtins.__dict__
    names["exit"] = _sitebuiltins.Quitter("exit", "Ctrl-D (i.e. EOF)")
    names["quit"] = _sitebuiltins.Quitter("quit", "Ctrl-D (i.e. EOF)")
    names["help"] = _sitebuiltins._Helper()


def _customize() -> None:
    try:
        __import__("sitecustomize")
    except ImportError as error:
        if error.name != "sitecustomize":
            raise
