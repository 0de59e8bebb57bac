"""Directives of templates, and how each is rendered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lambdad.triggers.vtl.bounds import ITERATIONS_MAX
from lambdad.triggers.vtl.nodes import Expression, Node, Reference, Rendering, render_all
from lambdad.triggers.vtl.values import truthy


class Break(Exception):
    """`#break`: the loop around it ends."""


class Stop(Exception):
    """`#stop`: the template ends."""


@dataclass(frozen=True, slots=True)
class Assign:
    """`#set`."""

    target: Reference
    expression: Expression

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        self.target.assign(self.expression.value(to), to)


@dataclass(frozen=True, slots=True)
class If:
    """`#if`, with each `#elseif`; the last branch may have no condition."""

    branches: Sequence[tuple[Expression | None, Sequence[Node]]]

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        for condition, body in self.branches:
            if condition is None or truthy(condition.value(to)):
                render_all(body, to)
                return


@dataclass(frozen=True, slots=True)
class Foreach:
    """`#foreach`."""

    name: str
    items: Expression
    body: Sequence[Node]

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        found = self.items.value(to)
        items = list(found.values()) if isinstance(found, dict) else found
        if not isinstance(items, list):
            return
        items = items[:ITERATIONS_MAX]
        outer = {name: to.variables.get(name) for name in (self.name, "foreach", "velocityCount")}
        known = set(to.variables)
        depth = to.budget.depth
        for position, item in enumerate(items):
            to.variables[self.name] = item
            to.variables["velocityCount"] = position + 1
            to.variables["foreach"] = _loop(position, len(items), outer["foreach"])
            try:
                render_all(self.body, to)
            except Break:
                to.budget.depth = depth
                break
        for name, value in outer.items():
            if name in known:
                to.variables[name] = value
            else:
                to.variables.pop(name, None)


def _loop(position: int, size: int, outer: Any) -> dict[str, Any]:
    return {
        "index": position,
        "count": position + 1,
        "first": position == 0,
        "last": position == size - 1,
        "hasNext": position < size - 1,
        "parent": outer,
    }


@dataclass(frozen=True, slots=True)
class Define:
    """`#macro`."""

    name: str
    parameters: Sequence[str]
    body: Sequence[Node]

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        to.macros[self.name] = self


@dataclass(frozen=True, slots=True)
class Use:
    """A macro's name with arguments; `source` is put out where there is no such macro."""

    name: str
    arguments: Sequence[Expression]
    source: str

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        macro = to.macros.get(self.name)
        if macro is None:
            to.put(self.source)
            return
        outer = to.variables
        to.budget.spend(64 * len(outer))
        values = [argument.value(to) for argument in self.arguments]
        given = dict(zip(macro.parameters, values, strict=False))
        to.variables = {**outer, **given}
        try:
            render_all(macro.body, to)
        finally:
            inner, to.variables = to.variables, outer
        _keep(outer, inner, given)


def _keep(outer: dict[str, Any], inner: Mapping[str, Any], own: Mapping[str, Any]) -> None:
    """Let assignments of a macro last, but for those to its parameters."""
    outer.update({name: value for name, value in inner.items() if name not in own})


@dataclass(frozen=True, slots=True)
class Leave:
    """`#break` or `#stop`."""

    signal: type[Break | Stop]

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        del to
        raise self.signal
