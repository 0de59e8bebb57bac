r"""Filter patterns of CloudWatch Logs: which messages a reader wants. Pure.

Serves terms (`error`, `"two words"`, `?either ?or`, `-without`), JSON (`{ $.level = "ERROR" }`),
fields (`[ip, user, status = 4*]`) and regular expressions (`%4\d\d%`) in all of them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from lambdad.observability.field_patterns import compile_fields
from lambdad.observability.json_patterns import (
    InvalidPattern,
    compile_json,
    compile_regex,
    read_selectors,
)

Matcher = Callable[[str], bool]
Extractor = Callable[[str], Mapping[str, str] | None]

__all__ = ["Extractor", "InvalidPattern", "Matcher", "compile_extractor", "compile_pattern"]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|(%[^%]+%)|([^\s"]+))(?=\s|$)')


def compile_pattern(pattern: str) -> Matcher:
    """Return the test that a pattern stands for; the empty pattern wants every message.

    Raises:
        InvalidPattern: with a text for the caller.
    """
    pattern = pattern.strip()
    if not pattern:
        return lambda message: True
    if pattern.startswith("{"):
        return compile_json(pattern)
    if pattern.startswith("["):
        read = compile_fields(pattern)
        return lambda message: read(message) is not None
    return _compile_terms(pattern)


def compile_extractor(pattern: str) -> Extractor:
    """Return what a metric filter reads from a message: None where it does not match.

    That is the fields of a space-delimited pattern and the selectors of a JSON pattern, by name.

    Raises:
        InvalidPattern: with a text for the caller.
    """
    matches = compile_pattern(pattern)
    pattern = pattern.strip()
    if pattern.startswith("["):
        return compile_fields(pattern)
    if pattern.startswith("{"):
        select = read_selectors(pattern)
        return lambda message: select(message) if matches(message) else None
    return lambda message: {} if matches(message) else None


def _compile_terms(pattern: str) -> Matcher:
    terms: dict[str, list[Matcher]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(pattern):
        match = _TERM.match(pattern, position)
        if match is None:
            raise InvalidPattern("Invalid filter pattern")
        sign, quoted, regex, word = match.groups()
        if regex is not None:
            terms[sign].append(compile_regex(regex).occurs)
        else:
            terms[sign].append(_term(_unescape(quoted) if quoted is not None else _checked(word)))
        position = match.end()
    wanted, either, unwanted = terms[""], terms["?"], terms["-"]
    if wanted or unwanted:
        # AWS: optional terms count for nothing beside terms that must or must not occur.
        either = []

    def matches(message: str) -> bool:
        return (
            all(term(message) for term in wanted)
            and not any(term(message) for term in unwanted)
            and (not either or any(term(message) for term in either))
        )

    return matches


def _term(text: str) -> Matcher:
    return lambda message: text in message


def _checked(word: str) -> str:
    if not word.replace("_", "a").isalnum():
        raise InvalidPattern(f"Invalid character(s) in term '{word}'")
    return word


def _unescape(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
