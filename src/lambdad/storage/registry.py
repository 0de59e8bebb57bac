"""Storage engines by name. Decides which class a name means; knows no engine itself."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import cast

from lambdad.domain.errors import HostUnfit
from lambdad.storage.base import Engine

GROUP = "lambdad.storage_engines"


def engine(name: str) -> type[Engine]:
    """Return the class registered under an entry point of the group `lambdad.storage_engines`.

    Raises:
        HostUnfit: no installed distribution registers that name.
    """
    points = entry_points(group=GROUP)
    for point in points.select(name=name):
        # What an entry point names cannot be known to a type checker; the contract suite checks it.
        return cast("type[Engine]", point.load())
    known = ", ".join(sorted({point.name for point in points})) or "none is installed"
    raise HostUnfit(f"There is no storage engine {name!r}.", f"Choose one of: {known}.")
