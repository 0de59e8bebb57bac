"""Form parameters of the query protocol, as a tree.

Decides how dotted names such as `Tags.member.1.Key` nest. Refuses to know shapes: that a level is
a list or a map is the parser's reading of it.
"""

from __future__ import annotations

from urllib.parse import parse_qsl

from lambdad.protocol.errors import MalformedRequest
from lambdad.protocol.http import HttpRequest

Tree = dict[str, "str | Tree"]
_MAX_PARAMETERS = 10_000
_MAX_DEPTH = 40


def form_pairs(request: HttpRequest) -> list[tuple[str, str]]:
    """Return names and values of the query string, then of the form body.

    Raises:
        MalformedRequest: the body is no form, or has too many parameters.
    """
    try:
        body = request.body.decode("utf-8")
        pairs = parse_qsl(request.query, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
        return pairs + parse_qsl(body, keep_blank_values=True, max_num_fields=_MAX_PARAMETERS)
    except ValueError as error:
        raise MalformedRequest("The request body is not a form.") from error


def form_tree(pairs: list[tuple[str, str]]) -> Tree:
    """Nest parameters by the dots in their names.

    Raises:
        MalformedRequest: a name is both a value and a prefix, or nests too deep.
    """
    root: Tree = {}
    for name, value in pairs:
        *parents, leaf = name.split(".", _MAX_DEPTH)
        node = root
        for parent in parents:
            child = node.setdefault(parent, {})
            if not isinstance(child, dict):
                raise MalformedRequest("A parameter has both a value and members.")
            node = child
        if isinstance(node.get(leaf), dict) or "." in leaf:
            raise MalformedRequest("A parameter has both a value and members, or nests too deep.")
        node[leaf] = value
    return root
