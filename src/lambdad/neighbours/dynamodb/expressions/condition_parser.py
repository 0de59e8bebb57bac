"""Condition, filter and key condition expressions: from text to conditions.

Refuses what DynamoDB refuses without an item at hand: unknown functions, operands of a type that
an operator never takes, bounds in the wrong order.
"""

from __future__ import annotations

from collections.abc import Mapping

from lambdad.neighbours.dynamodb.expressions.conditions import (
    All,
    Attribute,
    BeginsWith,
    Between,
    Comparison,
    Condition,
    Contains,
    Either,
    Exists,
    HasType,
    In,
    Literal,
    Not,
    Operand,
    Size,
    ordered,
)
from lambdad.neighbours.dynamodb.expressions.paths import parse_path, shown
from lambdad.neighbours.dynamodb.expressions.tokens import END, Placeholders, Tokens
from lambdad.neighbours.dynamodb.values import TYPES, Value, kind_of

_SIGNS = ("=", "<>", "<", "<=", ">", ">=")
_DEPTH_MAX = 100
_OPTIONS_MAX = 100
# Functions that are conditions, with how many operands they take.
_FUNCTIONS: Mapping[str, int] = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}


def parse_condition(
    text: str, placeholders: Placeholders, expression: str = "ConditionExpression"
) -> Condition:
    """Return the condition that an expression states; `expression` names the parameter.

    Raises:
        ValidationException: it cannot be read.
    """
    tokens = Tokens(text, expression)
    condition = _Parser(tokens, placeholders).disjunction()
    if tokens.next.kind != END:
        raise tokens.unexpected()
    return condition


class _Parser:
    """Mutable: how deep it is in parentheses."""

    def __init__(self, tokens: Tokens, placeholders: Placeholders) -> None:
        self._tokens = tokens
        self._placeholders = placeholders
        self._depth = 0

    def disjunction(self) -> Condition:
        found = [self._conjunction()]
        while self._tokens.takes_word("OR"):
            found.append(self._conjunction())
        return found[0] if len(found) == 1 else Either(tuple(found))

    def _conjunction(self) -> Condition:
        found = [self._negation()]
        while self._tokens.takes_word("AND"):
            found.append(self._negation())
        return found[0] if len(found) == 1 else All(tuple(found))

    def _negation(self) -> Condition:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise self._tokens.refusal("The expression nests too many conditions")
        if self._tokens.takes_word("NOT"):
            condition: Condition = Not(self._negation())
        elif self._tokens.takes("("):
            condition = self._parenthesis()
        else:
            condition = self._predicate()
        self._depth -= 1
        return condition

    def _parenthesis(self) -> Condition:
        """Read a condition in parentheses, or an operand in them."""
        if (
            self._tokens.next.kind in ("colon", "sharp", "name")
            and self._tokens.ahead().text == ")"
        ):
            operand = self._operand()
            self._tokens.expect(")")
            return self._relation(operand)
        condition = self.disjunction()
        self._tokens.expect(")")
        return condition

    def _predicate(self) -> Condition:
        token = self._tokens.next
        if token.kind == "name" and self._tokens.ahead().text == "(" and token.text != "size":
            return self._function()
        return self._relation(self._operand())

    def _relation(self, left: Operand) -> Condition:
        tokens = self._tokens
        if tokens.next.kind == "sign" and tokens.next.text in _SIGNS:
            sign = tokens.take().text
            return self._comparison(sign, left, self._operand())
        if tokens.takes_word("BETWEEN"):
            low = self._operand()
            tokens.expect_word("AND")
            return self._between(left, low, self._operand())
        if tokens.takes_word("IN"):
            tokens.expect("(")
            options = [self._operand()]
            while tokens.takes(","):
                options.append(self._operand())
            tokens.expect(")")
            if len(options) > _OPTIONS_MAX:
                raise self._wrong_count("IN", len(options) + 1)
            return In(left, tuple(options))
        if isinstance(left, Size):
            raise tokens.refusal(
                "The function is not allowed to be used this way in an expression; function: size"
            )
        raise tokens.unexpected()

    def _operand(self) -> Operand:
        tokens = self._tokens
        if tokens.next.kind == "colon":
            return Literal(self._placeholders.value(tokens.take().text, tokens.expression))
        if tokens.next.kind == "name" and tokens.ahead().text == "(":
            name = tokens.next.text
            if name != "size":
                raise self._misplaced(name)
            tokens.take()
            return self._size(self._arguments())
        if tokens.takes("("):
            operand = self._operand()
            tokens.expect(")")
            return operand
        return Attribute(parse_path(tokens, self._placeholders))

    def _arguments(self) -> list[Operand]:
        self._tokens.expect("(")
        found = [self._operand()]
        while self._tokens.takes(","):
            found.append(self._operand())
        self._tokens.expect(")")
        return found

    def _size(self, operands: list[Operand]) -> Size:
        if len(operands) != 1:
            raise self._wrong_count("size", len(operands))
        operand = operands[0]
        if isinstance(operand, Literal) and kind_of(operand.value) in ("N", "BOOL", "NULL"):
            raise self._wrong_type("size", operand.value)
        return Size(operand)

    def _function(self) -> Condition:
        name = self._tokens.take().text
        if name not in _FUNCTIONS:
            if name in ("if_not_exists", "list_append"):
                raise self._misplaced(name)
            raise self._tokens.refusal(f"Invalid function name; function: {name}")
        operands = self._arguments()
        if len(operands) != _FUNCTIONS[name]:
            raise self._wrong_count(name, len(operands))
        first = operands[0]
        if name.startswith("attribute_"):
            if not isinstance(first, Attribute):
                raise self._tokens.refusal(
                    f"Operator or function requires a document path; operator or function: {name}"
                )
            if name == "attribute_type":
                return HasType(first, self._type_name(operands[1]))
            return Exists(first, name == "attribute_exists")
        self._check_distinct(name, first, operands[1])
        if name == "contains":
            return Contains(first, operands[1])
        for operand in operands:
            if isinstance(operand, Literal) and kind_of(operand.value) not in ("S", "B"):
                raise self._wrong_type(name, operand.value)
        return BeginsWith(first, operands[1])

    def _type_name(self, operand: Operand) -> str:
        if not isinstance(operand, Literal) or kind_of(operand.value) != "S":
            kind = kind_of(operand.value) if isinstance(operand, Literal) else "path"
            raise self._tokens.refusal(
                "Incorrect operand type for operator or function; operator or function: "
                f"attribute_type, operand type: {kind}"
            )
        kind = operand.value["S"]
        if kind not in TYPES:
            raise self._tokens.refusal(
                f"Invalid attribute type name found; type: {kind}, valid types: "
                "{B,NULL,SS,BOOL,L,BS,N,NS,S,M}"
            )
        return str(kind)

    def _comparison(self, sign: str, left: Operand, right: Operand) -> Condition:
        self._check_distinct(sign, left, right)
        if sign not in ("=", "<>"):
            for operand in (left, right):
                if isinstance(operand, Literal) and kind_of(operand.value) not in ("S", "N", "B"):
                    raise self._wrong_type(sign, operand.value)
        return Comparison(sign, left, right)

    def _between(self, operand: Operand, low: Operand, high: Operand) -> Condition:
        for each in (operand, low, high):
            if isinstance(each, Literal) and kind_of(each.value) not in ("S", "N", "B"):
                raise self._wrong_type("BETWEEN", each.value)
        if isinstance(low, Literal) and isinstance(high, Literal):
            bounds = (
                f"lower bound operand: AttributeValue: {_shown(low.value)}, "
                f"upper bound operand: AttributeValue: {_shown(high.value)}"
            )
            if kind_of(low.value) != kind_of(high.value):
                raise self._tokens.refusal(
                    "The BETWEEN operator requires same data type for lower and upper bounds; "
                    + bounds
                )
            if not ordered(low.value, "<=", high.value):
                raise self._tokens.refusal(
                    "The BETWEEN operator requires upper bound to be greater than or equal to "
                    "lower bound; " + bounds
                )
        return Between(operand, low, high)

    def _check_distinct(self, name: str, first: Operand, second: Operand) -> None:
        if isinstance(first, Attribute) and first == second:
            raise self._tokens.refusal(
                "The first operand must be distinct from the remaining operands for this operator "
                f"or function; operator: {name}, first operand: {shown(first.path)}"
            )

    def _wrong_count(self, name: str, count: int) -> Exception:
        return self._tokens.refusal(
            "Incorrect number of operands for operator or function; operator or function: "
            f"{name}, number of operands: {count}"
        )

    def _wrong_type(self, name: str, value: Value) -> Exception:
        return self._tokens.refusal(
            "Incorrect operand type for operator or function; operator or function: "
            f"{name}, operand type: {kind_of(value)}"
        )

    def _misplaced(self, name: str) -> Exception:
        if name in _FUNCTIONS or name in ("if_not_exists", "list_append"):
            return self._tokens.refusal(
                "The function is not allowed to be used this way in an expression; "
                f"function: {name}"
            )
        return self._tokens.refusal(f"Invalid function name; function: {name}")


def _shown(value: Value) -> str:
    ((kind, content),) = value.items()
    return f"{{{kind}:{content}}}"
