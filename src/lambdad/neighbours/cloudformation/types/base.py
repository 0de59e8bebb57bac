"""What a resource type is: how its resources are made, changed and removed, and how named."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from lambdad.neighbours.cloudformation.calls import CallFailed, Calls

_NAME_DIGITS = 12


class ResourceFailed(Exception):
    """A resource could not be made, changed or removed; says why.

    `left` is the physical id of what may be there all the same.
    """

    def __init__(self, reason: str, left: str = "") -> None:
        super().__init__(reason)
        self.left = left


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """How the name of a resource comes about when the template gives none.

    Attributes:
        property: where the template may give one.
        length: of a name at most.
        lower: it may have no capitals.
        suffix: what has to end it, from the properties.
    """

    property: str
    length: int = 255
    lower: bool = False
    suffix: Callable[[Mapping[str, Any]], str] = lambda _: ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What a resource is after it was made or changed; `note` is for whoever reads the events."""

    physical_id: str
    attributes: Mapping[str, Any] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One action on one resource. Its functions block.

    Attributes:
        properties: as the template has them, evaluated.
        previous: as they were before, when it changes.
        physical_id: of the resource that is changed or removed.
        token: the same for every attempt at the same action.
        attempted: an earlier process may have done it already.
        name: what to call the resource, if its type names resources.
    """

    calls: Calls
    stack_name: str
    stack_id: str
    stack_tags: Mapping[str, str]
    logical_id: str
    properties: Mapping[str, Any]
    previous: Mapping[str, Any]
    physical_id: str
    token: str
    attempted: bool
    name: str
    partition: str = "aws"

    def get(self, name: str, default: Any = None) -> Any:
        """Return a property."""
        return self.properties.get(name, default)

    def changed(self, *names: str) -> bool:
        """Whether any of these properties is another than before."""
        return any(self.properties.get(each) != self.previous.get(each) for each in names)

    def without(self, *names: str) -> dict[str, Any]:
        """Return the properties but for these."""
        return {name: each for name, each in self.properties.items() if name not in names}

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in the stack's account and region."""
        calls = self.calls
        return f"arn:{self.partition}:{service}:{calls.region}:{calls.account_id}:{resource}"

    def tags(self, properties: Mapping[str, Any] | None = None) -> dict[str, str]:
        """Return the stack's tags and those of the resource, which may be a list or a map."""
        own = (self.properties if properties is None else properties).get("Tags") or {}
        pairs = (
            {each["Key"]: each.get("Value", "") for each in own} if isinstance(own, list) else own
        )
        return {**self.stack_tags, **{name: str(value) for name, value in pairs.items()}}

    def tag_list(self) -> list[dict[str, str]]:
        """Return all tags as most services want them."""
        return [{"Key": name, "Value": value} for name, value in self.tags().items()]

    def call(self, service: str, operation: str, **params: Any) -> dict[str, Any]:
        """Call an operation; raises CallFailed."""
        return self.calls.call(service, operation, params)

    def create(self, service: str, operation: str, **params: Any) -> dict[str, Any] | None:
        """Call what makes the resource; None if an earlier attempt at it made it already."""
        try:
            return self.call(service, operation, **params)
        except CallFailed as error:
            if self.attempted and error.exists:
                return None
            raise

    def remove(self, service: str, operation: str, **params: Any) -> None:
        """Call what removes something; that it is not there is well."""
        try:
            self.call(service, operation, **params)
        except CallFailed as error:
            if not error.gone:
                raise

    def with_id(self, physical_id: str) -> Work:
        """Return the same work on a resource that has been made."""
        return replace(self, physical_id=physical_id)

    def wait(self, service: str, waiter: str, **params: Any) -> None:
        """Wait for one of botocore's conditions, asking often at first."""
        found = self.calls.client(service).get_waiter(waiter)
        found.wait(**params, WaiterConfig={"Delay": 0.1, "MaxAttempts": 6_000})


Change = Callable[[Work], Made]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceType:
    """One type of resource.

    Attributes:
        update: None if every change needs a new resource.
        fixed: properties whose change needs a new resource.
        capability: what callers have to acknowledge for it.
        by_name: its physical id is its name, so that what is half made can be removed.
    """

    name: str
    create: Change
    delete: Callable[[Work], None]
    update: Change | None = None
    fixed: frozenset[str] = frozenset()
    naming: Naming | None = None
    required: Sequence[str] = ()
    capability: Callable[[Mapping[str, Any]], str | None] = lambda _: None
    by_name: bool = False

    def replaces(self, changed: set[str]) -> bool:
        """Whether a change of these properties needs a new resource."""
        if self.update is None:
            return bool(changed)
        names = {self.naming.property} if self.naming is not None else set()
        return bool(changed & (self.fixed | names))

    def named(
        self, stack_name: str, logical_id: str, properties: Mapping[str, Any], token: str
    ) -> str:
        """Return the name of a resource: the template's, or one that the token makes unique."""
        if self.naming is None:
            return derived(stack_name, logical_id, token, Naming(property=""), properties)
        given = properties.get(self.naming.property)
        if given:
            return str(given)
        return derived(stack_name, logical_id, token, self.naming, properties)


def derived(
    stack_name: str, logical_id: str, token: str, naming: Naming, properties: Mapping[str, Any]
) -> str:
    """Return `stack-Logical-A1B2C3D4E5F6`, shortened so that it stays in its limits."""
    digest = hashlib.sha256(f"{stack_name}/{logical_id}/{token}".encode()).digest()
    unique = base64.b32encode(digest).decode()[:_NAME_DIGITS]
    suffix = naming.suffix(properties)
    room = naming.length - len(unique) - len(suffix) - 2
    half = min(len(logical_id), max(room // 2, room - len(stack_name)))
    name = f"{stack_name[: room - half]}-{logical_id[:half]}-{unique}"
    return (name.lower() if naming.lower else name) + suffix


def nothing(work: Work) -> None:
    """Remove nothing."""


def keep(work: Work) -> Made:
    """Change nothing."""
    return Made(physical_id=work.physical_id)
