"""Update expressions: from text to actions."""

from __future__ import annotations

from collections.abc import Callable

from lambdad.neighbours.dynamodb.expressions.conditions import Attribute, Literal
from lambdad.neighbours.dynamodb.expressions.paths import check_apart, parse_path
from lambdad.neighbours.dynamodb.expressions.tokens import END, Placeholders, Tokens
from lambdad.neighbours.dynamodb.expressions.updates import (
    Action,
    Add,
    Appended,
    Delete,
    IfNotExists,
    Remove,
    Set,
    Sum,
    Term,
    Update,
)
from lambdad.neighbours.dynamodb.values import Value, kind_of

_DEPTH_MAX = 100
_SECTIONS = ("SET", "REMOVE", "ADD", "DELETE")
_NAMES = {
    "S": "STRING",
    "N": "NUMBER",
    "B": "BINARY",
    "SS": "STRING_SET",
    "NS": "NUMBER_SET",
    "BS": "BINARY_SET",
    "BOOL": "BOOLEAN",
    "NULL": "NULL",
    "L": "LIST",
    "M": "MAP",
}


def parse_update(text: str, placeholders: Placeholders) -> Update:
    """Return the actions of an update expression.

    Raises:
        ValidationException: it cannot be read, or two of its paths collide.
    """
    tokens = Tokens(text, "UpdateExpression")
    parser = _Parser(tokens, placeholders)
    actions: list[Action] = []
    seen: set[str] = set()
    while tokens.next.kind != END:
        section = tokens.next.text.upper()
        if tokens.next.kind != "name" or section not in _SECTIONS:
            raise tokens.unexpected()
        tokens.take()
        if section in seen:
            raise tokens.refusal(
                f'The "{section}" section can only be used once in an update expression;'
            )
        seen.add(section)
        actions.extend(parser.section(section))
    check_apart([action.path for action in actions], "UpdateExpression")
    return Update(tuple(actions))


class _Parser:
    """Mutable: how deep it is in terms."""

    def __init__(self, tokens: Tokens, placeholders: Placeholders) -> None:
        self._tokens = tokens
        self._placeholders = placeholders
        self._depth = 0

    def section(self, name: str) -> list[Action]:
        read: dict[str, Callable[[], Action]] = {
            "SET": self._set,
            "REMOVE": lambda: Remove(parse_path(self._tokens, self._placeholders)),
            "ADD": self._add,
            "DELETE": self._delete,
        }
        actions = [read[name]()]
        while self._tokens.takes(","):
            actions.append(read[name]())
        return actions

    def _set(self) -> Action:
        path = parse_path(self._tokens, self._placeholders)
        self._tokens.expect("=")
        return Set(path, self._sum())

    def _sum(self) -> Term:
        left = self._term()
        sign = self._tokens.next.text
        if sign not in ("+", "-"):
            return left
        self._tokens.take()
        right = self._term()
        for term in (left, right):
            if isinstance(term, Literal) and kind_of(term.value) != "N":
                raise self._wrong_type(sign, term.value)
        return Sum(left, right, subtract=sign == "-")

    def _term(self) -> Term:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._tokens.refusal("The expression nests too many terms")
        term = self._any_term()
        self._depth -= 1
        return term

    def _any_term(self) -> Term:
        tokens = self._tokens
        if tokens.next.kind == "colon":
            return self._value()
        if tokens.takes("("):
            term = self._sum()
            tokens.expect(")")
            return term
        if tokens.next.kind == "name" and tokens.ahead().text == "(":
            return self._function()
        return Attribute(parse_path(tokens, self._placeholders))

    def _function(self) -> Term:
        name = self._tokens.take().text
        known = ("if_not_exists", "list_append")
        if name not in known:
            others = ("size", "attribute_exists", "attribute_not_exists", "attribute_type")
            if name in (*others, "begins_with", "contains"):
                raise self._tokens.refusal(
                    "The function is not allowed in an update expression; function: " + name
                )
            raise self._tokens.refusal(f"Invalid function name; function: {name}")
        self._tokens.expect("(")
        operands = [self._term()]
        while self._tokens.takes(","):
            operands.append(self._term())
        self._tokens.expect(")")
        if len(operands) != 2:
            raise self._tokens.refusal(
                "Incorrect number of operands for operator or function; operator or function: "
                f"{name}, number of operands: {len(operands)}"
            )
        if name == "if_not_exists":
            first = operands[0]
            if not isinstance(first, Attribute):
                raise self._tokens.refusal(
                    f"Operator or function requires a document path; operator or function: {name}"
                )
            return IfNotExists(first, operands[1])
        for operand in operands:
            if isinstance(operand, Literal) and kind_of(operand.value) != "L":
                raise self._wrong_type(name, operand.value)
        return Appended(operands[0], operands[1])

    def _value(self) -> Literal:
        token = self._tokens.next
        if token.kind != "colon":
            raise self._tokens.unexpected()
        return Literal(self._placeholders.value(self._tokens.take().text, "UpdateExpression"))

    def _add(self) -> Action:
        path = parse_path(self._tokens, self._placeholders)
        value = self._value().value
        if kind_of(value) not in ("N", "SS", "NS", "BS"):
            raise self._wrong_operand("ADD", value, "ALLOWED_FOR_ADD_OPERAND")
        return Add(path, value)

    def _delete(self) -> Action:
        path = parse_path(self._tokens, self._placeholders)
        value = self._value().value
        if kind_of(value) not in ("SS", "NS", "BS"):
            raise self._wrong_operand("DELETE", value, "ALLOWED_FOR_DELETE_OPERAND")
        return Delete(path, value)

    def _wrong_operand(self, name: str, value: Value, allowed: str) -> Exception:
        return self._tokens.refusal(
            f"Incorrect operand type for operator or function; operator: {name}, operand type: "
            f"{_NAMES[kind_of(value)]}, typeSet: {allowed}"
        )

    def _wrong_type(self, name: str, value: Value) -> Exception:
        return self._tokens.refusal(
            "Incorrect operand type for operator or function; operator or function: "
            f"{name}, operand type: {kind_of(value)}"
        )
