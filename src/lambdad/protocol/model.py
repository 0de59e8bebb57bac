"""Service models, as botocore ships them.

Decides which model is loaded: only the installed botocore's own, never one from the operator's
home directory. Refuses to change what a model says.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel

from lambdad.protocol.older_names import OLDER_NAMES, OlderNames

# Preferred first. What botocore prefers beyond these is not served.
PROTOCOLS = ("rest-json", "rest-xml", "json", "query")


@cache
def load_service(name: str, protocol: str | None = None) -> ServiceModel:
    """Return the newest model of a service, for example `lambda`; loaded once.

    `protocol` is one of those that the service speaks; none takes the first of `PROTOCOLS` that it
    does. It stands in the model's metadata, where all of `lambdad.protocol` looks for it.

    Raises:
        ValueError: the service speaks no such protocol.
        botocore.exceptions.UnknownServiceError: botocore has no such service.
    """
    document = _document(name)
    spoken = protocols_of(name)
    chosen = protocol or next(iter(spoken), None)
    if chosen is None or chosen not in spoken:
        raise ValueError(f"{name} does not speak {chosen or 'any protocol that is served'}")
    metadata = {**document["metadata"], "protocol": chosen}
    if (older := OLDER_NAMES.get(name)) is not None:
        document = _with_older_names(document, older, whole=chosen == "query")
        metadata["xmlNamespace"] = older.namespace
    return ServiceModel({**document, "metadata": metadata}, service_name=name)


@cache
def protocols_of(name: str) -> tuple[str, ...]:
    """Return the protocols that are served of those that a service speaks, preferred first."""
    metadata = _document(name)["metadata"]
    spoken = {metadata["protocol"], *metadata.get("protocols", ())}
    if name in OLDER_NAMES:
        spoken.add("query")
    return tuple(each for each in PROTOCOLS if each in spoken)


@cache
def _document(name: str) -> dict[str, Any]:
    loader = Loader(
        extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False
    )
    document: dict[str, Any] = loader.load_service_model(name, "service-2")
    return document


def _with_older_names(
    document: Mapping[str, Any], older: OlderNames, *, whole: bool
) -> dict[str, Any]:
    """Return the document with the names of its former query protocol; its codes in any case."""
    shapes = deepcopy(document["shapes"])
    for name, (code, status) in older.errors.items():
        error = {"code": code, "httpStatusCode": status}
        shapes[name]["error" if whole else "queryError"] = error
    for (shape, part, member), wire in older.members.items() if whole else ():
        target = shapes[shape][part][member] if member else shapes[shape][part]
        target["locationName"] = wire
    operations = {
        name: _with_wrapper(name, operation) if whole else operation
        for name, operation in document["operations"].items()
    }
    return {**document, "shapes": shapes, "operations": operations}


def _with_wrapper(name: str, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    """Say that an operation's result stands in an element of its own."""
    if "output" not in operation:
        return operation
    return {**operation, "output": {**operation["output"], "resultWrapper": f"{name}Result"}}
