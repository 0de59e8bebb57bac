"""Whether what a caller names is there: a function, a version or an alias."""

from __future__ import annotations

from lambdad.domain.aliases import alias_key, names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.storage.base import Engine


def exists(engine: Engine, key: FunctionKey, qualifier: str | None = None) -> bool:
    """Whether there is such a function and, if a qualifier is given, such a version or alias."""
    if engine.functions.get(key) is None:
        return False
    if qualifier is None or qualifier == LATEST:
        return True
    if names_alias(qualifier):
        return engine.resources.get(alias_key(key, qualifier)) is not None
    return engine.functions.get(key, qualifier) is not None
