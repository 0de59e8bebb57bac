"""Responses of integrations and routes, which WebSocket APIs have: parts of parts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from lambdad.api.dispatch import Params, Result
from lambdad.neighbours.apigatewayv2.apis import listed
from lambdad.neighbours.apigatewayv2.errors import (
    BadRequestException,
    ConflictException,
    no_part,
)
from lambdad.neighbours.apigatewayv2.service import HTTP_APIS, Context, answered, api_of, changed
from lambdad.triggers.http_api.model import Api


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One kind of response.

    Attributes:
        name: as in operations, `RouteResponse`.
        parent: what it belongs to, `Route`.
    """

    name: str
    parent: str

    @property
    def kind(self) -> str:
        """As it is stored."""
        return self.name.lower()

    @property
    def identifier(self) -> str:
        """Member that names one."""
        return f"{self.name}Id"

    @property
    def key(self) -> str:
        """Member that says which responses it is for."""
        return f"{self.name}Key"


RESPONSES = (
    Response(name="IntegrationResponse", parent="Integration"),
    Response(name="RouteResponse", parent="Route"),
)


def _of(api: Api, response: Response, parent_id: str) -> list[Mapping[str, Any]]:
    """Return the responses of one parent."""
    parts = api.parts[response.kind].items()
    return [document for key, document in parts if key.startswith(f"{parent_id}/")]


def _shown(response: Response, document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: each for name, each in document.items() if name != f"{response.parent}Id"}


def _found(context: Context, api: Api, response: Response, params: Params) -> Mapping[str, Any]:
    parent_id, identifier = params[f"{response.parent}Id"], params[response.identifier]
    context.services.part(api, response.parent.lower(), parent_id)
    document = api.parts[response.kind].get(f"{parent_id}/{identifier}")
    if document is None:
        raise no_part(response.name, identifier)
    return document


def _check(api: Api, response: Response, document: Mapping[str, Any], parent_id: str) -> None:
    if api.protocol != "WEBSOCKET":
        raise BadRequestException(f"{response.name} is only supported for WebSocket APIs")
    key = document[response.key]
    if response.name == "RouteResponse" and key != "$default":
        raise BadRequestException("Route response key must be $default")
    for other in _of(api, response, parent_id):
        same = other[response.identifier] == document[response.identifier]
        if other[response.key] == key and not same:
            raise ConflictException(f"{response.name} with key {key} already exists")


def _register_reading(response: Response) -> None:
    parent = f"{response.parent}Id"

    @HTTP_APIS.operation(f"Get{response.name}")
    async def get(context: Context, params: Params) -> Result:
        return answered(
            _shown(response, _found(context, api_of(context, params), response, params))
        )

    @HTTP_APIS.operation(f"Get{response.name}s")
    async def get_all(context: Context, params: Params) -> Result:
        api = api_of(context, params)
        context.services.part(api, response.parent.lower(), params[parent])
        found = [_shown(response, each) for each in _of(api, response, params[parent])]
        return listed(found, response.identifier, params)


def _register_changes(response: Response) -> None:
    parent = f"{response.parent}Id"

    async def put(context: Context, api: Api, parent_id: str, document: dict[str, Any]) -> Result:
        _check(api, response, document, parent_id)
        key = f"{parent_id}/{document[response.identifier]}"
        await context.services.put_part(api, response.kind, key, document)
        return answered(_shown(response, api.parts[response.kind][key]))

    @HTTP_APIS.operation(f"Create{response.name}")
    async def create(context: Context, params: Params) -> Result:
        api, apis = api_of(context, params), context.services
        apis.part(api, response.parent.lower(), params[parent])
        document = {name: value for name, value in params.items() if name != "ApiId"}
        document[response.identifier] = apis.new_id(7)
        return await put(context, api, params[parent], document)

    @HTTP_APIS.operation(f"Update{response.name}")
    async def update(context: Context, params: Params) -> Result:
        api = api_of(context, params)
        found = _found(context, api, response, params)
        given = {name: value for name, value in params.items() if name != "ApiId"}
        return await put(context, api, params[parent], dict(changed(found, given)))

    @HTTP_APIS.operation(f"Delete{response.name}")
    async def delete(context: Context, params: Params) -> Result:
        api = api_of(context, params)
        _found(context, api, response, params)
        key = f"{params[parent]}/{params[response.identifier]}"
        await context.services.remove_part(api, response.kind, key)
        return {}


for _response in RESPONSES:
    _register_reading(_response)
    _register_changes(_response)
