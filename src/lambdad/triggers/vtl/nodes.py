"""What a template is made of once it is read: text, references, expressions. See `directives`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from lambdad.triggers.vtl import methods
from lambdad.triggers.vtl.bounds import ITERATIONS_MAX, TEXT_MAX, Budget, TemplateFailed
from lambdad.triggers.vtl.values import computed, equal, text_of, truthy, whole_number


@dataclass(eq=False, slots=True)
class Rendering:
    """A template being rendered. Mutable.

    Attributes:
        variables: by name, without the `$`.
        size: characters that were put out so far.
        macros: `Define` directives by the macro's name.
    """

    variables: dict[str, Any]
    budget: Budget = field(default_factory=Budget)
    pieces: list[str] = field(default_factory=list)
    size: int = 0
    macros: dict[str, Any] = field(default_factory=dict)

    def put(self, text: str) -> None:
        """Add to the output.

        Raises:
            TemplateFailed: it is more than a template may put out.
        """
        self.size += len(text)
        if self.size > TEXT_MAX:
            raise TemplateFailed("the template makes more than 10 MB of text")
        self.pieces.append(text)


class Node(Protocol):
    """A part of a template."""

    def render(self, to: Rendering) -> None:
        """Put out what it stands for."""
        ...


class Expression(Protocol):
    """A part of a directive."""

    def value(self, to: Rendering) -> Any:
        """Return what it is now."""
        ...


def render_all(nodes: Sequence[Node], to: Rendering) -> None:
    """Render one part after the other."""
    to.budget.enter()
    for node in nodes:
        to.budget.spend()
        node.render(to)
    to.budget.leave()


@dataclass(frozen=True, slots=True)
class Text:
    """Text as it stands."""

    text: str

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        to.put(self.text)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text in single quotes, true, false or null."""

    literal: Any

    def value(self, to: Rendering) -> Any:
        """See `Expression`."""
        del to
        return self.literal


@dataclass(frozen=True, slots=True)
class Interpolated:
    """A text in double quotes, which is a template itself."""

    nodes: Sequence[Node]

    def value(self, to: Rendering) -> str:
        """See `Expression`."""
        pieces, size = to.pieces, to.size
        to.pieces, to.size = [], 0
        try:
            render_all(self.nodes, to)
            text = "".join(to.pieces)
        finally:
            to.pieces, to.size = pieces, size
        to.budget.spend(len(text))
        return text


@dataclass(frozen=True, slots=True)
class Member:
    """`.name`."""

    name: str

    def of(self, value: Any, to: Rendering) -> Any:
        """Return it of a value."""
        return methods.member(value, self.name, to.budget)


@dataclass(frozen=True, slots=True)
class Call:
    """`.name(...)`."""

    name: str
    arguments: Sequence[Expression]

    def of(self, value: Any, to: Rendering) -> Any:
        """Return what it returns for a value."""
        arguments = [argument.value(to) for argument in self.arguments]
        return methods.call(value, self.name, arguments, to.budget)


@dataclass(frozen=True, slots=True)
class Index:
    """`[...]`."""

    index: Expression

    def of(self, value: Any, to: Rendering) -> Any:
        """Return what stands there."""
        return methods.item(value, self.index.value(to))


@dataclass(frozen=True, slots=True)
class Reference:
    """`$name`, with what follows; `source` is put out where there is no such variable."""

    name: str
    accessors: Sequence[Member | Call | Index]
    source: str
    quiet: bool

    def value(self, to: Rendering) -> Any:
        """See `Expression`."""
        return self._walk(to, self.accessors)

    def _walk(self, to: Rendering, accessors: Sequence[Member | Call | Index]) -> Any:
        to.budget.spend()
        value = to.variables.get(self.name)
        for accessor in accessors:
            if value is None:
                return None
            value = accessor.of(value, to)
        return value

    def render(self, to: Rendering) -> None:
        """See `Node`."""
        value = self.value(to)
        if value is not None:
            to.put(text_of(value, to.budget))
        elif not self.quiet and self.name not in to.variables:
            to.put(self.source)

    def assign(self, value: Any, to: Rendering) -> None:
        """Give what is referred to another value."""
        if not self.accessors:
            to.variables[self.name] = value
            return
        owner = self._walk(to, self.accessors[:-1])
        last = self.accessors[-1]
        if isinstance(last, Member):
            methods.put_item(owner, last.name, value)
        elif isinstance(last, Index):
            methods.put_item(owner, last.index.value(to), value)
        else:
            raise TemplateFailed("a method's result cannot be set")


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    items: Sequence[Expression]

    def value(self, to: Rendering) -> list[Any]:
        """See `Expression`."""
        to.budget.spend()
        return [item.value(to) for item in self.items]


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{"a": b}`."""

    members: Sequence[tuple[Expression, Expression]]

    def value(self, to: Rendering) -> dict[Any, Any]:
        """See `Expression`."""
        to.budget.spend()
        return {text_of(name.value(to), to.budget): each.value(to) for name, each in self.members}


@dataclass(frozen=True, slots=True)
class Range:
    """`[1..n]`, upwards or downwards."""

    first: Expression
    last: Expression

    def value(self, to: Rendering) -> list[int] | None:
        """See `Expression`."""
        first, last = self.first.value(to), self.last.value(to)
        if not isinstance(first, int) or not isinstance(last, int):
            return None
        if abs(last - first) >= ITERATIONS_MAX * 10:
            raise TemplateFailed("a range is too long")
        to.budget.spend(abs(last - first))
        return list(range(first, last + 1) if first <= last else range(first, last - 1, -1))


@dataclass(frozen=True, slots=True)
class Operation:
    """Two operands and what stands between."""

    operator: str
    left: Expression
    right: Expression

    def value(self, to: Rendering) -> Any:
        """See `Expression`."""
        to.budget.spend()
        left = self.left.value(to)
        if self.operator == "&&":
            return truthy(left) and truthy(self.right.value(to))
        if self.operator == "||":
            return truthy(left) or truthy(self.right.value(to))
        right = self.right.value(to)
        if self.operator in ("==", "!="):
            return equal(left, right, to.budget) is (self.operator == "==")
        return computed(self.operator, left, right, to.budget)


@dataclass(frozen=True, slots=True)
class Not:
    """`!`."""

    operand: Expression

    def value(self, to: Rendering) -> bool:
        """See `Expression`."""
        return not truthy(self.operand.value(to))


@dataclass(frozen=True, slots=True)
class Negative:
    """`-`, before an operand."""

    operand: Expression

    def value(self, to: Rendering) -> Any:
        """See `Expression`."""
        value = self.operand.value(to)
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return whole_number(-value) if isinstance(value, int) else -value
