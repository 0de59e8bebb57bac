"""`Fn::Transform`, `AWS::Include` and macros: parts of a template that others write.

Blocks: what is included is fetched from S3, and macros are functions that are called.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from lambdad.neighbours.cloudformation.calls import CallFailed, Calls
from lambdad.neighbours.cloudformation.errors import ValidationError
from lambdad.neighbours.cloudformation.fetching import fetched
from lambdad.neighbours.cloudformation.intrinsics import Scope, evaluate
from lambdad.neighbours.cloudformation.template_text import check_depth, read_template

INCLUDE = "AWS::Include"
FUNCTION = "Fn::Transform"
_APPLIED_MAX = 100
_SIZE_MAX = 1_000_000


class Macros:
    """Applies what a template asks for. Mutable: how often something was included.

    `functions` are those of the account's own macros, by name; `values` and `texts` are parameters
    as `Ref` gives them and as macros get them.
    """

    def __init__(
        self,
        calls: Calls,
        functions: Mapping[str, str],
        values: Mapping[str, Any],
        mappings: Mapping[str, Any],
    ) -> None:
        self._calls = calls
        self._functions = functions
        self._scope = Scope(values=values, mappings=mappings)
        self._applied = 0
        self._size = 0

    def knows(self, name: str) -> bool:
        """Whether there is a macro of that name."""
        return name == INCLUDE or name in self._functions

    def snippets(self, value: Any) -> Any:
        """Return a value with every `Fn::Transform` in it applied, innermost first.

        Raises:
            ValidationError: one cannot be applied.
        """
        if isinstance(value, list):
            return [self.snippets(each) for each in value]
        if not isinstance(value, dict):
            return value
        around = {name: self.snippets(each) for name, each in value.items() if name != FUNCTION}
        for asked in _several(value.get(FUNCTION, [])):
            around = self._snippet(asked, around)
        return around

    def _snippet(self, asked: Any, around: Any) -> Any:
        name, params = _asked(asked)
        if name == INCLUDE:
            found = self._included(params)
            return {**around, **found}
        return self._call(name, params, around)

    def whole(self, asked: Any, document: dict[str, Any]) -> dict[str, Any]:
        """Return a document as a macro that it declares at its top makes it.

        Raises:
            ValidationError: it cannot be applied.
        """
        name, params = _asked(asked)
        if name == INCLUDE:
            return {**document, **self._included(params)}
        found = self._call(name, params, document)
        if not isinstance(found, dict):
            raise _failed(name, "the fragment is not an object")
        return found

    def _count(self, name: str) -> None:
        self._applied += 1
        if self._applied > _APPLIED_MAX:
            raise _failed(name, f"a template can have {_APPLIED_MAX} transforms at most")

    def _included(self, params: Mapping[str, Any]) -> dict[str, Any]:
        self._count(INCLUDE)
        location = evaluate(params.get("Location"), self._scope)
        if not isinstance(location, str):
            raise _failed(INCLUDE, "the parameter Location has to be the address of an S3 object")
        text = fetched(location, self._calls)
        self._size += len(text)
        if self._size > _SIZE_MAX:
            raise _failed(INCLUDE, f"more than {_SIZE_MAX} bytes are included")
        # What is included includes nothing itself.
        return read_template(text)

    def _call(self, name: str, params: Mapping[str, Any], fragment: Any) -> Any:
        self._count(name)
        if name not in self._functions:
            raise ValidationError(f"No transform named {name} found.")
        values = self._scope.values
        request = {
            "region": self._calls.region,
            "accountId": self._calls.account_id,
            "transformId": f"{self._calls.account_id}::{name}",
            "requestId": str(uuid4()),
            "fragment": fragment,
            "params": evaluate(params, self._scope),
            "templateParameterValues": {
                each: value for each, value in values.items() if not each.startswith("AWS::")
            },
        }
        try:
            answer = self._calls.call(
                "lambda",
                "Invoke",
                {"FunctionName": self._functions[name], "Payload": json.dumps(request)},
            )
        except CallFailed as error:
            raise _failed(name, str(error)) from error
        return _fragment(name, answer, request["requestId"])


def _fragment(name: str, answer: Mapping[str, Any], request_id: str) -> Any:
    if answer.get("FunctionError"):
        raise _failed(name, "the function failed")
    try:
        found = json.loads(answer["Payload"].read())
        status, fragment = found["status"], found.get("fragment")
        check_depth(fragment)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise _failed(name, "the function did not answer with a status and a fragment") from None
    if str(status).lower() != "success":
        raise _failed(name, str(found.get("errorMessage") or f"the status is {status}"))
    if found.get("requestId") != request_id:
        raise _failed(name, "the answer's requestId is not that of the request")
    return fragment


def _several(asked: Any) -> list[Any]:
    return asked if isinstance(asked, list) else [asked]


def _asked(asked: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(asked, str):
        return asked, {}
    if not isinstance(asked, dict) or not isinstance(asked.get("Name"), str):
        raise ValidationError(
            "Template format error: every Fn::Transform object must have a Name of type String."
        )
    params = asked.get("Parameters") or {}
    if not isinstance(params, dict):
        raise ValidationError(
            "Template format error: Parameters of Fn::Transform must be an object."
        )
    return asked["Name"], params


def _failed(name: str, why: str) -> ValidationError:
    return ValidationError(f"Transform {name} failed with: {why}.")
