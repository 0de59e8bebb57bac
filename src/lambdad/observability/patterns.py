"""Filter patterns of CloudWatch Logs: which messages a reader wants. Pure.

Serves terms (`error`, `"two words"`, `?either ?or`, `-without`) and JSON (`{ $.level = "ERROR" }`).
Refuses space-delimited (`[ip, user]`) and regular expression (`%...%`) patterns: the latter would
let a caller occupy the processor without end.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from lambdad.observability.json_patterns import InvalidPattern, compile_json

Matcher = Callable[[str], bool]

__all__ = ["InvalidPattern", "Matcher", "compile_pattern"]

_TERM = re.compile(r'\s*([?-]?)(?:"((?:[^"\\]|\\.)*)"|([^\s"]+))(?=\s|$)')


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
        raise InvalidPattern("Space-delimited filter patterns are not supported by lambdad yet")
    return _compile_terms(pattern)


def _compile_terms(pattern: str) -> Matcher:
    terms: dict[str, list[str]] = {"": [], "?": [], "-": []}
    position = 0
    while position < len(pattern):
        match = _TERM.match(pattern, position)
        if match is None:
            raise InvalidPattern("Invalid filter pattern")
        sign, quoted, word = match.groups()
        terms[sign].append(_unescape(quoted) if quoted is not None else _checked(word))
        position = match.end()
    wanted, either, unwanted = terms[""], terms["?"], terms["-"]
    if wanted or unwanted:
        # AWS: optional terms count for nothing beside terms that must or must not occur.
        either = []

    def matches(message: str) -> bool:
        return (
            all(term in message for term in wanted)
            and not any(term in message for term in unwanted)
            and (not either or any(term in message for term in either))
        )

    return matches


def _checked(word: str) -> str:
    if word.startswith("%"):
        raise InvalidPattern("Regular expression filter patterns are not supported by lambdad")
    if not word.replace("_", "a").isalnum():
        raise InvalidPattern(f"Invalid character(s) in term '{word}'")
    return word


def _unescape(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted)
