"""Which operation a request asks for.

Decides by method and path (REST), by `X-Amz-Target` (JSON) or by `Action` (query), as the
protocol of the service has it. Refuses to know the parameters of an operation but those in the
path, which it cuts out and decodes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationModel, ServiceModel

from lambdad.protocol.errors import UnknownOperation
from lambdad.protocol.forms import form_pairs
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.object_router import ObjectRouter
from lambdad.protocol.routes import Route

_NO_PARAMS: Mapping[str, str] = MappingProxyType({})
_MAX_ECHO = 256
# Routes that are kept, and how long their paths are: some 4 MB at most.
_RECENT_MAX = 8_192
_RECENT_PATH_MAX = 256


class _Strategy(Protocol):
    def route(self, request: HttpRequest) -> Route: ...


class Router:
    """Routes the requests to one service; built once, then only read."""

    def __init__(self, service_model: ServiceModel) -> None:
        """Compile the routes of a service.

        Raises:
            ValueError: the service's protocol is none of rest-json, rest-xml, json and query.
        """
        self._strategy = _strategy(service_model)

    def route(self, request: HttpRequest) -> Route:
        """Return the operation that a request asks for.

        Raises:
            UnknownOperation: the service has no such operation.
        """
        return self._strategy.route(request)


def _strategy(service_model: ServiceModel) -> _Strategy:
    protocol = service_model.metadata["protocol"]
    if protocol == "rest-json":
        return _PathRouter(service_model)
    if protocol == "rest-xml":
        return ObjectRouter(service_model)
    if protocol == "json":
        return _TargetRouter(service_model)
    if protocol == "query":
        return _ActionRouter(service_model)
    raise ValueError(f"{service_model.service_name}: the protocol {protocol} is not served")


# --- REST -----------------------------------------------------------------------------------


@dataclass(slots=True, kw_only=True)
class _Leaf:
    """An operation at the end of a path template.

    Attributes:
        labels: names of the template's labels, in order.
        query: parameters that the template demands literally.
    """

    operation: OperationModel
    labels: tuple[str, ...]
    query: frozenset[tuple[str, str]]


@dataclass(slots=True)
class _Node:
    """A segment of path templates.

    Attributes:
        literal: next nodes by segment.
        label: next node for any other segment.
        greedy: leaves of templates whose last label takes all segments that are left.
        leaves: by method; those with literal query parameters come first.
    """

    literal: dict[str, _Node] = field(default_factory=dict)
    label: _Node | None = None
    greedy: dict[str, list[_Leaf]] = field(default_factory=dict)
    leaves: dict[str, list[_Leaf]] = field(default_factory=dict)


class _PathRouter:
    """Walks a tree of segments; a literal segment is preferred to a label.

    Segments are cut before they are decoded, so an encoded slash belongs to its parameter.
    """

    # Mutable: what was found for recent methods and paths, where no query had a say.
    def __init__(self, service_model: ServiceModel) -> None:
        self._root = _Node()
        self._recent: dict[tuple[str, str], Route] = {}
        for name in service_model.operation_names:
            self._add(service_model.operation_model(name))

    def _add(self, operation: OperationModel) -> None:
        template, _, query = operation.http["requestUri"].partition("?")
        node, labels, greedy = self._root, [], False
        for segment in _segments(template):
            if segment.startswith("{"):
                greedy = segment.endswith("+}")
                labels.append(segment[1:-1].rstrip("+"))
                if not greedy:
                    node.label = node.label or _Node()
                    node = node.label
            else:
                node = node.literal.setdefault(segment, _Node())
        leaf = _Leaf(
            operation=operation,
            labels=tuple(labels),
            query=frozenset(parse_qsl(query, keep_blank_values=True)),
        )
        leaves = node.greedy if greedy else node.leaves
        bucket = leaves.setdefault(operation.http["method"], [])
        bucket.append(leaf)
        bucket.sort(key=lambda each: -len(each.query))

    def route(self, request: HttpRequest) -> Route:
        if request.query:
            return self._find(request)
        asked = (request.method, request.path)
        route = self._recent.get(asked)
        if route is None:
            route = self._find(request)
            if len(self._recent) >= _RECENT_MAX:
                self._recent.clear()
            if len(request.path) <= _RECENT_PATH_MAX:
                self._recent[asked] = route
        return route

    def _find(self, request: HttpRequest) -> Route:
        segments = _segments(request.path)
        values: list[str] = []
        leaf = self._walk(self._root, segments, 0, values, request)
        if leaf is None:
            method, path = request.method[:_MAX_ECHO], request.path[:_MAX_ECHO]
            raise UnknownOperation(f"No operation answers {method} {path}")
        if not leaf.labels:
            return Route(operation=leaf.operation, path_params=_NO_PARAMS)
        decoded = (unquote(value) if "%" in value else value for value in values)
        params = dict(zip(leaf.labels, decoded, strict=True))
        return Route(operation=leaf.operation, path_params=params)

    def _walk(
        self, node: _Node, segments: list[str], index: int, values: list[str], request: HttpRequest
    ) -> _Leaf | None:
        """Return the leaf, its values appended to `values`, or None."""
        if index == len(segments):
            return _choose(node.leaves, request)
        segment = segments[index]
        literal = node.literal.get(segment)
        if literal is not None:
            leaf = self._walk(literal, segments, index + 1, values, request)
            if leaf is not None:
                return leaf
        if node.label is not None and segment:
            values.append(segment)
            leaf = self._walk(node.label, segments, index + 1, values, request)
            if leaf is not None:
                return leaf
            values.pop()
        if node.greedy and segment:
            leaf = _choose(node.greedy, request)
            if leaf is not None:
                values.append("/".join(segments[index:]))
            return leaf
        return None


def _segments(path: str) -> list[str]:
    """Cut a path at its slashes; one trailing slash means nothing, as older SDKs send it."""
    return path[1:-1].split("/") if path.endswith("/") else path[1:].split("/")


def _choose(leaves: Mapping[str, list[_Leaf]], request: HttpRequest) -> _Leaf | None:
    for leaf in leaves.get(request.method, ()):
        if not leaf.query or leaf.query <= set(parse_qsl(request.query, keep_blank_values=True)):
            return leaf
    return None


# --- JSON and query -------------------------------------------------------------------------


class _TargetRouter:
    """Looks the operation up by the header `X-Amz-Target: Prefix.Operation`."""

    def __init__(self, service_model: ServiceModel) -> None:
        prefix = service_model.metadata["targetPrefix"]
        self._routes = {
            f"{prefix}.{name}": Route(
                operation=service_model.operation_model(name), path_params=_NO_PARAMS
            )
            for name in service_model.operation_names
        }

    def route(self, request: HttpRequest) -> Route:
        target = request.headers.get("x-amz-target", "")
        route = self._routes.get(target)
        if route is None:
            raise UnknownOperation(f"No operation has the target '{target[:_MAX_ECHO]}'")
        return route


class _ActionRouter:
    """Looks the operation up by the parameter `Action` of the form body or the query string."""

    def __init__(self, service_model: ServiceModel) -> None:
        self._version = service_model.api_version
        self._routes = {
            name: Route(operation=service_model.operation_model(name), path_params=_NO_PARAMS)
            for name in service_model.operation_names
        }

    def route(self, request: HttpRequest) -> Route:
        action = dict(form_pairs(request)).get("Action", "")
        if not action:
            raise UnknownOperation("The request names no Action.", code="MissingAction", status=400)
        route = self._routes.get(action)
        if route is None:
            raise UnknownOperation(
                f"Could not find operation {action[:_MAX_ECHO]} for version {self._version}",
                code="InvalidAction",
                status=400,
            )
        return route
