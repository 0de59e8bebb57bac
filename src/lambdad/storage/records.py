"""Functions and resources in memory, and what a change does to them.

The engines share this: one makes a change durable first and then makes it here, the other makes it
only here. Whether a change may be made is the engine's question, except in `check`.
"""

from __future__ import annotations

from dataclasses import replace

from lambdad.domain.arns import FunctionKey
from lambdad.domain.functions import Function
from lambdad.domain.resources import Resource
from lambdad.storage.base import (
    AlreadyExists,
    Change,
    DeleteResource,
    DeleteVersion,
    InsertFunction,
    PutResource,
    ReplaceFunction,
    RevisionMismatch,
)
from lambdad.storage.changes import Changes
from lambdad.storage.documents import json_values
from lambdad.storage.function_index import FunctionIndex
from lambdad.storage.resource_index import ResourceIndex


class Records:
    """Both indexes. Used from the event loop alone.

    Attributes:
        changes: counts those of both, and of the indexes that take their places.
    """

    def __init__(self, changes: Changes | None = None) -> None:
        self.changes = changes or Changes()
        self.functions = FunctionIndex(self.changes)
        self.resources = ResourceIndex(self.changes)

    def check(self, change: Change) -> None:
        """Refuse a change that cannot be made.

        Raises:
            AlreadyExists, RevisionMismatch: see the change's class.
        """
        match change:
            case InsertFunction(function=function):
                if self.functions.get(function.key, function.version) is not None:
                    raise AlreadyExists(describe_function(function))
            case ReplaceFunction(function=function, expected_revision=expected):
                stored = self.functions.get(function.key, function.version)
                if stored is None or stored.revision_id != expected:
                    raise RevisionMismatch(describe_function(function))
            case PutResource(resource=resource, expected_revision=expected):
                self._check_resource(resource, expected)
            case DeleteVersion() | DeleteResource():
                pass

    def make(self, change: Change) -> None:
        """Make a change that was found possible."""
        match change:
            case InsertFunction(function=function) | ReplaceFunction(function=function):
                self.functions.put(function)
            case PutResource(resource=resource):
                self.resources.put(resource)
            case DeleteVersion(key=key, version=version):
                self.functions.remove_version(key, version)
            case DeleteResource(key=resource_key):
                self.resources.remove(resource_key)

    def undoing(self, change: Change) -> Change:
        """Return the change that leads back from after `change` to what is now."""
        match change:
            case (
                InsertFunction(function=Function(key=key, version=version))
                | ReplaceFunction(function=Function(key=key, version=version))
            ):
                return self._version_as_it_is(key, version)
            case DeleteVersion(key=key, version=version):
                return self._version_as_it_is(key, version)
            case (
                PutResource(resource=Resource(key=resource_key)) | DeleteResource(key=resource_key)
            ):
                resource = self.resources.get(resource_key)
                if resource is None:
                    return DeleteResource(key=resource_key)
                return PutResource(resource=resource)

    def delete_function(self, key: FunctionKey) -> bool:
        """Drop all versions and every resource of a function; False when there was no version."""
        self.resources.remove_function(key)
        return self.functions.remove(key)

    def _version_as_it_is(self, key: FunctionKey, version: str) -> Change:
        function = self.functions.get(key, version)
        if function is None:
            return DeleteVersion(key=key, version=version)
        return InsertFunction(function=function)

    def _check_resource(self, resource: Resource, expected: str | None) -> None:
        if expected is None:
            return
        stored = self.resources.get(resource.key)
        if not expected:
            if stored is not None:
                raise AlreadyExists(describe_resource(resource))
        elif stored is None or stored.revision != expected:
            raise RevisionMismatch(describe_resource(resource))


def as_stored(change: Change) -> Change:
    """Return the change with its document as it will be read after a restart, and its own copy.

    Raises:
        TypeError, ValueError: the document holds something that is not JSON.
    """
    if not isinstance(change, PutResource):
        return change
    resource = change.resource
    return replace(change, resource=replace(resource, document=json_values(resource.document)))


def describe_function(function: Function) -> str:
    """Name a version in an error."""
    return f"function {function.key.name} version {function.version}"


def describe_resource(resource: Resource) -> str:
    """Name a resource in an error."""
    return f"{resource.key.kind} {resource.key.name}"
