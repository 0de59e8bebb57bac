"""Stacks, what is in them, and change sets. Mutable, on the event loop alone."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from lambdad.neighbours.cloudformation.template import Template

Owner = tuple[str, str]  # account, region


@dataclass(slots=True, kw_only=True)
class Held:
    """A thing that was made: enough to change, find and remove it."""

    physical_id: str
    properties: dict[str, Any]
    attributes: dict[str, Any]


@dataclass(slots=True, kw_only=True)
class Resource:
    """A resource of a stack.

    Attributes:
        held: what there is now; None before it was made.
        before: what there was when the running operation began, if that changed it.
        fresh: the running operation made it.
        pending: properties that are being set; None when nothing goes on.
        token: of the action that goes on.
        needs: resources that it refers to.
        keep: it stays when the stack or its place in the template goes (`DeletionPolicy`).
        keep_created: it stays even if the operation that made it is taken back.
        keep_replaced: what it replaces stays (`UpdateReplacePolicy`).
        drift: what was last found: `status`, `at_ms`, and both sides with their `differences`.
    """

    logical_id: str
    type: str
    status: str
    changed_ms: int
    reason: str = ""
    held: Held | None = None
    before: Held | None = None
    fresh: bool = False
    pending: dict[str, Any] | None = None
    token: str = ""
    needs: list[str] = field(default_factory=list)
    keep: bool = False
    keep_created: bool = False
    keep_replaced: bool = False
    metadata: dict[str, Any] | None = None
    drift: dict[str, Any] | None = None

    @property
    def physical_id(self) -> str:
        """Of what there is now, or empty."""
        return "" if self.held is None else self.held.physical_id

    @property
    def is_complete(self) -> bool:
        """Whether nothing was left half done."""
        return self.status.endswith("_COMPLETE")

    @property
    def replaced(self) -> bool:
        """Whether the running operation made another thing in place of what there was."""
        return (
            self.before is not None
            and self.held is not None
            and self.before.physical_id != self.held.physical_id
        )


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a stack is to be, or is.

    Attributes:
        text: of the template as it was given.
        document: the template with its transforms applied.
        parameters: as text.
        values: of parameters and pseudo parameters, as `Ref` gives them.
    """

    text: str
    document: dict[str, Any]
    parameters: dict[str, str] = field(default_factory=dict)
    values: dict[str, Any] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    capabilities: list[str] = field(default_factory=list)

    @property
    def template(self) -> Template:
        """The template that counts."""
        return Template(self.document)


@dataclass(slots=True, kw_only=True)
class Stack:
    """A stack.

    Attributes:
        plan: what it is, or becomes by the operation that runs.
        former: what it was before that.
        phase: of the running operation: `create`, `update`, `delete`, `rollback`, `cleanup`,
            `undo` (what a rollback removes), `import`, `release` (what an import took in); empty
            when none runs.
        retain: logical ids that DeleteStack leaves.
        token: ClientRequestToken of the last operation.
        policy_during: the policy that holds for the running update alone.
        rollback: RollbackConfiguration; `monitor_until_ms` is when the running operation's
            monitoring ends.
        drop_created: what the running operation makes goes with it, whatever its policy says.
        stop: why the running operation is to end early.
        imports: physical ids of what the running operation takes in, by logical id.
        detections: of drift, the latest last: `id`, `status`, `at_ms`, `names`, `drifted`.
    """

    id: str
    name: str
    account_id: str
    region: str
    status: str
    created_ms: int
    plan: Plan
    former: Plan | None = None
    reason: str = ""
    updated_ms: int | None = None
    deleted_ms: int | None = None
    outputs: list[dict[str, str]] = field(default_factory=list)
    phase: str = ""
    on_failure: str = "ROLLBACK"
    retain: list[str] = field(default_factory=list)
    token: str = ""
    termination_protection: bool = False
    role_arn: str | None = None
    notification_arns: list[str] = field(default_factory=list)
    timeout_minutes: int | None = None
    policy: str | None = None
    policy_during: str | None = None
    rollback: dict[str, Any] = field(default_factory=dict)
    monitor_until_ms: int | None = None
    drop_created: bool = False
    stop: str = ""
    change_set_id: str | None = None
    detections: list[dict[str, Any]] = field(default_factory=list)
    imports: dict[str, str] = field(default_factory=dict)
    resources: dict[str, Resource] = field(default_factory=dict)

    @property
    def owner(self) -> Owner:
        """Account and region."""
        return self.account_id, self.region

    @property
    def deleted(self) -> bool:
        """Whether it can be found by its id alone."""
        return self.status == "DELETE_COMPLETE"

    @property
    def busy(self) -> bool:
        """Whether an operation runs."""
        return bool(self.phase)


@dataclass(slots=True, kw_only=True)
class ChangeSet:
    """What an operation would do to a stack."""

    id: str
    name: str
    stack_id: str
    kind: str
    status: str
    execution_status: str
    created_ms: int
    plan: Plan
    changes: list[dict[str, Any]]
    reason: str = ""
    description: str | None = None
    on_failure: str = "ROLLBACK"
    notification_arns: list[str] = field(default_factory=list)
    role_arn: str | None = None
    imports: dict[str, str] = field(default_factory=dict)
    rollback: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that happened to a stack or a resource."""

    event_id: str
    at_ms: int
    logical_id: str
    physical_id: str
    type: str
    status: str
    reason: str = ""
    properties: str = ""
    token: str = ""
