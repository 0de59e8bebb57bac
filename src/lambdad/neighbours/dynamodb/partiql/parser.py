"""PartiQL: from text and parameters to a statement."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lambdad.neighbours.dynamodb import numbers
from lambdad.neighbours.dynamodb.errors import ValidationException
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
)
from lambdad.neighbours.dynamodb.expressions.paths import Path, check_apart
from lambdad.neighbours.dynamodb.expressions.updates import (
    Action,
    Add,
    Appended,
    Delete,
    Set,
    Sum,
    Term,
    Update,
)
from lambdad.neighbours.dynamodb.expressions.updates import Remove as RemovePath
from lambdad.neighbours.dynamodb.partiql.statements import (
    Change,
    Check,
    Insert,
    Remove,
    Select,
    Statement,
)
from lambdad.neighbours.dynamodb.partiql.tokens import END, Reader
from lambdad.neighbours.dynamodb.values import Value, kind_of, read

_SIGNS = {"=": "=", "<>": "<>", "!=": "<>", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_DEPTH_MAX = 100
_INDEX_DIGITS_MAX = 9
_RETURNING = {
    ("ALL", "OLD"): "ALL_OLD",
    ("ALL", "NEW"): "ALL_NEW",
    ("MODIFIED", "OLD"): "UPDATED_OLD",
    ("MODIFIED", "NEW"): "UPDATED_NEW",
}


def parse_statement(text: str, parameters: Sequence[Mapping[str, Any]] = ()) -> Statement:
    """Return a statement with its parameters in place.

    Raises:
        ValidationException: it cannot be read, or has more or fewer question marks than parameters.
    """
    reader = Reader(text)
    parser = _Parser(reader, [read(each) for each in parameters])
    statement = parser.statement()
    if reader.next.kind != END:
        raise reader.unexpected()
    parser.check_all_used()
    return statement


class _Values:
    """Reads values. Mutable: how many parameters were used, and how deep it is."""

    def __init__(self, reader: Reader, parameters: Sequence[Value]) -> None:
        self._reader = reader
        self._parameters = parameters
        self._used = 0
        self._depth = 0

    def check_all_used(self) -> None:
        """Refuse parameters for which there is no question mark."""
        if self._used != len(self._parameters):
            raise self._wrong_count()

    def _wrong_count(self) -> ValidationException:
        return ValidationException("Number of parameters in request and statement don't match.")

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH_MAX:
            raise ValidationException("The statement nests too deep")

    def value(self) -> Value | None:
        """Read a value, if one comes now."""
        reader, token = self._reader, self._reader.next
        if token.kind == "text":
            return {"S": reader.take().text.replace("''", "'")}
        if token.kind == "number":
            return {"N": numbers.canonical(reader.take().text)}
        if token.kind == "word":
            constants = {"TRUE": {"BOOL": True}, "FALSE": {"BOOL": False}, "NULL": {"NULL": True}}
            found = constants.get(token.text.upper())
            if found is not None:
                reader.take()
            return found
        if reader.next.text == "-" and reader.ahead().kind == "number":
            reader.take()
            return {"N": numbers.canonical("-" + reader.take().text)}
        if reader.takes("?"):
            self._used += 1
            if self._used > len(self._parameters):
                raise self._wrong_count()
            return self._parameters[self._used - 1]
        return self._collection()

    def _collection(self) -> Value | None:
        reader = self._reader
        self._deeper()
        try:
            if reader.takes("["):
                return {"L": self._members("]")}
            if reader.takes("<<"):
                members = self._members(">>")
                kinds = {kind_of(member) for member in members}
                if len(kinds) != 1:
                    raise ValidationException("The members of a set must have one type")
                (kind,) = kinds
                return read({f"{kind}S": [member[kind] for member in members]})
            return {"M": self._entries()} if reader.takes("{") else None
        finally:
            self._depth -= 1

    def _needed(self) -> Value:
        value = self.value()
        if value is None:
            raise self._reader.unexpected()
        return value

    def _members(self, end: str) -> list[Value]:
        found: list[Value] = []
        while not self._reader.takes(end):
            if found:
                self._reader.expect(",")
            found.append(self._needed())
        return found

    def _entries(self) -> dict[str, Value]:
        found: dict[str, Value] = {}
        while not self._reader.takes("}"):
            if found:
                self._reader.expect(",")
            if self._reader.next.kind not in ("text", "quoted"):
                raise self._reader.unexpected()
            name = self._reader.take().text
            self._reader.expect(":")
            found[name] = self._needed()
        return found

    def name(self) -> str:
        """Read a name, quoted or not."""
        if self._reader.next.kind not in ("word", "quoted"):
            raise self._reader.unexpected()
        return self._reader.take().text.replace('""', '"')

    def path(self) -> Path:
        """Read a path."""
        elements: list[str | int] = [self.name()]
        while True:
            if self._reader.takes("."):
                elements.append(self.name())
            elif self._reader.takes("["):
                index = self._reader.next.text
                if not index.isdecimal() or len(index) > _INDEX_DIGITS_MAX:
                    raise self._reader.unexpected()
                elements.append(int(self._reader.take().text))
                self._reader.expect("]")
            else:
                return tuple(elements)


class _Conditions(_Values):
    """Reads conditions."""

    def condition(self) -> Condition:
        """Read a condition."""
        found = [self._conjunction()]
        while self._reader.takes("OR"):
            found.append(self._conjunction())
        return found[0] if len(found) == 1 else Either(tuple(found))

    def _conjunction(self) -> Condition:
        found = [self._negation()]
        while self._reader.takes("AND"):
            found.append(self._negation())
        return found[0] if len(found) == 1 else All(tuple(found))

    def _negation(self) -> Condition:
        self._deeper()
        try:
            if self._reader.takes("NOT"):
                return Not(self._negation())
            if self._reader.takes("("):
                condition = self.condition()
                self._reader.expect(")")
                return condition
            return self._predicate()
        finally:
            self._depth -= 1

    def _predicate(self) -> Condition:
        reader = self._reader
        functions: dict[str, Callable[[list[Operand]], Condition]] = {
            "BEGINS_WITH": lambda given: BeginsWith(given[0], given[1]),
            "CONTAINS": lambda given: Contains(given[0], given[1]),
            "ATTRIBUTE_TYPE": lambda given: HasType(given[0], _text(given[1])),
        }
        name = reader.next.text.upper()
        if reader.next.kind == "word" and name in functions and reader.ahead().text == "(":
            reader.take()
            reader.expect("(")
            first = self._operand()
            reader.expect(",")
            second = self._operand()
            reader.expect(")")
            return functions[name]([first, second])
        left = self._operand()
        if reader.next.kind == "sign" and reader.next.text in _SIGNS:
            sign = _SIGNS[reader.take().text]
            return Comparison(sign, left, self._operand())
        return self._worded(left)

    def _worded(self, left: Operand) -> Condition:
        reader = self._reader
        if reader.takes("BETWEEN"):
            low = self._operand()
            reader.expect("AND")
            return Between(left, low, self._operand())
        if reader.takes("IN"):
            end = "]" if reader.takes("[") else ")"
            if end == ")":
                reader.expect("(")
            return In(left, tuple(Literal(each) for each in self._members(end)))
        reader.expect("IS")
        wanted = not reader.takes("NOT")
        if reader.takes("MISSING"):
            return Exists(left, not wanted)
        reader.expect("NULL")
        null = HasType(left, "NULL")
        return null if wanted else Not(null)

    def _operand(self) -> Operand:
        value = self.value()
        if value is not None:
            return Literal(value)
        reader = self._reader
        if reader.next.text.upper() == "SIZE" and reader.ahead().text == "(":
            reader.take()
            reader.expect("(")
            path = self.path()
            reader.expect(")")
            return Size(Attribute(path))
        return Attribute(self.path())


def _text(operand: Operand) -> str:
    if not isinstance(operand, Literal) or "S" not in operand.value:
        raise ValidationException("The type of an attribute must be a string")
    return str(operand.value["S"])


class _Parser(_Conditions):
    """Reads statements."""

    def statement(self) -> Statement:
        """Read a statement."""
        reader = self._reader
        if reader.takes("SELECT"):
            return self._select()
        if reader.takes("INSERT", "INTO"):
            return self._insert()
        if reader.takes("UPDATE"):
            return self._update()
        if reader.takes("DELETE", "FROM"):
            table = self.name()
            reader.expect("WHERE")
            return Remove(table, self.condition(), self._returning(("ALL_OLD",)))
        reader.expect("EXISTS", "(", "SELECT")
        select = self._select()
        reader.expect(")")
        return Check(select)

    def _select(self) -> Select:
        reader = self._reader
        paths: list[Path] | None = None
        if not reader.takes("*"):
            paths = [self.path()]
            while reader.takes(","):
                paths.append(self.path())
            check_apart(paths, "PartiQL statement")
        reader.expect("FROM")
        table = self.name()
        index = self.name() if reader.takes(".") else None
        where = self.condition() if reader.takes("WHERE") else None
        order = None
        if reader.takes("ORDER", "BY"):
            attribute = self.name()
            order = (attribute, not reader.takes("DESC"))
            reader.takes("ASC")
        return Select(table, index, paths, where, order)

    def _insert(self) -> Insert:
        table = self.name()
        self._reader.expect("VALUE")
        value = self._needed()
        if "M" not in value:
            raise ValidationException("The value of an INSERT must be a map")
        return Insert(table, value["M"])

    def _update(self) -> Change:
        reader, actions = self._reader, list[Action]()
        table = self.name()
        while not reader.takes("WHERE"):
            if reader.takes("REMOVE"):
                actions.append(RemovePath(self.path()))
                continue
            reader.expect("SET")
            actions.append(self._set())
            while reader.takes(","):
                actions.append(self._set())
        if not actions:
            raise reader.unexpected()
        check_apart([action.path for action in actions], "PartiQL statement")
        where = self.condition()
        return Change(table, Update(tuple(actions)), where, self._returning(_RETURNING.values()))

    def _set(self) -> Action:
        path = self.path()
        reader = self._reader
        reader.expect("=")
        name = reader.next.text.upper()
        if name in ("SET_ADD", "SET_DELETE") and reader.ahead().text == "(":
            reader.take()
            reader.expect("(")
            self.path()
            reader.expect(",")
            members = self._needed()
            reader.expect(")")
            if kind_of(members) not in ("SS", "NS", "BS"):
                raise ValidationException(f"{name.lower()} needs a set")
            return Add(path, members) if name == "SET_ADD" else Delete(path, members)
        term = self._term()
        if reader.next.text in ("+", "-"):
            subtract = reader.take().text == "-"
            term = Sum(term, self._term(), subtract)
        return Set(path, term)

    def _term(self) -> Term:
        reader = self._reader
        if reader.takes("LIST_APPEND", "("):
            self._deeper()
            first = self._term()
            reader.expect(",")
            second = self._term()
            reader.expect(")")
            self._depth -= 1
            return Appended(first, second)
        value = self.value()
        return Attribute(self.path()) if value is None else Literal(value)

    def _returning(self, allowed: Any) -> str:
        if not self._reader.takes("RETURNING"):
            return "NONE"
        words = self._reader.take().text.upper(), self._reader.take().text.upper()
        self._reader.expect("*")
        wanted = _RETURNING.get(words)
        if wanted not in allowed:
            raise ValidationException(f"RETURNING {' '.join(words)} * is not supported here")
        return str(wanted)
