"""Which resource has to wait for which. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.template import depends_on, references

Dependencies = Mapping[str, frozenset[str]]


def dependencies(resources: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Return for each resource those of the others that it needs.

    Raises:
        ValidationError: some need each other.
    """
    found = {
        name: frozenset(
            each
            for each in (*references(resource.get("Properties") or {}), *depends_on(resource))
            if each in resources
        )
        for name, resource in resources.items()
    }
    in_order(found)
    return found


def in_order(needs: Dependencies) -> list[str]:
    """Return the names so that each comes after what it needs.

    Raises:
        ValidationError: some need each other.
    """
    done: set[str] = set()
    order: list[str] = []
    left = dict(needs)
    while left:
        ready = [name for name, wanted in left.items() if wanted <= done or not wanted - done]
        if not ready:
            raise ValidationError(
                f"Circular dependency between resources: [{', '.join(sorted(_cycle(left)))}]"
            )
        order += ready
        done.update(ready)
        for name in ready:
            del left[name]
    return order


def _cycle(left: Mapping[str, Collection[str]]) -> set[str]:
    """Return what is left when all that nobody needs is taken away."""
    found = dict(left)
    while True:
        needed = {each for name, wanted in found.items() for each in wanted if name in found}
        outside = [name for name in found if name not in needed]
        if not outside:
            return set(found)
        for name in outside:
            del found[name]


def reversed_needs(needs: Dependencies) -> dict[str, frozenset[str]]:
    """Return for each name those that need it: the order of deletion."""
    found: dict[str, set[str]] = {name: set() for name in needs}
    for name, wanted in needs.items():
        for each in wanted:
            if each in found:
                found[each].add(name)
    return {name: frozenset(users) for name, users in found.items()}
