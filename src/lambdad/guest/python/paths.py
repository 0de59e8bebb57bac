"""Where a function's modules are found: `sys.path` as AWS lays it out.

The interpreter is started with `-S`, because `site` costs milliseconds and would read the host's
`.pth` files. What functions rely on of `site` is done here: `exit` and `quit`, and
`sitecustomize` when the function configures PYTHONPATH, as tracing layers do.
"""
# ruff: noqa: PLC0415

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import List

_RUNTIME_SUFFIX = "/var/runtime"


def prepare(environment: "os._Environ[str]") -> None:
    """Set `sys.path` and the builtins that `site` would have set."""
    task = environment.get("LAMBDA_TASK_ROOT", "/var/task")
    runtime = environment.get("LAMBDA_RUNTIME_DIR", _RUNTIME_SUFFIX)
    # Below another root when nothing isolates the process, else below "".
    root = runtime[: -len(_RUNTIME_SUFFIX)] if runtime.endswith(_RUNTIME_SUFFIX) else ""
    packages = "/lib/python%d.%d/site-packages" % sys.version_info[:2]
    first = [task, root + "/opt/python" + packages, root + "/opt/python"]
    last = [root + "/var/lang" + packages]
    # The first entry is the directory of the script, which AWS's list does not have.
    sys.path[:] = _unique(first + sys.path[1:] + last)
    _add_builtins()
    if environment.get("PYTHONPATH", runtime) != runtime:
        _customize()


def _unique(entries: "List[str]") -> "List[str]":
    seen = set()
    return [entry for entry in entries if not (entry in seen or seen.add(entry))]  # type: ignore[func-returns-value]


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
