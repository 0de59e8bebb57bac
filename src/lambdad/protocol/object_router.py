"""Which operation of S3 a request asks for.

S3's paths are a bucket and a key, which may hold and end in slashes; what is asked of them stands
in the query string and in headers. Decides by method, by whether there is a key, by the query
parameters that an operation demands literally, and then by those parameters and headers without
which it cannot be meant.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote

from botocore.model import OperationModel, ServiceModel

from lambdad.protocol.bindings import input_bindings
from lambdad.protocol.errors import UnknownOperation
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.routes import Route


@dataclass(frozen=True, slots=True, kw_only=True)
class _Leaf:
    operation: OperationModel
    literal: frozenset[tuple[str, str]]
    query: frozenset[str]
    headers: frozenset[str]

    def fits(self, pairs: frozenset[tuple[str, str]], names: frozenset[str]) -> bool:
        """Whether the literal parameters are there; `partNumber=1` is not `partNumber`."""
        return self.literal <= pairs or all(
            not value and name in names for name, value in self.literal
        )

    def is_meant(self, names: frozenset[str], request: HttpRequest) -> bool:
        return self.query <= names and all(name in request.headers for name in self.headers)


class ObjectRouter:
    """Routes the requests to S3; the bucket stands in the path."""

    def __init__(self, service_model: ServiceModel) -> None:
        self._leaves: dict[tuple[str, int], list[_Leaf]] = {}
        for name in service_model.operation_names:
            operation = service_model.operation_model(name)
            path = operation.http["requestUri"].partition("?")[0]
            level = {"/": 0, "/{Bucket}": 1, "/{Bucket}/{Key+}": 2}.get(path)
            if level is not None:
                bucket = self._leaves.setdefault((operation.http["method"], level), [])
                bucket.append(_leaf(operation))
        for leaves in self._leaves.values():
            # What demands more is tried first; of two that demand the same, the older one last.
            leaves.sort(
                key=lambda leaf: (
                    -len(leaf.literal),
                    -len(leaf.query) - len(leaf.headers),
                    leaf.operation.deprecated,
                    leaf.operation.name,
                )
            )

    def route(self, request: HttpRequest) -> Route:
        """Return the operation that a request asks for.

        Raises:
            UnknownOperation: there is none.
        """
        bucket, _, key = request.path.removeprefix("/").partition("/")
        params = {"Bucket": unquote(bucket), "Key": unquote(key)}
        level = 2 if key else 1 if bucket else 0
        leaf = self._choose(request, self._leaves.get((request.method, level), []))
        if leaf is None:
            raise UnknownOperation(
                "The specified method is not allowed against this resource.",
                code="MethodNotAllowed",
                status=405,
            )
        named = {name: params[name] for name in ("Bucket", "Key")[:level]}
        return Route(operation=leaf.operation, path_params=named)

    def _choose(self, request: HttpRequest, leaves: list[_Leaf]) -> _Leaf | None:
        pairs = frozenset(parse_qsl(request.query, keep_blank_values=True))
        names = frozenset(name for name, _ in pairs)
        fitting = [leaf for leaf in leaves if leaf.fits(pairs, names)]
        most = max((len(leaf.literal) for leaf in fitting), default=0)
        fitting = [leaf for leaf in fitting if len(leaf.literal) == most]
        meant = (leaf for leaf in fitting if leaf.is_meant(names, request))
        return next(meant, fitting[-1] if fitting else None)


def _leaf(operation: OperationModel) -> _Leaf:
    literal = parse_qsl(operation.http["requestUri"].partition("?")[2], keep_blank_values=True)
    bindings = input_bindings(operation)
    required = set(operation.input_shape.required_members) if operation.input_shape else set()
    return _Leaf(
        operation=operation,
        literal=frozenset(literal),
        query=frozenset(each.wire_name for each in bindings.query if each.name in required),
        headers=frozenset(
            each.wire_name.lower() for each in bindings.headers if each.name in required
        ),
    )
