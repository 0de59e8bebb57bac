"""What a function wants done before its snapshot is taken, and after it has been restored.

Functions say it by AWS's module `snapshot_restore_py`. One that brings that package uses its own;
for others, from Python 3.12 on, there is ours, which is found when nothing else is.
"""
# ruff: noqa: PLC0415, TID252

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, NoReturn, Optional, Sequence, Tuple, Union

    from .channel import Channel
    from .client import RuntimeApi
    from .logs import Sink

    Hook = Tuple[Callable[..., Any], Tuple[Any, ...], Dict[str, Any]]

MODULE = "snapshot_restore_py"
BEFORE_SNAPSHOT = "Runtime.BeforeSnapshotError"
AFTER_RESTORE = "Runtime.AfterRestoreError"
_EXITS = {BEFORE_SNAPSHOT: 64, AFTER_RESTORE: 65}
_IDENTIFIER, _FIRST_MINOR = "python3.", 12


class Finder:
    """Finds our `snapshot_restore_py`, as the last one that is asked."""

    @staticmethod
    def find_spec(name: str, path: "Optional[Sequence[str]]" = None, target: "Any" = None) -> "Any":
        """See `importlib.abc.MetaPathFinder`."""
        if name != MODULE or path is not None:
            return None
        from importlib.util import spec_from_file_location

        place = os.path.join(os.path.dirname(__file__), MODULE + ".py")
        return spec_from_file_location(MODULE, place)


def offer() -> None:
    """Let functions import `snapshot_restore_py` without bringing it, as AWS's runtimes do."""
    # Whichever interpreter stands in for it.
    minor = os.environ.get("AWS_EXECUTION_ENV", "").rpartition(_IDENTIFIER)[2]
    if minor.isdigit() and int(minor) >= _FIRST_MINOR:
        sys.meta_path.append(Finder)


def before() -> None:
    """Run what was registered for before the snapshot, what came last first."""
    hooks = _registered("get_before_snapshot")
    while hooks:
        hook, arguments, named = hooks.pop()
        hook(*arguments, **named)


def after() -> None:
    """Run what was registered for after a restore, in its order."""
    for hook, arguments, named in _registered("get_after_restore"):
        hook(*arguments, **named)


def fail(
    api: "Union[RuntimeApi, Channel]", sink: "Sink", error: BaseException, error_type: str
) -> "NoReturn":
    """Say which hook failed and why, and end as AWS's runtime does.

    `error_type` is one of the two that this module has.
    """
    from . import codec, faults, logs

    failure = faults.document(error)
    logs.log_failure(failure, sink)
    logs.flush_streams()
    body = codec.dumps(failure).encode("utf-8", "backslashreplace")
    api.fail_init(body, error_type)
    os._exit(_EXITS[error_type])


def _registered(getter: str) -> "List[Hook]":
    # A function that has not imported it has registered nothing.
    module = sys.modules.get(MODULE)
    get = getattr(module, getter, None)
    return [] if get is None else get()
