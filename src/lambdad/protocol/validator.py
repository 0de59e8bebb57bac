"""Constraints of the service model, refused with AWS's own sentences.

Decides whether parameters satisfy the model: required members, enumerations, patterns, lengths
and ranges. Refuses to know anything that the model does not say; what an operation demands
beyond it is the operation's business.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from lambdad.protocol.errors import ValidationError
from lambdad.protocol.java_text import java_text
from lambdad.protocol.patterns import compile_pattern

_NOT_NULL = "Member must not be null"
_MAX_VIOLATIONS = 100


def validate(
    operation: OperationModel, params: Mapping[str, Any], *, lenient: Collection[str] = ()
) -> None:
    """Check parsed parameters against the constraints of the model.

    `lenient` names top-level members whose constraints are not checked, because the service
    itself words their violations in its own way.

    Raises:
        ValidationError: with all violations in one text, in the model's order.
    """
    shape = operation.input_shape
    if shape is None:
        return
    found: list[str] = []
    for member in _members(shape):
        value = params.get(member.name)
        if (value is not None or member.required) and member.name not in lenient:
            _check_member(member, value, member.camel, found)
    if found:
        noun = "error" if len(found) == 1 else "errors"
        raise ValidationError(f"{len(found)} validation {noun} detected: {'; '.join(found)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Constraint:
    """A test that a value must pass, and AWS's words for it."""

    text: str
    holds: Callable[[Any], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Member:
    """A member of a structure, ready to be checked."""

    name: str
    camel: str
    shape: Shape
    required: bool
    constraints: tuple[_Constraint, ...]
    nested: bool


@cache
def _members(shape: StructureShape) -> tuple[_Member, ...]:
    required = frozenset(shape.required_members)
    return tuple(
        _Member(
            name=name,
            camel=name[:1].lower() + name[1:],
            shape=member,
            required=name in required,
            constraints=_constraints(member),
            nested=isinstance(member, StructureShape | ListShape | MapShape),
        )
        for name, member in shape.members.items()
    )


def _check_member(member: _Member, value: Any, path: str, found: list[str]) -> None:
    if value is None:
        if member.required:
            _report(found, f"Value null at '{path}'", _NOT_NULL)
        return
    for constraint in member.constraints:
        if not constraint.holds(value):
            _report(found, _subject(member.shape, value, path), constraint.text)
    if member.nested:
        _check_inside(member.shape, value, path, found)


def _check_inside(shape: Shape, value: Any, path: str, found: list[str]) -> None:
    if isinstance(shape, StructureShape):
        for member in _members(shape):
            _check_member(member, value.get(member.name), f"{path}.{member.camel}", found)
    elif isinstance(shape, ListShape):
        _check_elements(shape, value, list(enumerate(value, 1)), path, found)
    elif isinstance(shape, MapShape):
        keys = _constraints(shape.key)
        if not all(constraint.holds(key) for constraint in keys for key in value):
            phrase = f"Map keys must satisfy constraint: [{_phrases(keys)}]"
            _report(found, _subject(shape, value, path), phrase)
        _check_elements(shape, value, list(value.items()), path, found)


def _check_elements(
    shape: ListShape | MapShape,
    value: Any,
    elements: list[tuple[int | str, Any]],
    path: str,
    found: list[str],
) -> None:
    """Check a list's or map's elements, whose own constraints AWS reports once for all."""
    element = shape.value if isinstance(shape, MapShape) else shape.member
    constraints = _constraints(element)
    values = [each for _, each in elements]
    if None in values or not all(test.holds(each) for test in constraints for each in values):
        subject = "Map value" if isinstance(shape, MapShape) else "Member"
        phrases = _phrases([*constraints, _Constraint(text=_NOT_NULL, holds=bool)])
        phrase = f"{subject} must satisfy constraint: [{phrases}]"
        _report(found, _subject(shape, value, path), phrase)
    if isinstance(element, StructureShape | ListShape | MapShape):
        for position, each in elements:
            if each is not None:
                _check_inside(element, each, f"{path}.{position}.member", found)


def _report(found: list[str], subject: str, phrase: str) -> None:
    # The text must stay an answer: thousands of bad elements are not listed one by one.
    if len(found) < _MAX_VIOLATIONS:
        found.append(f"{subject} failed to satisfy constraint: {phrase}")


def _subject(shape: Shape, value: Any, path: str) -> str:
    if shape.metadata.get("sensitive"):
        return f"Value at '{path}'"
    return f"Value '{java_text(shape, value)}' at '{path}'"


# --- constraints ----------------------------------------------------------------------------


def _phrases(constraints: Collection[_Constraint]) -> str:
    """Return the words for all constraints of an element, in AWS's order for elements."""
    rank = {"Member must have": 0, "Member must satisfy": 1}
    ordered = sorted(constraints, key=lambda each: rank.get(" ".join(each.text.split()[:3]), 2))
    return ", ".join(constraint.text for constraint in ordered)


@cache
def _constraints(shape: Shape) -> tuple[_Constraint, ...]:
    """Return a shape's constraints in the order in which AWS reports their violations."""
    found = []
    enum = shape.metadata.get("enum")
    if enum:
        text = f"Member must satisfy enum value set: [{', '.join(enum)}]"
        found.append(_Constraint(text=text, holds=frozenset(enum).__contains__))
    pattern = shape.metadata.get("pattern")
    if pattern:
        text = f"Member must satisfy regular expression pattern: {pattern}"
        found.append(_Constraint(text=text, holds=_matcher(pattern, shape)))
    measured = shape.type_name in ("string", "blob", "list", "map")
    phrase = "length" if measured else "value"
    for bound, words in (("max", "less than or equal to"), ("min", "greater than or equal to")):
        limit = shape.metadata.get(bound)
        if limit is not None:
            text = f"Member must have {phrase} {words} {limit}"
            found.append(_Constraint(text=text, holds=_comparison(bound, limit, measured=measured)))
    return tuple(found)


def _matcher(pattern: str, shape: Shape) -> Callable[[str], bool]:
    compiled = compile_pattern(pattern)
    longest = shape.metadata.get("max") or _LONGEST_MATCHED

    def holds(value: str) -> bool:
        # A text that is too long is refused for that; matching it only costs time.
        return len(value) > longest or compiled.fullmatch(value) is not None

    return holds


_LONGEST_MATCHED = 100_000


def _comparison(bound: str, limit: float, *, measured: bool) -> Callable[[Any], bool]:
    if measured:
        return (lambda value: len(value) <= limit) if bound == "max" else _longer(limit)
    return (lambda value: value <= limit) if bound == "max" else (lambda value: value >= limit)


def _longer(limit: float) -> Callable[[Any], bool]:
    return lambda value: len(value) >= limit
