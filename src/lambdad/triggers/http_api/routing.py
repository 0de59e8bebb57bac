"""Which route of an HTTP API takes a request. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from lambdad.triggers.http_api.model import Document

DEFAULT = "$default"
# A whole path before one with variables, that before one with a greedy one; a method before ANY.
_LITERAL, _VARIABLE, _GREEDY = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """A route and what its path variables are, decoded."""

    route: Document
    variables: Mapping[str, str] = field(default_factory=dict)


def match(routes: Iterable[Document], method: str, path: str) -> Match | None:
    """Return the most specific route for a method and the raw path below the stage, or None."""
    best: tuple[Any, Match] | None = None
    default: Match | None = None
    segments = _segments(path)
    for route in routes:
        if route["RouteKey"] == DEFAULT:
            default = Match(route=route)
            continue
        wanted, _, template = route["RouteKey"].partition(" ")
        if wanted not in ("ANY", method):
            continue
        found = _compare(_segments(template), segments)
        if found is None:
            continue
        ranks, variables = found
        rank = (ranks, wanted == "ANY")
        if best is None or rank < best[0]:
            best = (rank, Match(route=route, variables=variables))
    return default if best is None else best[1]


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _compare(template: list[str], path: list[str]) -> tuple[list[int], dict[str, str]] | None:
    """Return how specific each segment matched, and the variables; None where one does not."""
    ranks: list[int] = []
    variables: dict[str, str] = {}
    for position, segment in enumerate(template):
        if segment.startswith("{") and segment.endswith("+}"):
            rest = path[position:]
            if not rest:
                return None
            variables[segment[1:-2]] = unquote("/".join(rest))
            return [*ranks, _GREEDY], variables
        if position >= len(path):
            return None
        if segment.startswith("{") and segment.endswith("}"):
            variables[segment[1:-1]] = unquote(path[position])
            ranks.append(_VARIABLE)
        elif segment == path[position]:
            ranks.append(_LITERAL)
        else:
            return None
    return (ranks, variables) if len(template) == len(path) else None
