"""Integrations whose requests and answers are mapped: functions, web servers, services, mocks.

Decides which template, parameters and response apply, as the API Gateway developer guide says.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lambdad.protocol.http import HttpResponse
from lambdad.triggers.rest_api import media_types, parameters
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.gateway_responses import Refused, internal_error, misconfigured
from lambdad.triggers.rest_api.media_types import JSON, TO_BINARY, TO_TEXT
from lambdad.triggers.rest_api.model import Document
from lambdad.triggers.rest_api.parameters import Outgoing
from lambdad.triggers.rest_api.template_variables import BodyUnreadable, Overrides, rendered
from lambdad.triggers.vtl.bounds import TemplateFailed
from lambdad.triggers.vtl.patterns import PatternRefused, compiled

_STATUS = re.compile(r"""["']?statusCode["']?\s*:\s*["']?(\d{3})""")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A request as its mapping made it.

    Attributes:
        body: what the integration gets.
        text: the same for functions, binary bodies as Base64.
    """

    outgoing: Outgoing
    body: bytes
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What an integration answered.

    Attributes:
        subject: what selection patterns are compared with: a status, or a function's error.
            None where the default response is meant.
        header: finds all values of a header.
    """

    subject: str | None
    body: bytes
    header: Callable[[str], list[str]]
    media_type: str = JSON


def prepare(call: Call, integration: Document) -> Prepared:
    """Map a request.

    Raises:
        Refused: no template takes its body, or the one that does fails.
    """
    outgoing = parameters.mapped(integration.get("requestParameters") or {}, call)
    content_type = call.header("content-type")
    binary = media_types.is_binary(call.snapshot.document, content_type)
    handling = integration.get("contentHandling")
    raw = call.request.body
    templates: Mapping[str, str] = integration.get("requestTemplates") or {}
    name = media_types.template_for(templates, content_type)
    if name is None:
        _check_passthrough(integration, templates)
        text = media_types.to_text(raw, binary=binary, handling=handling)
        body = raw
        if handling == TO_TEXT:
            body = text.encode()
        elif handling == TO_BINARY and not binary:
            body = _decoded(text)
        return Prepared(outgoing=outgoing, body=body, text=text)
    overrides = Overrides()
    source = media_types.to_text(raw, binary=binary, handling=handling)
    text = render(templates[name] or "", call, source, overrides)
    outgoing.override(overrides.request)
    body = _decoded(text) if handling == TO_BINARY else text.encode("utf-8", "replace")
    return Prepared(outgoing=outgoing, body=body, text=text)


def _decoded(text: str) -> bytes:
    try:
        return media_types.to_bytes(text, handling=TO_BINARY)
    except ValueError as error:
        raise misconfigured() from error


def _check_passthrough(integration: Document, templates: Mapping[str, str]) -> None:
    behaviour = integration.get("passthroughBehavior") or "WHEN_NO_MATCH"
    if behaviour == "NEVER" or (behaviour == "WHEN_NO_TEMPLATES" and templates):
        raise Refused("UNSUPPORTED_MEDIA_TYPE", "Unsupported Media Type")


def render(template: str, call: Call, body: str, overrides: Overrides) -> str:
    """Render a mapping template.

    Raises:
        Refused: it fails, or the body is not what it expects.
    """
    try:
        return rendered(template, call, body, overrides=overrides)
    except BodyUnreadable as error:
        raise Refused(
            "BAD_REQUEST_BODY", f"Could not parse request body into json: {error}"
        ) from error
    except TemplateFailed as error:
        raise misconfigured() from error


def mock_status(prepared: Prepared) -> str:
    """Return the status that a mock's request template names.

    Raises:
        Refused: it names none.
    """
    try:
        found = json.loads(prepared.text)["statusCode"]
        return str(int(found))
    except (ValueError, KeyError, TypeError, RecursionError):
        # AWS's parser takes names without quotes, and so do tools: `{statusCode:200}`.
        named = _STATUS.search(prepared.text)
        if named is None:
            raise internal_error() from None
        return named[1]


def respond(call: Call, integration: Document, answer: Answer) -> HttpResponse:
    """Return the response that an integration's answer is mapped to.

    Raises:
        Refused: there is none for it, or its template fails.
    """
    chosen = _selected(integration.get("integrationResponses") or {}, answer.subject)
    status = int(chosen["statusCode"])
    headers = {"content-type": answer.media_type or JSON}
    templates: Mapping[str, str | None] = chosen.get("responseTemplates") or {}
    handling = chosen.get("contentHandling")
    body = answer.body
    if templates:
        name = media_types.template_for(templates, call.header("accept")) or (
            media_types.template_for(templates, JSON) or next(iter(templates))
        )
        headers["content-type"] = name
        template = templates[name]
        if template:
            status, body = _rendered(template, call, answer, status, headers)
    mapping = chosen.get("responseParameters") or {}
    mapped = parameters.response_headers(mapping, call, header=answer.header, body=answer.body)
    headers |= mapped
    if handling == TO_BINARY:
        body = _decoded(body.decode("utf-8", "replace"))
    elif handling == TO_TEXT:
        body = media_types.to_text(body, binary=True, handling=handling).encode()
    return HttpResponse(status=status, headers=headers, body=body)


def _rendered(
    template: str, call: Call, answer: Answer, status: int, headers: dict[str, str]
) -> tuple[int, bytes]:
    overrides = Overrides()
    try:
        text = rendered(template, call, answer.body.decode("utf-8", "replace"), overrides=overrides)
    except (BodyUnreadable, TemplateFailed) as error:
        raise misconfigured() from error
    for name, value in overrides.response["header"].items():
        headers[str(name).lower()] = str(value)
    override = str(overrides.response.get("status", status))
    chosen = int(override) if override.isdecimal() and 100 <= int(override) <= 599 else status
    return chosen, text.encode("utf-8", "replace")


def _selected(responses: Mapping[str, Document], subject: str | None) -> Document:
    default = None
    for response in responses.values():
        pattern = response.get("selectionPattern")
        if not pattern:
            default = default or response
            continue
        if subject is None:
            continue
        try:
            if compiled(pattern, subject, whole=True).fullmatch(subject):
                return response
        except PatternRefused as error:
            raise misconfigured() from error
    if default is None:
        raise misconfigured()
    return default
