"""Hooks of functions that are restored from a snapshot, by the names of AWS's module.

```python
from snapshot_restore_py import register_after_restore, register_before_snapshot

@register_before_snapshot
def close_connections(): ...

register_after_restore(connect, "db.example.org", port=5432)
```
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Callable, Dict, List, Tuple, TypeVar

    F = TypeVar("F", bound=Callable[..., Any])
    Hook = Tuple[Callable[..., Any], Tuple[Any, ...], Dict[str, Any]]

_before_snapshot: "List[Hook]" = []
_after_restore: "List[Hook]" = []


def register_before_snapshot(func: "F", *args: "Any", **kwargs: "Any") -> "F":
    """Have `func(*args, **kwargs)` called before the snapshot; what is registered last is first.

    Returns the function, so that this can be used as a decorator.
    """
    _before_snapshot.append((func, args, kwargs))
    return func


def register_after_restore(func: "F", *args: "Any", **kwargs: "Any") -> "F":
    """Have `func(*args, **kwargs)` called after every restore, in the order of registration.

    Returns the function, so that this can be used as a decorator.
    """
    _after_restore.append((func, args, kwargs))
    return func


def get_before_snapshot() -> "List[Hook]":
    """Return what is registered for before the snapshot: function, arguments, named ones."""
    return _before_snapshot


def get_after_restore() -> "List[Hook]":
    """Return what is registered for after a restore: function, arguments, named ones."""
    return _after_restore
