"""Which resource and method of a REST API take a request. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lambdad.triggers.rest_api.model import Document

ANY = "ANY"
_LITERAL, _VARIABLE, _GREEDY = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """What takes a request.

    Attributes:
        method: the Method document.
        parameters: path parameters, as they stand in the path, not decoded.
    """

    resource: Document
    method: Document
    parameters: Mapping[str, str] = field(default_factory=dict)


class Routes:
    """The resources of a deployment, ready to be searched. Immutable."""

    def __init__(self, resources: Mapping[str, Document]) -> None:
        self._literal: dict[tuple[str, ...], Document] = {}
        self._templates: list[tuple[tuple[str, ...], Document]] = []
        for resource in resources.values():
            if not resource.get("resourceMethods"):
                continue
            segments = tuple(_segments(resource["path"]))
            if any(segment.startswith("{") for segment in segments):
                self._templates.append((segments, resource))
            else:
                self._literal[segments] = resource

    def match(self, method: str, path: str) -> Match | None:
        """Return what takes a method and a raw path below the stage, or None.

        Segment by segment a literal counts before `{a}`, that before `{a+}`; of methods, the one
        that is named before ANY.
        """
        segments = _segments(path)
        resource = self._literal.get(tuple(segments))
        if resource is not None and (found := _method(resource, method)) is not None:
            return Match(resource=resource, method=found)
        best: tuple[list[int], Match] | None = None
        for template, candidate in self._templates:
            document = _method(candidate, method)
            compared = None if document is None else _compare(template, segments)
            if document is None or compared is None:
                continue
            ranks, parameters = compared
            if best is None or ranks < best[0]:
                match = Match(resource=candidate, method=document, parameters=parameters)
                best = (ranks, match)
        return None if best is None else best[1]


def _method(resource: Document, method: str) -> Document | None:
    methods: Mapping[str, Document] = resource["resourceMethods"]
    return methods.get(method) or methods.get(ANY)


def _segments(path: str) -> list[str]:
    return [segment for segment in path.split("/") if segment]


def _compare(
    template: Sequence[str], path: Sequence[str]
) -> tuple[list[int], dict[str, str]] | None:
    """Return how specific each segment matched, and the parameters; None where one does not."""
    ranks: list[int] = []
    parameters: dict[str, str] = {}
    for position, segment in enumerate(template):
        if position >= len(path):
            return None
        if segment.startswith("{") and segment.endswith("+}"):
            parameters[segment[1:-2]] = "/".join(path[position:])
            return [*ranks, _GREEDY], parameters
        if segment.startswith("{") and segment.endswith("}"):
            parameters[segment[1:-1]] = path[position]
            ranks.append(_VARIABLE)
        elif segment == path[position]:
            ranks.append(_LITERAL)
        else:
            return None
    return (ranks, parameters) if len(template) == len(path) else None
