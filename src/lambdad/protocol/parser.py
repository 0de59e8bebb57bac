"""The parameters of an operation, read from a request.

Decides where each member comes from and gives it the type of its shape. Refuses to parse what
is only carried: the payload of an invocation stays bytes. Constraints are the validator's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any
from urllib.parse import parse_qsl

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from lambdad.protocol.bindings import Bindings, Bound, input_bindings, wire_name
from lambdad.protocol.errors import MalformedRequest
from lambdad.protocol.forms import Tree, form_pairs, form_tree
from lambdad.protocol.http import HttpRequest
from lambdad.protocol.values import Params, decode_blob, read_json_members, read_text
from lambdad.protocol.xml_reader import read_xml

_MAX_QUERY_PARAMETERS = 10_000
_ELEMENT = re.compile(r'(?:^|,)\s*(?:"((?:[^"\\]|\\.)*)"\s*(?=,|$)|([^,]*))')


def parse(
    operation: OperationModel, request: HttpRequest, path_params: Mapping[str, str]
) -> dict[str, Any]:
    """Return the parameters of a request by the names of the model's members.

    Blobs are bytes, timestamps aware datetimes in UTC, numbers int or float. Members that were
    not sent, or are null, are absent, and so is a blob payload without bytes; one that came into a
    file is an `Upload`. Null elements of lists and maps stay None, for the validator to refuse.

    Raises:
        MalformedRequest: the body or a parameter cannot be read as its type.
    """
    if operation.service_model.metadata["protocol"] == "query":
        shape = operation.input_shape
        return {} if shape is None else _read_members(shape, form_tree(form_pairs(request)))
    bindings = input_bindings(operation)
    params: Params = {}
    for bound in bindings.uri:
        params[bound.name] = read_text(bound.shape, path_params[bound.wire_name])
    if bindings.query and request.query:
        _read_query(bindings, request.query, params)
    headers = request.headers
    for name, bound in _header_names(operation):
        text = headers.get(name)
        if text is not None:
            params[bound.name] = _read_header(bound.shape, text)
    for bound in bindings.prefixes:
        _read_prefixed(bound, headers, params)
    xml = operation.service_model.metadata["protocol"] == "rest-xml"
    if bindings.payload is not None:
        _read_payload(bindings.payload, request, params, xml=xml)
    elif bindings.body and xml:
        shape = operation.input_shape
        params.update({} if shape is None else read_xml(shape, request.body))
    elif bindings.body:
        params.update(read_json_members(_body_members(operation), _load_json(request.body)))
    return params


# --- REST and JSON --------------------------------------------------------------------------


@cache
def _header_names(operation: OperationModel) -> Sequence[tuple[str, Bound]]:
    """Headers in lower case, as requests have them, with what they bind."""
    bound = input_bindings(operation).headers
    return [(each.wire_name.lower(), each) for each in bound]


@cache
def _body_members(operation: OperationModel) -> Mapping[str, tuple[str, Shape]]:
    return {bound.wire_name: (bound.name, bound.shape) for bound in input_bindings(operation).body}


def _read_query(bindings: Bindings, query: str, params: Params) -> None:
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=_MAX_QUERY_PARAMETERS)
    except ValueError as error:
        raise MalformedRequest("The query string has too many parameters.") from error
    sent: dict[str, list[str]] = {}
    for name, value in pairs:
        sent.setdefault(name, []).append(value)
    for bound in bindings.query:
        if isinstance(bound.shape, MapShape):
            _read_query_map(bound, bindings, sent, params)
        elif bound.wire_name in sent:
            texts = sent[bound.wire_name]
            if isinstance(bound.shape, ListShape):
                params[bound.name] = [read_text(bound.shape.member, text) for text in texts]
            else:
                params[bound.name] = read_text(bound.shape, texts[-1])


def _read_query_map(
    bound: Bound, bindings: Bindings, sent: Mapping[str, list[str]], params: Params
) -> None:
    """Read a map: every parameter that no other member has bound is an entry of it."""
    assert isinstance(bound.shape, MapShape)  # noqa: S101 - the caller looked
    taken = {other.wire_name for other in bindings.query if other is not bound}
    value = bound.shape.value
    entries: Params = {}
    for name, texts in sent.items():
        if name in taken:
            continue
        if isinstance(value, ListShape):
            entries[name] = [read_text(value.member, text) for text in texts]
        else:
            entries[name] = read_text(value, texts[-1])
    if entries:
        params[bound.name] = entries


def _read_header(shape: Shape, text: str) -> Any:
    if isinstance(shape, ListShape):
        return [read_text(shape.member, each) for each in _elements(text)]
    if shape.type_name == "string" and shape.serialization.get("jsonvalue"):
        return _load_json(decode_blob(text))
    return read_text(shape, text)


def _elements(text: str) -> list[str]:
    """Return the elements of a header's list; what is in quotes may have commas and quotes."""
    return [
        plain.strip() if plain else quoted.replace('\\"', '"')
        for quoted, plain in _ELEMENT.findall(text)
    ]


def _read_prefixed(bound: Bound, headers: Mapping[str, str], params: Params) -> None:
    """Read a map: every header whose name begins with the prefix is an entry of it."""
    prefix = bound.wire_name.lower()
    entries = {
        name[len(prefix) :]: text for name, text in headers.items() if name.startswith(prefix)
    }
    if entries:
        params[bound.name] = entries


def _read_payload(bound: Bound, request: HttpRequest, params: Params, *, xml: bool) -> None:
    shape, body = bound.shape, request.body
    if request.upload is not None and shape.type_name == "blob":
        params[bound.name] = request.upload
    if not body:
        return
    if shape.type_name == "blob":
        params[bound.name] = body
    elif isinstance(shape, StructureShape) and xml:
        params[bound.name] = read_xml(shape, body)
    elif isinstance(shape, StructureShape):
        members = {wire_name(name, each): (name, each) for name, each in shape.members.items()}
        params[bound.name] = read_json_members(members, _load_json(body))
    else:
        params[bound.name] = _decode(body)


def _decode(body: bytes) -> str:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise MalformedRequest("The request body is not UTF-8.") from error


def _load_json(body: bytes) -> object:
    """Return a decoded document; an empty body is an empty object.

    Refuses what JSON does not have and Python's decoder would take: NaN and Infinity.
    """
    if not body:
        return {}
    try:
        document: object = json.loads(_decode(body), parse_constant=_refuse_constant)
    except RecursionError as error:
        raise MalformedRequest("The request body nests too deep.") from error
    except ValueError as error:
        raise MalformedRequest("The request body is not well-formed JSON.") from error
    return document


def _refuse_constant(name: str) -> None:
    raise ValueError(name)


# --- query ----------------------------------------------------------------------------------


def _read_members(shape: StructureShape, tree: Tree) -> Params:
    params: Params = {}
    for name, member in shape.members.items():
        wire = wire_name(name, member)
        if isinstance(member, ListShape) and member.serialization.get("flattened"):
            wire = member.member.serialization.get("name", wire)
        if wire in tree:
            value = _read_form(member, tree[wire])
            if value is not None:
                params[name] = value
    return params


def _read_form(shape: Shape, node: str | Tree) -> Any:
    if isinstance(shape, StructureShape):
        return _read_members(shape, _branch(node))
    if isinstance(shape, ListShape):
        return _read_form_list(shape, node)
    if isinstance(shape, MapShape):
        return _read_form_map(shape, node)
    if not isinstance(node, str):
        raise MalformedRequest("Unexpected complex element termination")
    return read_text(shape, node)


def _branch(node: str | Tree) -> Tree:
    if isinstance(node, dict):
        return node
    if node:
        raise MalformedRequest("Unexpected list element termination")
    return {}


def _indexed(tree: Tree) -> list[str | Tree]:
    """Return the children by their numbers, which need not be without gaps."""
    try:
        numbered = sorted(
            ((int(key), child) for key, child in tree.items()), key=lambda pair: pair[0]
        )
    except (ValueError, TypeError) as error:
        raise MalformedRequest("Key is not a list index") from error
    return [child for _, child in numbered]


def _read_form_list(shape: ListShape, node: str | Tree) -> list[Any]:
    tree = _branch(node)
    if not shape.serialization.get("flattened"):
        tree = _branch(tree.get(shape.member.serialization.get("name", "member"), {}))
    return [_read_form(shape.member, child) for child in _indexed(tree)]


def _read_form_map(shape: MapShape, node: str | Tree) -> Params:
    tree = _branch(node)
    if not shape.serialization.get("flattened"):
        tree = _branch(tree.get("entry", {}))
    key_name = shape.key.serialization.get("name", "key")
    value_name = shape.value.serialization.get("name", "value")
    entries: Params = {}
    for child in _indexed(tree):
        entry = _branch(child)
        if key_name not in entry or value_name not in entry:
            raise MalformedRequest("An entry of a map needs a key and a value")
        key = _read_form(shape.key, entry[key_name])
        entries[key] = _read_form(shape.value, entry[value_name])
    return entries
