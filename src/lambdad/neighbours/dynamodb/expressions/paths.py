"""Document paths: `info.ratings[2].#stars`, what they lead to, and which of them collide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from lambdad.neighbours.dynamodb.errors import ValidationException
from lambdad.neighbours.dynamodb.expressions.reserved import RESERVED
from lambdad.neighbours.dynamodb.expressions.tokens import Placeholders, Tokens
from lambdad.neighbours.dynamodb.values import Item, Value

# Names of attributes and map entries, indexes of list elements; the first is a name.
Path = tuple[str | int, ...]


def parse_path(tokens: Tokens, placeholders: Placeholders) -> Path:
    """Read a path."""
    elements: list[str | int] = [_name(tokens, placeholders)]
    while True:
        if tokens.takes("."):
            elements.append(_name(tokens, placeholders))
        elif tokens.takes("["):
            if tokens.next.kind != "number":
                raise tokens.unexpected()
            elements.append(int(tokens.take().text))
            tokens.expect("]")
        else:
            return tuple(elements)


def _name(tokens: Tokens, placeholders: Placeholders) -> str:
    token = tokens.next
    if token.kind == "sharp":
        return placeholders.name(tokens.take().text, tokens.expression)
    if token.kind != "name":
        raise tokens.unexpected()
    if token.text.upper() in RESERVED:
        raise tokens.refusal(
            f"Attribute name is a reserved keyword; reserved keyword: {token.text}"
        )
    return tokens.take().text


def shown(path: Path) -> str:
    """Return a path as refusals show it: `[info, ratings, [2]]`."""
    return f"[{', '.join(f'[{each}]' if isinstance(each, int) else each for each in path)}]"


def follow(item: Mapping[str, Value], path: Path) -> Value | None:
    """Return the value that a path leads to, or None."""
    value: Value | None = item.get(path[0])  # type: ignore[arg-type]
    for element in path[1:]:
        if value is None:
            return None
        if isinstance(element, int):
            members = value.get("L")
            value = members[element] if members is not None and element < len(members) else None
        else:
            value = value["M"].get(element) if "M" in value else None
    return value


def check_apart(paths: Sequence[Path], expression: str) -> None:
    """Refuse paths of which one leads into another, or that cannot both exist."""
    for one, other in combinations(paths, 2):
        both = f"path one: {shown(one)}, path two: {shown(other)}"
        for left, right in zip(one, other, strict=False):
            if left != right:
                if isinstance(left, int) != isinstance(right, int):
                    raise ValidationException(
                        f"Invalid {expression}: Two document paths conflict with each other; must "
                        f"remove or rewrite one of these paths; {both}"
                    )
                break
        else:
            raise ValidationException(
                f"Invalid {expression}: Two document paths overlap with each other; must remove or "
                f"rewrite one of these paths; {both}"
            )


def project(item: Mapping[str, Value], paths: Sequence[Path]) -> Item:
    """Return the parts of an item that paths lead to, each at its place; lists close up."""
    wanted: dict[str | int, Any] = {}
    for path in paths:
        node = wanted
        for element in path[:-1]:
            node = node.setdefault(element, {})
        node[path[-1]] = None
    found: Item = {}
    for name, rest in wanted.items():
        value = item.get(name)  # type: ignore[arg-type]
        part = None if value is None else _part(value, rest)
        if part is not None:
            found[str(name)] = part
    return found


def _part(value: Value, wanted: dict[str | int, Any] | None) -> Value | None:
    if wanted is None:
        return value
    if "M" in value:
        entries = ((name, value["M"].get(name), rest) for name, rest in wanted.items())
        parts = {
            name: part
            for name, entry, rest in entries
            if entry is not None and (part := _part(entry, rest)) is not None
        }
        return {"M": parts} if parts else None
    if "L" in value:
        members = value["L"]
        indexes = sorted(each for each in wanted if isinstance(each, int) and each < len(members))
        found = [_part(members[index], wanted[index]) for index in indexes]
        kept = [part for part in found if part is not None]
        return {"L": kept} if kept else None
    return None


def parse_projection(text: str, placeholders: Placeholders) -> list[Path]:
    """Return the paths of a projection expression."""
    tokens = Tokens(text, "ProjectionExpression")
    paths = [parse_path(tokens, placeholders)]
    while tokens.takes(","):
        paths.append(parse_path(tokens, placeholders))
    if tokens.next.kind != "end":
        raise tokens.unexpected()
    check_apart(paths, "ProjectionExpression")
    return paths
