"""What policies said before: the same question has the same answer until anything stored changes.

Unless a policy asks for the time: such a one is asked again each time.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from lambdad.authz.policies import Decision, Document, Principal, Request, evaluate
from lambdad.controlplane.references import Target
from lambdad.domain.arns import LATEST

# Some 4 MB.
_ENTRIES_MAX = 8_192
# Condition keys that nobody who asks names, in lower case: they stand in a policy that has them.
_OF_THE_MOMENT = ("aws:currenttime", "aws:epochtime")

Question = tuple[Target, Principal, str, tuple[tuple[str, str], ...]]


def question(
    target: Target, principal: Principal, action: str, context: Mapping[str, str] | None
) -> Question:
    """Return what is asked, to be remembered by; `context` are the condition keys that count."""
    return (target, principal, action, tuple(context.items()) if context else ())


def decided(documents: Sequence[Document], asked: Question, now: datetime) -> Decision:
    """Return what policies together say to a question."""
    target, principal, action, context = asked
    common = {
        "aws:CurrentTime": now.isoformat(),
        "aws:EpochTime": str(int(now.timestamp())),
        "aws:RequestedRegion": target.key.region,
    }
    decisions = {
        evaluate(
            documents,
            Request(
                principal=principal,
                action=action,
                resource=resource,
                context={**common, **dict(context)},
            ),
        )
        for resource in _resources(target)
    }
    for decision in (Decision.DENIED, Decision.ALLOWED):
        if decision in decisions:
            return decision
    return Decision.SILENT


def _resources(target: Target) -> set[str]:
    """ARNs by which statements may mean the target: of `$LATEST`, the function's as well."""
    return {target.arn, target.key.arn()} if target.qualifier == LATEST else {target.arn}


class Decisions:
    """Mutable: what was decided, and at which count of changes."""

    def __init__(self, changes: Callable[[], int]) -> None:
        """`changes` counts what changes in functions and policies."""
        self._changes = changes
        self._entries: dict[Question, Decision] = {}
        self._at = changes()

    def find(self, asked: Question) -> Decision | None:
        """Return what was decided; None where that is not known, or not any more."""
        if self._at != self._changes():
            self._entries.clear()
            self._at = self._changes()
        return self._entries.get(asked)

    def keep(self, asked: Question, documents: Sequence[Document], decision: Decision) -> None:
        """Remember what these policies, which were read since :meth:`find`, say."""
        text = json.dumps(list(documents)).lower()
        if any(key in text for key in _OF_THE_MOMENT):
            return
        if len(self._entries) >= _ENTRIES_MAX:
            self._entries.clear()
        self._entries[asked] = decision
