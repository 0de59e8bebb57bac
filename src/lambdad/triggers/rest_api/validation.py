"""Whether a request has the parameters and the body that its method asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from lambdad.triggers.rest_api import media_types
from lambdad.triggers.rest_api.calls import Call
from lambdad.triggers.rest_api.gateway_responses import Refused, misconfigured
from lambdad.triggers.rest_api.model import Document
from lambdad.triggers.vtl.patterns import PatternRefused, compiled

# References that a validation may follow, lest schemas that double themselves run for ever.
_REFERENCES_MAX = 10_000
_MODEL_URL = "https://apigateway.amazonaws.com/restapis/"


def validate(call: Call) -> None:
    """See that a request is as its method's validator wants it.

    Raises:
        Refused: it is not.
    """
    validator_id = call.method.get("requestValidatorId")
    if not validator_id:
        return
    validator = call.snapshot.validators.get(validator_id) or {}
    if validator.get("validateRequestParameters"):
        _check_parameters(call)
    if validator.get("validateRequestBody"):
        _check_body(call)


def _check_parameters(call: Call) -> None:
    missing = []
    for name, required in (call.method.get("requestParameters") or {}).items():
        kind, _, key = name.removeprefix("method.request.").partition(".")
        if required and not _is_given(call, kind, key):
            missing.append(key)
    if missing:
        text = f"Missing required request parameters: [{', '.join(missing)}]"
        raise Refused("BAD_REQUEST_PARAMETERS", text, details=text)


def _is_given(call: Call, kind: str, name: str) -> bool:
    if kind in ("header", "multivalueheader"):
        return bool(call.header(name))
    if kind in ("querystring", "multivaluequerystring"):
        return bool(call.last_query.get(name))
    return bool(call.path_parameters.get(name))


def _check_body(call: Call) -> None:
    models: Mapping[str, str] = call.method.get("requestModels") or {}
    name = media_types.template_for(models, call.header("content-type")) or (
        "$default" if "$default" in models else None
    )
    if name is None:
        return
    model = call.snapshot.models.get(models[name])
    if model is None:
        raise misconfigured()
    try:
        body = json.loads(call.request.body or b"{}")
    except (ValueError, RecursionError) as error:
        raise _invalid("[the body is no JSON]") from error
    problems = Schemas(call.snapshot.models).problems(model, body)
    if problems:
        raise _invalid(f"[{', '.join(problems)}]")


def _invalid(details: str) -> Refused:
    return Refused("BAD_REQUEST_BODY", "Invalid request body", details=details)


class Schemas:
    """The models of an API, which may refer to one another. Mutable: counts what it follows."""

    def __init__(self, models: Mapping[str, Document]) -> None:
        self._models = models
        self._references = 0

    def problems(self, model: Document, body: Any) -> list[str]:
        """Return what is wrong with a body, some of it; nothing if it is as the model wants it.

        Raises:
            Refused: the model is no JSON schema.
        """
        # Imported once a method validates: it takes a tenth of a second.
        from jsonschema import Draft4Validator, SchemaError  # noqa: PLC0415
        from jsonschema.validators import extend  # noqa: PLC0415
        from referencing import Registry  # noqa: PLC0415
        from referencing.exceptions import Unresolvable  # noqa: PLC0415

        follow = Draft4Validator.VALIDATORS["$ref"]

        def counted(validator: Any, reference: Any, instance: Any, schema: Any) -> Iterator[Any]:
            self._references += 1
            if self._references > _REFERENCES_MAX:
                raise RecursionError
            yield from follow(validator, reference, instance, schema)

        checks = {"$ref": counted, "pattern": _pattern, "patternProperties": _pattern_properties}
        kind = extend(Draft4Validator, checks)
        try:
            schema = json.loads(model.get("schema") or "{}")
            kind.check_schema(schema)
            # SECURITY: nothing is fetched; a reference to anything but a model leads nowhere.
            registry = Registry(retrieve=self._resource)
            errors = kind(schema, registry=registry).iter_errors(body)
            return [error.message[:200] for error, _ in zip(errors, range(5), strict=False)]
        except (ValueError, SchemaError, Unresolvable, RecursionError) as error:
            raise misconfigured() from error

    def _resource(self, uri: str) -> Any:
        from referencing import Resource  # noqa: PLC0415 - as above
        from referencing.exceptions import NoSuchResource  # noqa: PLC0415
        from referencing.jsonschema import DRAFT4  # noqa: PLC0415

        name = uri.partition("#")[0].rpartition("/models/")[2]
        model = self._models.get(name) if uri.startswith(_MODEL_URL) else None
        if model is None:
            raise NoSuchResource(ref=uri)
        return Resource(contents=json.loads(model.get("schema") or "{}"), specification=DRAFT4)


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[Any]:
    del validator, schema
    if isinstance(instance, str) and not _found(pattern, instance):
        from jsonschema import ValidationError  # noqa: PLC0415 - as above

        yield ValidationError(f"{instance[:100]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, properties: Mapping[str, Any], instance: Any, schema: Any
) -> Iterator[Any]:
    del schema
    if not isinstance(instance, dict):
        return
    for pattern, inner in properties.items():
        for name, value in instance.items():
            if _found(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _found(pattern: str, text: str) -> bool:
    """Whether a pattern is found; one that could take too long to search for is an error.

    Raises:
        Refused: see above.
    """
    try:
        return compiled(pattern, text).search(text) is not None
    except PatternRefused as error:
        raise misconfigured() from error
