"""Types whose resources are made, changed and removed by one call each, as tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.cloudformation.types.base import (
    Made,
    Naming,
    ResourceType,
    Work,
    nothing,
)

Value = Callable[[Work], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A type as a table.

    Attributes:
        create: operation that makes a resource; the same again makes no second one where `put`.
        update: operation that changes one; None if every change needs a new resource.
        delete: operation that removes one; None if it goes with what it belongs to.
        key: parameters of `update` and `delete` that name the resource.
        names: parameters that are called otherwise than the property: property to parameter.
        more: further parameters of `create` and `update`.
        physical_id: from what has been made; its name if nothing is said.
        found: where the answer has the physical id, `User.Name`.
        attributes: what `Fn::GetAtt` gives.
        answered: attributes that the answer of `create` has: name to place.
    """

    name: str
    service: str
    create: str
    key: Mapping[str, Value]
    update: str | None = None
    delete: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)
    more: Mapping[str, Value] = field(default_factory=dict)
    found: str = ""
    physical_id: Value | None = None
    attributes: Mapping[str, Value] = field(default_factory=dict)
    answered: Mapping[str, str] = field(default_factory=dict)
    naming: Naming | None = None
    fixed: Sequence[str] = ()
    required: Sequence[str] = ()
    capability: Callable[[Mapping[str, Any]], str | None] = lambda _: None

    def as_type(self) -> ResourceType:
        """Return the type that the table describes."""
        update = None if self.update is None else self._update
        return ResourceType(
            name=self.name,
            create=self._create,
            update=update,
            delete=nothing if self.delete is None else self._delete,
            naming=self.naming,
            fixed=frozenset(self.fixed),
            required=self.required,
            capability=self.capability,
        )

    def _params(self, work: Work) -> dict[str, Any]:
        params = {self.names.get(name, name): each for name, each in work.without("Tags").items()}
        return params | {
            name: value for name, wanted in self.more.items() if (value := wanted(work)) is not None
        }

    def _create(self, work: Work) -> Made:
        named = {}
        if self.naming is not None:
            property_name = self.naming.property
            named = {self.names.get(property_name, property_name): work.name}
        answer = work.call(self.service, self.create, **{**self._params(work), **named})
        if self.found:
            physical_id = str(_at(answer, self.found))
        else:
            physical_id = work.name if self.physical_id is None else str(self.physical_id(work))
        return self._made(
            work,
            physical_id,
            {name: _at(answer, place) for name, place in self.answered.items()},
        )

    def _made(self, work: Work, physical_id: str, answered: Mapping[str, Any]) -> Made:
        there = work.with_id(physical_id)
        attributes = {name: value(there) for name, value in self.attributes.items()}
        return Made(physical_id=physical_id, attributes={**attributes, **answered})

    def _update(self, work: Work) -> Made:
        key = {name: value(work) for name, value in self.key.items()}
        work.call(self.service, str(self.update), **{**self._params(work), **key})
        made = self._made(work, work.physical_id, {})
        # What the answer of the creation had stays.
        return Made(physical_id=work.physical_id) if self.answered else made

    def _delete(self, work: Work) -> None:
        key = {name: value(work) for name, value in self.key.items()}
        work.remove(self.service, str(self.delete), **key)


def _at(answer: Mapping[str, Any], place: str) -> Any:
    found: Any = answer
    for step in place.split("."):
        found = found[step]
    return found


def own_id(work: Work) -> str:
    """The physical id."""
    return work.physical_id


def given(name: str) -> Value:
    """A property."""
    return lambda work: work.get(name)
