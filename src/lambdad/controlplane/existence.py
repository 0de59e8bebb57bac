"""Whether what a caller names is there, a function, a version or an alias, and knows no tenants."""

from __future__ import annotations

from lambdad.domain.aliases import alias_key, names_alias
from lambdad.domain.arns import LATEST, FunctionKey
from lambdad.domain.tenancy import refuse_tenants
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


def refuse_tenants_of(engine: Engine, key: FunctionKey, feature: str) -> None:
    """Refuse to combine a function that isolates tenants with a feature that knows none.

    Raises:
        InvalidParameterValueException: it isolates tenants.
    """
    function = engine.functions.get(key)
    if function is not None:
        refuse_tenants(function, feature)
