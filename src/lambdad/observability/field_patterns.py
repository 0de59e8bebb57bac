"""Filter patterns for messages of fields with blanks between them: `[ip, ..., status = 4*]`. Pure.

A message matches if it has as many fields as the pattern, `...` standing for any number, and every
condition holds. What stands in brackets or quotation marks is one field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lambdad.observability.json_patterns import InvalidPattern, text_test

_FIELD = re.compile(r'"((?:[^"\\]|\\.)*)"|\[([^\]]*)\]|(\S+)')
_NAME = re.compile(r"\s*([A-Za-z_]\w*)\s*$|\s*(\.\.\.)\s*$", re.ASCII)
_CONDITION = re.compile(
    r"\s*(?P<name>[A-Za-z_]\w*)\s*(?P<operator>!=|>=|<=|=|>|<)\s*"
    r'(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<regex>%[^%]+%)|(?P<word>[^\s"&|,\[\]%]+))\s*$',
    re.ASCII,
)
# Commas and operators inside quotation marks and regular expressions are none.
_SPLIT_FIELDS = re.compile(r'((?:"(?:[^"\\]|\\.)*"|%[^%]*%|[^",%])*)(?:,|$)')
_SPLIT_CONDITIONS = re.compile(r'(?:"(?:[^"\\]|\\.)*"|%[^%]*%|[^"%])*?(?=&&|\|\||$)')
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
_ANY = "..."

Test = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    test: Test | None = None


def compile_fields(pattern: str) -> Callable[[str], Mapping[str, str] | None]:
    """Return what reads the fields of a message that a pattern in brackets wants.

    It returns them by `$name`, or by `$number` where `...` stands for them; None where the
    message does not match.

    Raises:
        InvalidPattern: it is no such pattern.
    """
    if not pattern.endswith("]"):
        raise InvalidPattern("Invalid filter pattern: ']' expected")
    fields = [_field(each) for each in _split(pattern[1:-1])]
    gaps = [index for index, each in enumerate(fields) if each.name == _ANY]
    names = [each.name for each in fields if each.name != _ANY]
    if len(gaps) > 1 or len(set(names)) < len(names):
        raise InvalidPattern("Invalid filter pattern: each name, and '...', may stand there once")
    gap = gaps[0] if gaps else len(fields)
    before, after = fields[:gap], fields[gap + 1 :]

    def read(message: str) -> Mapping[str, str] | None:
        found = [first or second or third for first, second, third in _FIELD.findall(message)]
        between = len(found) - len(before) - len(after)
        if between < 0 or (between and not gaps):
            return None
        values: dict[str, str] = {}
        ends = [*zip(before, found, strict=False)]
        ends += zip(after, found[len(before) + between :], strict=True)
        for each, value in ends:
            if each.test is not None and not each.test(value):
                return None
            values[f"${each.name}"] = value
        for index in range(len(before), len(before) + between):
            values[f"${index + 1}"] = found[index]
        return values

    return read


def _split(text: str) -> list[str]:
    parts: list[str] = []
    position = 0
    while position <= len(text):
        match = _SPLIT_FIELDS.match(text, position)
        if match is None:
            raise InvalidPattern("Invalid filter pattern")
        parts.append(match[1])
        if match.end() == len(text) and not match.group().endswith(","):
            break
        position = match.end()
    return parts


def _field(text: str) -> _Field:
    plain = _NAME.match(text)
    if plain is not None:
        return _Field(plain[1] or plain[2])
    name, either, position = "", [], 0
    both: list[Test] = []
    while True:
        part = _SPLIT_CONDITIONS.match(text, position)
        condition = None if part is None else _CONDITION.match(part.group())
        if part is None or condition is None or (name and condition["name"] != name):
            raise InvalidPattern(f"Invalid filter pattern: '{text.strip()}' is no field")
        name = condition["name"]
        both.append(_test(condition))
        joined, position = text[part.end() : part.end() + 2], part.end() + 2
        if joined != "&&":
            either.append(both)
            both = []
        if not joined:
            return _Field(name, _any_of(either))


def _any_of(either: Sequence[Sequence[Test]]) -> Test:
    return lambda value: any(all(test(value) for test in both) for both in either)


def _test(condition: re.Match[str]) -> Test:
    operator, word = condition["operator"], condition["word"]
    if word is not None and _NUMBER.fullmatch(word):
        return _number_test(operator, word)
    if operator not in ("=", "!="):
        raise InvalidPattern(f"Invalid filter pattern: '{operator}' needs a number")
    quoted = condition["quoted"]
    text = word if word is not None else condition["regex"]
    if quoted is not None:
        text = re.sub(r"\\(.)", r"\1", quoted)
    return text_test(operator, text, regex=condition["regex"] is not None)


def _number_test(operator: str, word: str) -> Test:
    wanted = float(word)
    order: Mapping[str, Callable[[float], bool]] = {
        "=": lambda value: value == wanted,
        "!=": lambda value: value != wanted,
        "<": lambda value: value < wanted,
        ">": lambda value: value > wanted,
        "<=": lambda value: value <= wanted,
        ">=": lambda value: value >= wanted,
    }
    compare = order[operator]

    def test(value: str) -> bool:
        if _NUMBER.fullmatch(value) is None:
            return operator == "!="
        return compare(float(value))

    return test
