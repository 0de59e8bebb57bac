"""Templates: read once, rendered often. Decides what is a directive and what is text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from lambdad.triggers.vtl.bounds import DEPTH_MAX, Budget, TemplateFailed
from lambdad.triggers.vtl.directives import (
    Assign,
    Break,
    Define,
    Foreach,
    If,
    Leave,
    Stop,
    Use,
)
from lambdad.triggers.vtl.expressions import Reader
from lambdad.triggers.vtl.nodes import Expression, Node, Reference, Rendering, Text, render_all

_SPECIAL = re.compile(r"[$#\\]")
_REST_OF_LINE = re.compile(r"[ \t]*\r?\n")
_INDENT = re.compile(r"(^|\n)[ \t]+\Z")
_DIRECTIVE = re.compile(r"\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_JOINED_MAX = 4_096
_ENDS = ("end", "else", "elseif")


def render(template: str, variables: Mapping[str, Any], budget: Budget | None = None) -> str:
    """Return what a template puts out; `variables` by name, without the `$`.

    Raises:
        TemplateFailed: it cannot be read, or does more than a template may.
    """
    to = Rendering(variables=dict(variables), budget=budget or Budget())
    try:
        render_all(_parsed(template), to)
    except (Break, Stop):
        pass
    except RecursionError as error:
        raise TemplateFailed("the template is nested too deeply") from error
    return "".join(to.pieces)


@lru_cache(maxsize=512)
def _parsed(template: str) -> Sequence[Node]:
    return _parse(template, 0)


def _parse(text: str, depth: int) -> Sequence[Node]:
    if depth > DEPTH_MAX // 2:
        raise TemplateFailed("the template is nested too deeply")
    try:
        return _Parser(text, depth).whole()
    except RecursionError as error:
        raise TemplateFailed("the template is nested too deeply") from error


class _Parser(Reader):
    """Reads one template. Mutable."""

    def __init__(self, text: str, depth: int) -> None:
        super().__init__(text, lambda inner: _parse(inner, depth + 1))
        self._blocks = depth
        self._ended_by: str | None = None

    def whole(self) -> Sequence[Node]:
        """Read all of it."""
        nodes = self._block()
        if self._ended_by is not None:
            raise self.wrong(f"#{self._ended_by} has no beginning")
        return nodes

    def _block(self) -> list[Node]:
        """Read up to the directive that ends a block, which is read too, or to the end."""
        self._blocks += 1
        if self._blocks > DEPTH_MAX // 2:
            raise self.wrong("blocks are nested too deeply")
        nodes: list[Node] = []
        self._ended_by = None
        while self.at < len(self.text):
            found = _SPECIAL.search(self.text, self.at)
            if found is None:
                _append(nodes, self.text[self.at :])
                self.at = len(self.text)
                break
            _append(nodes, self.text[self.at : found.start()])
            self.at = found.start()
            if self._special(nodes, found[0]):
                break
        self._blocks -= 1
        return nodes

    def _special(self, nodes: list[Node], letter: str) -> bool:
        """Read what begins with `$`, `#` or a backslash; return whether it ended a block."""
        if letter == "\\":
            escaped = self.text[self.at + 1 : self.at + 2]
            _append(nodes, escaped if escaped in ("$", "#") else "\\")
            self.at += 2 if escaped in ("$", "#") else 1
            return False
        if letter == "$":
            reference = self.reference()
            if reference is None:
                _append(nodes, "$")
                self.at += 1
            else:
                nodes.append(reference)
            return False
        return self._hash(nodes)

    def _hash(self, nodes: list[Node]) -> bool:
        if self._comment() or self._unparsed(nodes):
            return False
        start = self.at
        found = _DIRECTIVE.match(self.text, start + 1)
        if found is None:
            _append(nodes, "#")
            self.at += 1
            return False
        word = found[1]
        self.at = found.end()
        if word in _ENDS:
            self._ended_by = word
            if word != "elseif":
                self._eat_line(nodes)
            return True
        node = self._directive(word, start, nodes)
        if node is None:
            _append(nodes, self.text[start : self.at])
        else:
            nodes.append(node)
        return False

    def _eat_line(self, nodes: list[Node]) -> None:
        """Leave out the rest of a directive's line, and its indentation, if all else is blank.

        `nodes` are those before it.
        """
        found = _REST_OF_LINE.match(self.text, self.at)
        if found is None:
            return
        self.at = found.end()
        if nodes and isinstance(nodes[-1], Text):
            nodes[-1] = Text(_INDENT.sub(r"\1", nodes[-1].text))

    def _comment(self) -> bool:
        if self.accept("##"):
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end + 1
            return True
        if self.accept("#*"):
            end = self.text.find("*#", self.at)
            self.at = len(self.text) if end < 0 else end + 2
            return True
        return False

    def _unparsed(self, nodes: list[Node]) -> bool:
        if not self.accept("#[["):
            return False
        end = self.text.find("]]#", self.at)
        if end < 0:
            raise self.wrong("]]# is missing")
        _append(nodes, self.text[self.at : end])
        self.at = end + 3
        return True

    def _directive(self, word: str, start: int, nodes: list[Node]) -> Node | None:
        """Read what follows a directive's word; None where it is text after all.

        `nodes` are those before it.
        """
        readers: dict[str, Callable[[list[Node]], Node]] = {
            "set": self._set,
            "if": self._if,
            "foreach": self._foreach,
            "macro": self._macro,
            "break": lambda before: self._leave(Break, before),
            "stop": lambda before: self._leave(Stop, before),
        }
        if (reader := readers.get(word)) is not None:
            return reader(nodes)
        if self.accept("("):
            arguments = self.listed(")")
            return Use(word, arguments, self.text[start : self.at])
        return None

    def _leave(self, signal: type[Break | Stop], nodes: list[Node]) -> Node:
        self._eat_line(nodes)
        return Leave(signal)

    def _set(self, nodes: list[Node]) -> Node:
        self.expect("(")
        self.blanks()
        target = self.reference() if self.text.startswith("$", self.at) else None
        if target is None:
            raise self.wrong("#set has no variable")
        self.expect("=")
        expression = self.expression()
        self.expect(")")
        self._eat_line(nodes)
        return Assign(target, expression)

    def _condition(self, nodes: list[Node]) -> Expression:
        self.expect("(")
        condition = self.expression()
        self.expect(")")
        self._eat_line(nodes)
        return condition

    def _if(self, nodes: list[Node]) -> Node:
        branches: list[tuple[Expression | None, Sequence[Node]]] = []
        condition: Expression | None = self._condition(nodes)
        while True:
            body = self._block()
            branches.append((condition, body))  # whose last text may yet lose its indentation
            if self._ended_by == "elseif":
                condition = self._condition(body)
            elif self._ended_by == "else":
                condition = None
            else:
                self._check_end("if")
                return If(branches)

    def _foreach(self, nodes: list[Node]) -> Node:
        self.expect("(")
        self.blanks()
        variable = self.reference() if self.text.startswith("$", self.at) else None
        self.blanks()
        if not isinstance(variable, Reference) or self.name() != "in":
            raise self.wrong("#foreach has no variable")
        items = self.expression()
        self.expect(")")
        self._eat_line(nodes)
        body = self._block()
        self._check_end("foreach")
        return Foreach(variable.name, items, body)

    def _macro(self, nodes: list[Node]) -> Node:
        self.expect("(")
        self.blanks()
        name = self.name()
        if name is None:
            raise self.wrong("#macro has no name")
        parameters = []
        self.blanks()
        while not self.accept(")"):
            self.accept(",")
            self.blanks()
            parameter = self.reference() if self.text.startswith("$", self.at) else None
            if parameter is None:
                raise self.wrong("a parameter of a #macro is missing")
            parameters.append(parameter.name)
            self.blanks()
        self._eat_line(nodes)
        body = self._block()
        self._check_end("macro")
        return Define(name, parameters, body)

    def _check_end(self, what: str) -> None:
        if self._ended_by != "end":
            raise self.wrong(f"#end of an #{what} is missing")
        self._ended_by = None


def _append(nodes: list[Node], text: str) -> None:
    if not text:
        return
    last = nodes[-1] if nodes else None
    if isinstance(last, Text) and len(last.text) < _JOINED_MAX:
        nodes[-1] = Text(last.text + text)
    else:
        nodes.append(Text(text))
